# What can be done: run, test, check, clients, bench. Each makes what it needs.
PYTHON ?= python3
VENV ?= .venv
CLIENTS ?= .venv/clients
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED = $(PIP) --require-hashes --no-build-isolation
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate

.PHONY: run test check clients clients-generate bench soak openapi lock clean

run: $(VENV)/run
	$(BIN)/lantern validate
	$(BIN)/lantern build
	$(BIN)/lantern serve

test: $(VENV)/test
	$(BIN)/pytest --numprocesses 2 --dist worksteal

check: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml api wsgi.py
	$(BIN)/pytest --quiet tests/test_locks.py
	$(BIN)/lantern openapi --check

# What other people's clients get from a running server. Needs npm; see clients/README.md.
clients: $(VENV)/run clients-generate
	LANTERN=$(BIN)/lantern $(CLIENTS)/bin/pytest clients/tests

clients-generate: $(CLIENTS)/installed
	rm -rf clients/python/lantern_client
	$(CLIENTS)/bin/openapi-python-client generate --path openapi/openapi.yaml --config clients/python/generator.yaml \
	  --meta none --output-path clients/python/lantern_client
	clients/node_modules/.bin/openapi-typescript openapi/openapi.yaml --output clients/typescript/src/schema.ts
	clients/node_modules/.bin/tsc --project clients/typescript

bench: $(VENV)/run
	$(BIN)/python -m bench

# Kills at fifty moments of each command that works on a store, then ten minutes of load and mishaps. Needs nginx.
soak: $(VENV)/test
	KILLS=50 $(BIN)/pytest tests/test_killed.py
	$(BIN)/python -m bench.soak

openapi: $(VENV)/run
	$(BIN)/lantern openapi

# Exact versions with hashes: those that are there stay, those that setup.cfg asks for are added (delete a lock to have
# the newest of all). Needs uv (pip install uv). setuptools is in them because it builds us, and what comes as source.
lock:
	echo 'setuptools>=77' | $(LOCK) --custom-compile-command 'make lock' setup.cfg - --output-file requirements.lock
	echo 'setuptools>=77' | $(LOCK) --custom-compile-command 'make lock' setup.cfg - --extra test --extra check \
	  --constraints requirements.lock --output-file requirements-test.lock
	$(LOCK) --custom-compile-command 'make lock' clients/requirements.in --output-file clients/requirements.lock

$(VENV)/run: setup.cfg pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^setuptools==/,/[^\\]$$/p' requirements.lock | $(LOCKED) --requirement /dev/stdin
	$(LOCKED) --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/test: $(VENV)/run requirements-test.lock
	$(LOCKED) --requirement requirements-test.lock
	touch $@

$(CLIENTS)/installed: clients/requirements.lock clients/package-lock.json
	test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --requirement clients/requirements.lock
	npm ci --prefix clients --ignore-scripts --silent
	touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) clients/node_modules var build *.egg-info
