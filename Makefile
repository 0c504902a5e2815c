# Two commands: `make report` sets everything up and runs the benchmark, `make test` runs the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc 2>/dev/null || echo 1)
CONFIG ?= config/config.yaml
DEVICE ?= cpu
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env report reference test test-faults test-release test-cluster lint format docs clean lock

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("otbench needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements.lock into $(VENV): about 6 GB on the disk, some minutes over the network."
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

env: $(READY) ## Make the environment in .venv

report: $(READY) ## Run the benchmark of CONFIG (default config/config.yaml) and render its report
	$(BIN)/otbench run $(CONFIG) --cores $(CORES)

reference: $(READY) ## Work on the reference results, in order of value; stop it at any time (DEVICE=cuda on a GPU)
	nice -n 19 $(BIN)/otbench reference --cores $(CORES) --device $(DEVICE)

test: $(READY) ## Run the tests, as many at once as there are cores, at most 8
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

test-faults: $(READY) ## Kill and break real runs, and see that they go on and say what is wrong
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m faults

test-release: $(READY) ## Install the wheel and run it, call the workflow as a module, follow the tutorials
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m release

test-cluster: $(READY) ## Send the whole smoke run through a real Slurm that loses jobs
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -m cluster

lint: $(READY) ## Check style, spelling, types and the layers of imports
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo --no-cache
	PATH="$(abspath $(BIN)):$$PATH" snakemake --lint

format: $(READY) ## Put everything in style
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: $(READY) ## Build the site of the pages in ./site, warnings as errors; its tools come into an environment of their own
	test -d $(VENV)-docs || $(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --disable-pip-version-check $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$($(VENV)-docs/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/otbench.pth"
	PYTHONPATH="$(CURDIR)" $(VENV)-docs/bin/python -m mkdocs build --strict

lock: ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --quiet --output-file requirements.lock

clean: ## Remove the environment and all results but the reference
	rm -rf $(VENV) $(VENV)-docs site .snakemake .pytest_cache .ruff_cache *.egg-info
	find results -mindepth 1 -maxdepth 1 ! -name 'reference*' -exec rm -rf {} +
