# The five things a person does: demo, test, lint, bench, docs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= 2
SUBMISSION ?= submissions/v3a
# The in-house models need PyTorch; the baselines do not.
NEEDS := .installed$(if $(filter submissions/baselines/%,$(SUBMISSION)),,-models)

.PHONY: help board demo test test-long test-external lint format bench docs clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/$(NEEDS)  ## Set up, then run v3a on the built-in demo task and leave its scorecard; SUBMISSION=… takes another.
	$(BIN)/harness submit $(SUBMISSION)

test: $(VENV)/.installed-dev  ## Run the fast tests.
	$(BIN)/python -m pytest -q -m "not long and not external" -n $(WORKERS) --dist loadfile

test-long: $(VENV)/.installed-dev  ## Run the tests that take minutes: a million cells, 200 killed processes, a 1 GB file.
	$(BIN)/python -m pytest -q -m "long and not external"

test-external: $(VENV)/.installed-dev  ## Build the environments of the external models and run them; MODELS=gears takes one.
	$(BIN)/python -m pytest -q -m "external and not long" -p no:randomly tests/external $(if $(MODELS),-k "$(MODELS)")

lint: $(VENV)/.installed-dev  ## Format check, lint, strict types, import rules.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev  ## Run the speed benchmarks.
	$(BIN)/python -m benchmarks

board: $(VENV)/.installed-dev  ## Make the published board anew: run what is missing, keep the records, publish.
	$(BIN)/python reports/make.py

docs: $(VENV)/.installed-dev  ## Regenerate the reference pages, the schemas and the drawings.
	$(BIN)/python docs/generate.py

clean:  ## Remove the environment and the caches; runs/ and data/ stay.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-models: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[models]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-models
