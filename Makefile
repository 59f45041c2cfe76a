# Everything a developer or a first visitor needs; only Python 3.11+ and make have to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= ../shared
RUN_ARGS ?=
# Tests start hundreds of processes: what these import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test test-fast hooks lint format types generated bench clean help

help: ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: $(VENV)/.installed ## Start the default scenario on http://127.0.0.1:8000
	@exec $(BIN)/mock-editor serve $(RUN_ARGS)

demo: $(VENV)/.installed ## Start the demonstration: console, bench and a guided tour, in French
	@exec $(BIN)/mock-editor serve --scenario demonstration --with-bench --browse $(RUN_ARGS)

# Half of its time is waiting, for servers and deadlines: hence two processes for each core.
test: $(VENV)/.installed-dev validator axe oidc-provider ## Set up what the tests need and run them all
	$(BIN)/pytest --numprocesses $$($(BIN)/python -c 'import os; print(2 * os.cpu_count())') --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.installed-dev ## The tests for the loop of every change: no server, no browser, nothing that takes long
	$(BIN)/pytest --fast --numprocesses auto --dist loadfile

lint: $(VENV)/.installed-dev ## Style checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## Static types, strict on the package, the tests and the benchmarks
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generated: $(VENV)/.installed ## Write again what is made from the operations of the admin API
	$(BIN)/python -m mock_editor.commands.generate

bench: $(VENV)/.installed-dev ## Measure; see benchmarks/README.md
	$(BIN)/python -m benchmarks

hooks: $(VENV)/.installed-dev ## Have git run the quick checks before each commit
	$(BIN)/pre-commit install

clean: ## Remove what was installed and made
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python requirements.txt pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The independent FHIR validator lies beside the checkout, not in it, and runs on Node; without either, its tests skip.
.PHONY: validator
validator:
	@if [ -d $(SHARED)/tools/fhir-validate ] && command -v npm >/dev/null && [ ! -d var/fhir-validate/node_modules ]; then \
		mkdir -p var && cp -r $(SHARED)/tools/fhir-validate var/ && \
		npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix var/fhir-validate; \
	fi

# The accessibility checker of the browser tests.
.PHONY: axe
axe:
	@if command -v npm >/dev/null && [ ! -d var/axe/node_modules ]; then \
		npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix var/axe axe-core@4.14.1; \
	fi

# A certified identity provider, for the tests of signing in.
.PHONY: oidc-provider
oidc-provider:
	@if command -v npm >/dev/null && [ ! -d var/oidc-provider/node_modules ]; then \
		npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix var/oidc-provider oidc-provider@9.13.3; \
	fi
