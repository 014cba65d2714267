# Every command of the house. Needs Python 3.11+ (with venv) and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
K ?=
export PYTHONDONTWRITEBYTECODE := # tests start hundreds of processes: none should compile everything anew

.DEFAULT_GOAL := help
.PHONY: help dev peers demo test test-az test-spark torture check fix lint types bench docs serve lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: $(READY) ## make everything ready in .venv (then: .venv/bin/manara)

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Manara needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv ready (once; about a minute on a good line) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

peers: tests/peers/node_modules/.ready tests/peers/azure10/.ready tests/peers/duckdb15/.ready tests/peers/fakesnow/.ready ## install what tests talk to (Azurite, Azure's SDKs, a DuckDB that reads Delta, an emulator of Snowflake; needs npm), in tests/peers

tests/peers/node_modules/.ready: tests/peers/package-lock.json
	@npm ci --prefix tests/peers --ignore-scripts --no-audit --no-fund --silent
	@touch $@

tests/peers/azure10/.ready: requirements/azure10.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target tests/peers/azure10 -r requirements/azure10.txt
	@touch $@

tests/peers/duckdb15/.ready: requirements/duckdb15.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target tests/peers/duckdb15 -r requirements/duckdb15.txt
	@touch $@

tests/peers/fakesnow/.ready: requirements/fakesnow.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target tests/peers/fakesnow -r requirements/fakesnow.txt
	@touch $@

tests/peers/az/.ready: requirements/az.txt
	@$(PYTHON) -m venv tests/peers/az
	@tests/peers/az/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/az.txt
	@touch $@

tests/peers/spark/.ready: requirements/spark.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target tests/peers/spark -r requirements/spark.txt
	@touch $@

demo: $(READY) ## run the main job: the supply control tower on made data
	@$(BIN)/manara demo supply

test: $(READY) ## run the tests (make test K=word runs those whose name holds the word)
	@$(BIN)/pytest -n 2 -rs $(if $(K),-k "$(K)")

torture: $(READY) ## kill workers more than three hundred times, on both stores, and copies into every sink, and check that nothing is lost (twenty minutes)
	@TORTURE_FULL=1 $(BIN)/pytest -s tests/acceptance/test_torture.py tests/acceptance/test_kill_sinks.py

test-az: $(READY) tests/peers/az/.ready ## run the test of az itself against the server (installs az: 370 MB)
	@$(BIN)/pytest -rs tests/acceptance/test_az.py

test-spark: $(READY) tests/peers/spark/.ready ## run the tests on Spark (installs pyspark: 650 MB; needs Java 17)
	@PYTHONPATH=$(CURDIR)/tests/peers/spark $(BIN)/pytest -rs tests/quality/test_spark.py tests/activities/test_notebook.py

check: lint types test ## what must pass before anything lands: lint, types, tests

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . || (echo "Run: make fix"; exit 1)
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@$(BIN)/mypy --no-error-summary

fix: $(READY) ## format, and mend what the linter can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

bench: $(READY) ## print the figures of benchmarks/, each beside its reference
	@for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

docs: $(READY) ## make the reference pages from the code, and the whole documentation as pages in build/docs
	@$(BIN)/python docs/make.py

serve: docs ## show the documentation on http://127.0.0.1:8060
	@$(BIN)/python -m http.server 8060 --bind 127.0.0.1 --directory build/docs

lock: ## renew requirements/ after a change of dependencies (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --quiet -o requirements/core.txt
	uv pip compile pyproject.toml --extra all --extra mssql --group dev --universal --generate-hashes --no-header --quiet -o requirements/dev.txt

clean: ## remove .venv and everything built
	rm -rf $(VENV) build supply-demo .mypy_cache .ruff_cache
