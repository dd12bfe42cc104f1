PYTHON ?= python

.PHONY: check test extensive fix

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
	$(PYTHON) -m pytest -q

extensive:  ## what CI leaves out for its time
	$(PYTHON) -m pytest -q -m extensive

fix:  ## apply formatting and safe lint fixes
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
