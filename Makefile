# Every target makes its own virtual environment when there is none. PYTHON=python3.12 make test takes another Python.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
BENCHES := $(VENV)-bench
# Most tests wait for something: two processes a core, and no more of them than are of use.
TESTERS ?= $(shell $(PYTHON) -c 'import os; print(min(16, 2 * (os.cpu_count() or 1)))')

.PHONY: help demo test test-all lint format docs bench soak fuzz clean

help:
	@echo "make demo      upload a generated tree to the embedded server, kill it half-way, resume, prove every file"
	@echo "make test      the tests, without the slow ones; they need a C compiler and nginx"
	@echo "make test-all  all tests"
	@echo "make lint      ruff, mypy --strict, import-linter"
	@echo "make docs      the reference part of docs/settings.md, made from the settings"
	@echo "make bench     bulkup beside other tools, side by side: installs them, takes half an hour; BENCH=--quick for a look"
	@echo "make soak      270,000 files through faults and kills, every one proven; SOAK=--quick for a small one"
	@echo "make fuzz      ten minutes of mutated answers, URLs and tickets; FUZZ='--seconds 60' for one minute"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "bulkup needs Python 3.11 or later; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@ $(VENV)/.run

# Not a part of .dev: atheris is not to be had everywhere, and only this target needs it.
$(VENV)/.fuzz: pyproject.toml | $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,fuzz]'
	@touch $@

# An environment of its own: the other tools that bulkup is measured beside are none of the tests' business.
$(BENCHES)/.bench: pyproject.toml
	$(PYTHON) -m venv $(BENCHES)
	$(BENCHES)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/bulkup demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(TESTERS) -m ""

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.run
	$(BIN)/python -m bulkup.config.settings_page docs/settings.md

bench: $(BENCHES)/.bench
	$(BENCHES)/bin/python -m benchmarks.install
	$(BENCHES)/bin/python -m compileall -q bulkup  # what pip does with a package that is not editable
	$(BENCHES)/bin/python -m benchmarks peers --json benchmarks/results/peers.json --chart benchmarks/results/peers.svg $(BENCH)

soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak $(SOAK)

fuzz: $(VENV)/.fuzz
	PYTHONPATH=tests:tests/contracts $(BIN)/python -m fuzz $(FUZZ)

clean:
	rm -rf $(VENV) $(BENCHES) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
