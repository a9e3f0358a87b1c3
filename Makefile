# Each target makes the virtual environment that it needs. Another Python: make test PYTHON=python3.12 VENV=.venv-3.12
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
BENCH_VENV := $(VENV)-bench
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
PINNED := --constraint constraints/dev.txt
# Without the theme's announcement of other programs.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
# Most tests wait for something, so two processes a core are faster than one; more than 16 are not.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min(16, 2 * (os.cpu_count() or 1)))')

.DELETE_ON_ERROR:
.PHONY: help demo cluster-demo test test-all test-young coverage lint format docs site captures bench soak fuzz constraints clean

help:
	@echo "make demo         upload a generated tree to the embedded server, kill the run half-way, resume it, check every file"
	@echo "make cluster-demo upload 20,000 files with three workers of a Dask cluster, kill a worker and the coordinator, check every file"
	@echo "make test         run the tests, without the slow ones; installs a C compiler, nginx and Ceph if they are missing"
	@echo "make test-all     run all tests"
	@echo "make test-young   run the tests on a clock that started 60 seconds ago, as just after a boot; needs Linux"
	@echo "make coverage     run the tests and report branch coverage; fails below 95 %"
	@echo "make lint         run ruff, mypy --strict, import-linter, the check of asserts, and build the site"
	@echo "make format       apply ruff's fixes and its format"
	@echo "make docs         write the reference pages from the code: settings, commands, events, metrics, JSON and others"
	@echo "make site         build docs/ as a site in build/site, without network; fails on broken links"
	@echo "make captures     take the pictures of the pages anew, with every script tests/tools/*_images.py"
	@echo "make bench        compare bulkup with other tools; installs them, takes 45 minutes; BENCH=--quick for a first look"
	@echo "make soak         upload 270,000 files through faults and kills, check every file; SOAK=--quick for a small run"
	@echo "make fuzz         mutate answers, URLs and tickets for ten minutes; FUZZ='--seconds 60' for one minute"
	@echo "make constraints  write constraints/dev.txt anew with the latest versions"

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; name a Python with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "bulkup needs Python 3.11 or later; name one with PYTHON=...")'
	@$(PYTHON) tests/tools/system_packages.py venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python $(PIP_INSTALL) $(PINNED) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python $(PIP_INSTALL) $(PINNED) --editable '.[test,lint,docs]'
	@touch $@ $(VENV)/.run

# Not a part of .dev: atheris has wheels for few systems, and only this target needs it.
$(VENV)/.fuzz: pyproject.toml | $(VENV)/.dev
	$(BIN)/python $(PIP_INSTALL) $(PINNED) --editable '.[test,fuzz]'
	@touch $@

# A separate environment: the tests must not depend on the other tools' packages.
$(BENCH_VENV)/.bench: pyproject.toml
	@$(PYTHON) tests/tools/system_packages.py venv
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python tests/tools/bench_packages.py $@

demo: $(VENV)/.run
	$(BIN)/bulkup demo

# The tests start the command hundreds of times. Without bytecode, each start would compile it anew and take twice as long.
unexport PYTHONDONTWRITEBYTECODE

cluster-demo: $(VENV)/.dev
	$(BIN)/python tests/tools/cluster_demo.py

ifdef COVERAGE
MEASURED := PYTHONPATH=$(CURDIR)/tests/tools/coverage_site
endif

# The first process under coverage records all modules of bulkup, so that those that no test imports count as not covered.
test: $(VENV)/.dev
	@$(BIN)/python tests/tools/system_packages.py test
ifdef COVERAGE
	@$(BIN)/coverage erase
	@$(BIN)/coverage run --parallel-mode -m compileall -q bulkup
endif
	$(MEASURED) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal
ifdef COVERAGE
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
endif

test-all: $(VENV)/.dev
	@$(BIN)/python tests/tools/system_packages.py test
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m ""

# Each folder gets a clock of its own, so that the last tests do not run on an old one.
test-young: $(VENV)/.dev
	@$(BIN)/python tests/tools/system_packages.py test
	for folder in unit contracts integration e2e; do \
	  $(BIN)/python tests/tools/young_clock.py 60 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal tests/$$folder || exit 1; \
	done

coverage:
	$(MAKE) test COVERAGE=1

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/tools/check_asserts.py tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS) build --strict --quiet

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m tools.reference

site: $(VENV)/.dev
	$(MKDOCS) build --strict --quiet
	@echo "To read it: $(PYTHON) -m http.server --directory build/site --bind 127.0.0.1"

# One script for each kind of picture, so that a new one needs no change here.
captures: $(VENV)/.dev
	@for script in tests/tools/*_images.py; do $(BIN)/python $$script docs/images || exit 1; done

bench: $(BENCH_VENV)/.bench
	$(BENCH_VENV)/bin/python tests/tools/system_packages.py bench
	$(BENCH_VENV)/bin/python -m benchmarks peers --json benchmarks/results/peers.json --chart benchmarks/results/peers.svg $(BENCH)

soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak $(SOAK)

fuzz: $(VENV)/.fuzz
	PYTHONPATH=tests:tests/contracts $(BIN)/python -m fuzz $(FUZZ)

constraints: | $(BIN)/python
	$(PYTHON) -m venv --clear $(VENV)-constraints
	$(VENV)-constraints/bin/python $(PIP_INSTALL) --editable '.[test,lint,docs]'
	$(VENV)-constraints/bin/python -m pip freeze --exclude-editable > constraints/dev.txt
	rm -rf $(VENV)-constraints

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(BENCH_VENV)-* dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
