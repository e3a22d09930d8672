# The verbs of the house. `make` alone lists them. Only python3 (3.11 or later, with venv) and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The folder that the `files.read` tool reads from; unset, it refuses.
export ROLECALL_FILES_DIR ?= examples/documents
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run serve work migrate test check format bench fuzz hostile mutations laws round-trips budgets survive chaos crowd crash-matrix generate live ci clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: $(VENV)/run.stamp ## run the example orchestration from nothing: database, roles, live progress, brief
	@$(BIN)/rolecall run examples/research-brief.yaml --input @examples/research-brief.input.json

serve: $(VENV)/run.stamp ## API and worker in one process on 127.0.0.1:8787
	@$(BIN)/rolecall up

work: $(VENV)/run.stamp ## a worker alone
	@$(BIN)/rolecall work

migrate: $(VENV)/run.stamp ## bring the database to the newest schema
	@$(BIN)/rolecall migrate

test: $(VENV)/dev.stamp tests/node/node_modules/.package-lock.json ## the whole test suite
	@$(BIN)/python -m pytest --ignore=tests/chaos --numprocesses=auto --dist=loadfile

check: $(VENV)/dev.stamp tests/node/node_modules/.package-lock.json ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.node pyright

format: $(VENV)/dev.stamp ## rewrite the sources in the house format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generate: $(VENV)/dev.stamp ## write openapi/ anew from the procedure registry and tables in docs/
	@$(BIN)/rolecall generate
	@$(BIN)/python -m tests.docs.states
	@$(BIN)/python -m tests.docs.scopes

bench: $(VENV)/dev.stamp ## measure; each script states its claim
	@for script in bench/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

fuzz: $(VENV)/dev.stamp ## a million hostile expressions, templates, conditions and paths each
	@$(BIN)/python -m tests.expressions.fuzz

hostile: $(VENV)/dev.stamp ## 100,000 generated calls, right and wrong ones, against real servers
	@$(BIN)/python -m tests.hostile $(HOSTILE)

mutations: $(VENV)/dev.stamp ## 5,000 random edits of rows under servers at work: no call fails, the bad row is named
	@$(BIN)/python -m tests.hostile.mutate $(MUTATIONS)

laws: $(VENV)/dev.stamp ## what holds for every definition, over 10,000 random ones each
	@$(BIN)/python -m pytest -q tests/engine/test_laws.py tests/engine/test_restart_laws.py --hypothesis-profile=thorough --timeout=0

round-trips: $(VENV)/dev.stamp ## export, import and export again 1,000 random definitions through databases
	@ROLECALL_ROUND_TRIPS=1000 $(BIN)/python -m pytest -q tests/bundles/test_round_trips.py

budgets: $(VENV)/dev.stamp ## 1,000 random trees of executions that spend at once: nothing is spent that was not granted
	@$(BIN)/python -m tests.budgets

live: $(VENV)/dev.stamp ## ask the real services whose keys are in the environment; says so when there are none
	@$(BIN)/python -m tests.live

chaos: $(VENV)/dev.stamp ## kill workers, connections and the database under 10,000 executions; cancels, timers, outages
	@$(BIN)/python -m tests.chaos storm cancels timers outages $(CHAOS)

crowd: $(VENV)/dev.stamp ## fifty agents on a provider that takes five at once and sixty in a real minute
	@ROLECALL_TEST_MINUTE=60 $(BIN)/python -m pytest -q tests/steps/test_crowd.py

crash-matrix: $(VENV)/dev.stamp tests/node/node_modules/.package-lock.json ## end a worker before and after each of its SQL statements, model calls and tool calls
	@$(BIN)/python -m tests.chaos crash-matrix agents

survive: $(VENV)/dev.stamp ## the short form of chaos and of the crash matrix
	@$(BIN)/python -m pytest tests/chaos

ci: check test survive ## what CI runs

clean: ## forget the virtual environment and node packages, not the data
	rm -rf $(VENV) tests/node/node_modules tests/node/*/node_modules bench/node/node_modules

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Rolecall needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Say: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) …"
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements/run.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.txt
	@command -v node >/dev/null || $(BIN)/pip install --quiet --require-hashes --requirement requirements/node.txt
	@touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json tests/node/package.json $(VENV)/dev.stamp
	@$(BIN)/python -m tests.node install
	@touch $@
