# What can be done: run, test, check, bench. Each makes what it needs.
PYTHON ?= python3
BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: run test check bench openapi clean

run: .venv/run
	$(BIN)/lantern validate
	$(BIN)/lantern build
	$(BIN)/lantern serve

test: .venv/test
	$(BIN)/pytest --numprocesses 2 --dist worksteal

check: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/lantern openapi --check

bench: .venv/run
	$(BIN)/python -m bench

openapi: .venv/run
	$(BIN)/lantern openapi

.venv/run: setup.cfg pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/test: .venv/run
	$(PIP) --editable '.[test,check]'
	touch $@

clean:
	rm -rf .venv var build *.egg-info
