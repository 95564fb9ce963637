# Everything starts here: `make run` and `make test` need only Python 3.11+ and make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Two processes, each with servers of its own (4 GB); a file's tests stay together, since they share what they need.
TWO := -n 2 --dist loadfile

help: ## Say what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z.-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The environment is whole when its stamp is newer than what it was made from.
.venv: .venv/stamp ## Build the environment

.venv/stamp: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tenantry needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Building the environment in .venv, once; this takes about half a minute."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: export TENANTRY_DATA ?= data
run: export TENANTRY_PORT ?= 8080
run: export TENANTRY_SAMPLE ?= 1
run: .venv/stamp ## Run the service on http://127.0.0.1:8080 with sample data
	@exec $(BIN)/tenantry serve

test: .venv/stamp ## Run the tests, without their long forms
	@$(BIN)/python -m tests.servers fetch
	$(BIN)/pytest $(TWO) --cov --cov-report= -m "not long"
	ENGINES=real $(BIN)/pytest $(TWO) -m "not long" tests/services/test_events.py tests/services/test_keys.py tests/e2e/test_recorded_events.py
	@$(BIN)/coverage report --format=total | sed 's/^/Coverage in percent: /'

test-all: .venv/stamp ## Run all tests, the long ones too
	@$(BIN)/python -m tests.servers fetch
	$(BIN)/pytest $(TWO)
	ENGINES=real $(BIN)/pytest $(TWO) tests/services tests/e2e

servers: .venv/stamp ## Keep a Kafka, an OpenSearch and an OpenBao up for the tests and for you
	@exec $(BIN)/python -m tests.servers up

lint: .venv/stamp ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/tenantry dashboards build --check

format: .venv/stamp ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/stamp ## Measure, each against a peer in the same run
	$(BIN)/python -m benchmarks all

lock: ## Lock the dependencies anew
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-strip-extras --no-emit-index-url --no-emit-find-links --group dev pyproject.toml --output-file requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-strip-extras --no-emit-index-url --no-emit-find-links --constraint requirements/dev.txt pyproject.toml --output-file requirements/run.txt

clean: ## Remove the environment, caches and the data of `make run`
	rm -rf .venv .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis data

.PHONY: help .venv run test test-all servers lint format bench lock clean
