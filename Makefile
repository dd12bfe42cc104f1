PYTHON ?= python

.PHONY: check test fix

check:  ## format, lint, types, import contracts, fast tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports
	$(PYTHON) -m pytest -q -m "not slow"

test:  ## everything, as CI runs it
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports
	$(PYTHON) -m pytest -q

fix:  ## apply formatting and safe lint fixes
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
