# The two commands of the README. Each does all the set-up it needs, virtual environment included.
#
#   make profile [MODEL=abbnn] [TARGET=fpga]    what a network costs, per layer and in total
#   make test    [TESTS=tests/ledger]           the test suite
#
# And next to them:
#
#   make lint                                   style, types, layers, dependencies
#   make data                                   what is derived from the sources and out of date, made again
#   make data-check                             what is out of date, and by which change
#   make mutants                                do the tests catch faults that are made on purpose?
#   make docs                                   the documentation site, in build/site: tutorials run, links checked
#   make reports [OUT=build/reports]            reports of the shipped reference results, as PDF

PYTHON    ?= python3
VENV      ?= .venv
MODEL     ?= abbnn
TARGET    ?= fpga
TESTS     ?=
# For instance PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu", to keep CUDA off the disk on Linux.
PIP_FLAGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --constraint constraints.txt

.PHONY: help profile reports docs data data-check test lint format bench mutants constraints clean

help:
	@sed -n '3,4s/^# *//p' Makefile

profile: $(VENV)/.installed
	@$(BIN)/costmodel profile $(MODEL) --target $(TARGET)

# One date for all of them, so that a second run gives the same bytes: that of the last commit.
OUT         ?= build/reports
REPORT_DATE ?= $(shell git log -1 --format=%cs 2>/dev/null || date -u +%F)
REPORT      := $(BIN)/costmodel report --date $(REPORT_DATE)

reports: $(VENV)/.installed-test
	@mkdir -p $(OUT)
	@$(REPORT) --model abbnn --model reactnet18 --target fpga --target arm --target asic -o $(OUT)/abbnn-reactnet18.pdf
	@$(REPORT) --model abbnn-reactneta --model bn-reactneta --target arm --target asic-7nm -o $(OUT)/reactneta.pdf
	@$(REPORT) --model cnv-w1a1 --target fpga -o $(OUT)/cnv-w1a1.pdf
	@$(REPORT) --target fpga --target arm --target asic -o $(OUT)/targets.pdf
	@$(REPORT) --kind validation -o $(OUT)/validation.pdf

# Strict: a cell of a tutorial that fails, or a link that leads nowhere, is an error.
docs: $(VENV)/.installed
	@$(PIP) --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "build/site/index.html"

# Tables, profiles, fronts and documents that are derived from the sources and shipped: tools/data.py says from which.
data: $(VENV)/.installed-test
	@$(BIN)/python -m tools.data

data-check: $(VENV)/.installed-test
	@$(BIN)/python -m tools.data --check

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest $(TESTS)

# arch_specs, dashboard and reports are installed inside of costmodel. mypy and import-linter read no such mapping, only
# folders: they get the tree as it is installed, made of links.
TOPS  := arch_specs dashboard reports
TYPED := build/typed
LINKS := $(filter-out $(TOPS:%=costmodel/%),$(wildcard costmodel/*)) $(TOPS)

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@rm -rf $(TYPED) && mkdir -p $(TYPED)/costmodel
	@ln -s $(LINKS:%=$(CURDIR)/%) $(TYPED)/costmodel/
	@cd $(TYPED) && PYTHONPATH=. $(abspath $(BIN))/lint-imports --no-logo --no-cache $(CURDIR)/pyproject.toml
	@$(BIN)/deptry costmodel $(TOPS)
	@cd $(TYPED) && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache

format: $(VENV)/.installed-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	@$(PIP) ptflops torchinfo calflops transformers
	@$(BIN)/python benchmarks/counters.py
	@$(BIN)/python benchmarks/cached.py
	@$(BIN)/python benchmarks/report.py

# Hours, at a fault in some ten seconds.
MUTANTS ?=
mutants: $(VENV)/.installed-test
	@$(PIP) cosmic-ray
	@$(BIN)/python -m tools.mutants $(MUTANTS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "costmodel needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml setup.py constraints.txt | $(BIN)/python
	@echo "installing costmodel into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml setup.py constraints.txt | $(BIN)/python
	@echo "installing costmodel[test] into $(VENV)"
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

# The versions that the tests passed with. The local part (+cpu) would tie the file to one build of torch.
constraints: $(VENV)/.installed-test
	@$(BIN)/python -m pip freeze --exclude-editable | sed -E '/ @ /d; s/\+[a-z0-9.]+$$//' > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
