PYTHON ?= python

.PHONY: check test extensive golden fix

check:  ## format, lint, types, import contracts, fast tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports
	$(PYTHON) -m pytest -q -m "not slow"

test:  ## as CI runs it
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports
	$(PYTHON) -m pytest -q -n 2 --dist loadfile --durations=25

extensive:  ## what CI leaves out for its time
	$(PYTHON) -m pytest -q -m extensive

golden:  ## pin the golden runs of what is new or has a raised revision; because="…" for the rest
	$(PYTHON) -m tests.golden.write $(if $(because),--because "$(because)")

fix:  ## apply formatting and safe lint fixes
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
