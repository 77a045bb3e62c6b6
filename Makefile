# make venv, quick, test, lint, docs, bench, demo: see `make help`. Python's interpreter: make PYTHON=python3.12 ...
.DEFAULT_GOAL := help
.PHONY: help demo venv quick test lint docs bench clean

SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	if $$p -c '$(SUITABLE)' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
# One thread for each test process: two processes share the machine.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
# A file stays in one process, whose fits its tests share; those that take longest start first (tests/conftest.py).
PYTEST_ARGS ?= -n 2 --dist loadscope --no-loadscope-reorder --max-worker-restart 2

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: .venv/.base ## an hour of simulated orbits with three faults, watched on a web page (base install only)
	$(BIN)/lynkeus demo

venv: .venv/.all ## .venv with every extra

quick: .venv/.all ## for every change: what takes no two seconds, imports and sizes; a minute and a half
	$(ONE_THREAD) $(BIN)/pytest $(PYTEST_ARGS) -q -m "not slow and not browser and not postgres"
	$(BIN)/lint-imports

test: .venv/.all ## every test, two processes; one file: make test PYTEST_ARGS=tests/core/test_batch.py
	@echo "every test: about fifteen minutes on two quiet cores, more where others work on them (make quick: a minute and a half)"
	$(ONE_THREAD) $(BIN)/pytest $(PYTEST_ARGS)

lint: .venv/.all ## style, types, direction of imports, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_sizes.py

docs: .venv/.all ## site/: the documentation, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/.all ## speeds and memory, as ratios to a reference measured beside them
	set -e; for file in benchmarks/*.py; do echo "== $$file"; $(ONE_THREAD) $(BIN)/python $$file; done

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist site demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.base: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with its venv module was found: install one" \
		"(Debian: apt-get install python3 python3-venv) or say make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.all: .venv/.base
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[learn,export,vision,hep,jets,search,matter,noble,accel,live,tango,cluster,operations,text,postgres,docs,tutorials,dev]'
	@touch $@
