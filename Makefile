# Nebula: make demo, make test. `make help` lists the targets.
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup ansible containers watching programs ready demo test test-vagrant test-reachability unit model lint bench migration golden deb lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(VENV)/.done ## Debian packages, a virtual environment, the project

$(VENV)/.tools: requirements.lock tools.sh debian-packages.sh debian-packages.txt
	PYTHON=$(PYTHON) ./tools.sh $(VENV)
	@touch $@

$(VENV)/.done: $(VENV)/.tools pyproject.toml setup.sh libraries.sh
	./setup.sh $(VENV)
	@touch $@

ansible: $(VENV)/ansible/.done ## Ansible in an environment of its own, for the tests

$(VENV)/ansible/.done: $(VENV)/.tools libraries.sh tests/system/ansible/setup.sh tests/system/ansible/requirements.lock tests/system/ansible/collection.lock
	tests/system/ansible/setup.sh $(BIN) $(VENV)/ansible
	@touch $@

containers: $(VENV)/.tools ## Docker's programs, for the tests; nothing of them is started
	tests/system/containers/setup.sh

watching: $(VENV)/.tools ## Prometheus's programs, for the tests; nothing is installed
	tests/system/watching/setup.sh

demo: setup ## the case study in a lab of three nodes (KEEP=1 leaves it up)
	$(BIN)/python -m nebula_lab.demo $(if $(KEEP),--keep)

programs: # one after the other: both lock what apt and dpkg lock
	@MAKEFLAGS= $(MAKE) --no-print-directory containers watching

ready: lint ansible programs # what tests need; beside each other, as much of it is waiting for downloads

test: $(VENV)/.tools ## every test of the project
	$(MAKE) -j4 -Otarget --no-print-directory ready
	$(PYTEST) tests -n 3 --dist loadfile --no-loadscope-reorder -rs $(ARGS)

test-vagrant: ## the case study on virtual machines, which are made and destroyed (EMULATED=1: without KVM and a box)
	$(if $(EMULATED),$(MAKE) -C vagrant emulated,$(MAKE) -C vagrant demo && $(MAKE) -C vagrant down)

test-reachability: setup ## random topologies, the oracle's word against packets (SEED=first N=how many)
	$(BIN)/python -m tests.reachability $(if $(SEED),--seed $(SEED)) --count $(or $(N),200)

unit: setup ## the tests that need nothing but Python
	$(PYTEST) tests/unit tests/scenarios -n 2 --dist loadfile $(ARGS)

RUNS ?= 1000
model: setup ## long random sequences of API calls against the model of the API (RUNS=1000)
	NEBULA_MODEL_RUNS=$(RUNS) $(PYTEST) tests/unit/test_api_model.py -q $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

migration: setup ## what the tables have and the migrations have not, as a new migration (WORDS="add bridges")
	$(BIN)/python -m nebula_controller.store.revise "$(WORDS)"

golden: setup ## write the golden files of tests/scenarios anew
	$(BIN)/python tests/scenarios/golden.py

bench: setup ## the figures of docs/performance.md on this machine
	$(BIN)/python -m tests.bench $(ARGS)

deb: setup ## Debian packages of the checkout, in dist/
	$(BIN)/python deb/build.py

lock: setup ## pin the newest allowed versions in requirements.lock
	$(BIN)/uv pip compile -q --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header tests/system/ansible/requirements.in -o tests/system/ansible/requirements.lock

clean: ## remove what make made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
