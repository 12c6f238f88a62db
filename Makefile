# Two commands: `make demo` and `make test`. Both set up all they need: a virtual environment from the locked
# requirements, and, through the local stack, everything else below .autoloader/.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo up down test test-kubernetes soak fuzz tpch bench check docs clean lock

help:  ## Show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: .venv/installed  ## Five acts, from one file to killed servers, every row counted (first time: some minutes of set-up)
	$(BIN)/autoloader demo

up: .venv/installed  ## Start the local stack and watch over it until Ctrl-C
	$(BIN)/autoloader up

down: .venv/installed  ## Stop the local stack; its data stays
	$(BIN)/autoloader down

test: check  ## All checks, then the tests on real parts
	$(BIN)/pytest -m "not soak" -n 2 --dist loadfile --no-loadscope-reorder tests/contract tests/integration tests/e2e

test-kubernetes: .venv/installed  ## The image, the manifests and the Kubernetes lane on a cluster of this machine (root), or of KUBECONFIG
	$(BIN)/python -m tests.kubernetes.lab

soak: .venv/installed  ## The tests that take minutes each
	$(BIN)/pytest -m soak tests

fuzz: .venv/installed  ## Random tables and damaged files for hours, of another beginning each time
	RIGHT_ROWS_SEEDS=500 RIGHT_ROWS_FIRST=$$(date +%s) $(BIN)/pytest --timeout=86400 tests/integration/test_flow_right_rows.py \
		tests/integration/test_flow_plain.py tests/integration/test_flow_csv_proof.py

tpch: .venv/installed  ## All tables of TPC-H at scale 1 through every format, by count and checksum
	TPCH_SCALE=1 $(BIN)/pytest --timeout=7200 tests/integration/test_flow_tpch.py

bench: .venv/installed  ## Everything measured beside its peers, into docs/performance.md (an hour and a half, on an idle machine)
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/python -m benchmarks

check: .venv/installed  ## Format, lint, types, import contracts, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 tests/unit tests/walls tests/simulation

docs: .venv/installed  ## Write docs/cli.md anew from the program
	$(BIN)/python -m cli.reference > docs/cli.tmp
	mv docs/cli.tmp docs/cli.md

clean:  ## Stop the local stack and delete .autoloader, .venv and caches
	@if [ -x $(BIN)/autoloader ]; then $(BIN)/autoloader down; fi
	rm -rf .autoloader .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

lock: .venv/installed  ## Write the locked requirements anew from pyproject.toml: of a checkout, and of the image
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.txt
	$(BIN)/uv pip compile pyproject.toml -c requirements.txt --python-version 3.11 --generate-hashes --no-header --quiet -o requirements-runtime.txt

.venv/installed: requirements.txt pyproject.toml
	@echo "setting up .venv from requirements.txt (650 MB of packages to download, a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@
