# Everything a newcomer needs is `make demo` and `make test`. Both install into .venv what they need,
# hash-checked, and touch the network in that step only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EXAMPLES := harbour markupsafe
FETCHED := $(EXAMPLES:%=examples/%/inputs/.fetched) examples/negative/vulnerable/inputs/.fetched

.PHONY: help demo test check install install-dev fetch lint types imports docs bench lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: fetch ## install, then ship two real programs with no network
	tools/offline --try $(BIN)/python examples/demo.py

test: install-dev fetch ## install, then run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check: lint types imports docs ## everything but the tests

install: $(VENV)/.installed ## pratique and its locked dependencies, into .venv

install-dev: $(VENV)/.installed-dev

$(VENV)/.system: tools/system-packages
	PYTHON=$(PYTHON) tools/system-packages
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.system requirements/runtime.lock requirements/build.lock pyproject.toml
	$(PIP) install --require-hashes --only-binary :all: -r requirements/runtime.lock -r requirements/build.lock
	$(PIP) install --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.lock
	$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.lock
	@touch $@

fetch: install $(FETCHED) ## the examples' locked inputs, by hash; nothing of theirs is executed

%/inputs/.fetched: %/pratique.toml $(wildcard examples/*/*.lock examples/negative/*/*.lock) | $(VENV)/.installed
	$(BIN)/pratique build fetch --project $*
	@touch $@

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

docs: ## the docs say what is true of the program
	$(BIN)/python docs/check.py

bench: install-dev ## measure; peers are compared where they are installed
	for file in bench/*.py; do $(BIN)/python $$file; done

lock: ## lock every requirement again (needs uv)
	uv pip compile -q $(LOCK) pyproject.toml -o requirements/runtime.lock
	uv pip compile -q $(LOCK) requirements/build.in -o requirements/build.lock
	uv pip compile -q $(LOCK) -c requirements/runtime.lock requirements/dev.in -o requirements/dev.lock
	uv pip compile -q $(LOCK) -c requirements/runtime.lock --extra pkcs11 --extra kms --extra sigstore pyproject.toml -o requirements/extras-signers.lock

LOCK := --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header

clean:
	rm -rf $(VENV) demo-run examples/*/inputs examples/negative/*/inputs
