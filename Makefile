# Every target sets up what it needs: `make test` in a fresh clone is enough.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first of these that runs: a name may be a shim for a version that is not installed.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/.installed

# A distribution joins by being there.
PROJECTS := $(wildcard plugins/*/pyproject.toml)
DISTRIBUTIONS := $(patsubst %/pyproject.toml,%,$(PROJECTS))
# Plugins as partners would write them, so that every test runs beside somebody else's. The other distributions in
# tests/dists/ are broken on purpose and are installed for a single test.
FOREIGN := $(patsubst %/,%,$(wildcard tests/dists/crm-partner-*/))

# Per cent of the kernel's branches and lines that a full run of the tests must reach.
COVERAGE_MIN ?= 96
# `make test TESTS=tests/test_fields.py PYTEST_ARGS=-x` runs a part, and asks no coverage of it.
TESTS ?=
PYTEST_ARGS ?=
# One more than processors, as some tests wait for processes that they start; each worker reads all tests by itself.
WORKERS ?= $(shell echo $$((1 + $$(nproc 2>/dev/null || echo 1))))

# Long tests are first, and workers are given tests in rows of this length: see conftest.py.
DISTRIBUTED := -n $(WORKERS) --maxschedchunk=16
# Hundreds of processes are started; where Python may not write what it has compiled, each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

# Two runs of make in one tree must not install at once.
LOCK := $(if $(shell command -v flock),flock .venv.lock)

define NO_PYTHON
crm-core needs Python 3.11, 3.12 or 3.13, and none of them was found. On Debian 12 run
`apt install python3 python3-venv`; elsewhere name one: `make PYTHON=/path/to/python3.12 ...`.
endef
define NO_VENV
$(PYTHON) cannot make a virtual environment: its modules venv and ensurepip are not installed. On Debian
and Ubuntu run `apt install python3-venv` and then make again, or name another Python: `make PYTHON=...`.
endef
export NO_PYTHON NO_VENV

.PHONY: help
help:
	@echo "make demo             see the CRM at work on a demo company"
	@echo "make test             all tests on SQLite, with branch coverage (TESTS=... for a part)"
	@echo "make test-postgresql  the tests that touch a database, on PostgreSQL"
	@echo "make lint             style, types, layers; make format mends the style"
	@echo "make bench            measure, side by side with raw SQLAlchemy and with peers"
	@echo "make bench-peers      the same jobs beside Django, Tryton and Creme CRM, each installed into .peers/"
	@echo "make bench-growth     the same pages among ten thousand accounts, a hundred thousand, a million"
	@echo "make bench-duplicates precision and recall of the match keys, where the truth is known"
	@echo "make torture          kill it, fill its disk, let many write, ask it everything; count what was lost"
	@echo "make mutation         change the kernel in small ways (ONLY=... for a part); tests must notice"
	@echo "make downstream       the suite of every plugin, each with nothing but what it requires"
	@echo "make docs             build the documentation into docs/_build/html"
	@echo "make clean            remove all that the other targets have made"

.PHONY: .venv
.venv: $(STAMP)

# --no-build-isolation: a dozen editable distributions would each install setuptools into a folder of its own.
# PYTHONWARNINGS: setuptools warns of every editable installation that it is one.
$(STAMP): constraints.txt pyproject.toml setup.cfg $(PROJECTS) $(FOREIGN:=/pyproject.toml)
	@test -n "$(PYTHON)" || { printf '%s\n' "$$NO_PYTHON"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { printf '%s\n' "$$NO_VENV"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv:" crm-core $(notdir $(DISTRIBUTIONS) $(FOREIGN))
	@$(LOCK) $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --upgrade pip setuptools
	@PYTHONWARNINGS=ignore $(LOCK) $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --no-build-isolation \
		--group dev --group docs --group bench --group mutation \
		--editable '.[postgresql]' $(addprefix --editable ,$(addprefix ./,$(DISTRIBUTIONS) $(FOREIGN)))
	@touch $@

.PHONY: demo
demo: $(STAMP)
	$(BIN)/crm demo

.PHONY: test
ifeq ($(strip $(TESTS)),)
test: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(DISTRIBUTED) $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=$(COVERAGE_MIN)
else
test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS) $(TESTS)
endif

# Each worker reads all tests by itself; what pytest makes of them is kept, so that only the first time takes long. What is
# wrong with them is told by the run itself.
.PHONY: read-tests
read-tests: $(STAMP)
	$(BIN)/python -m pytest --collect-only --quiet --quiet >/dev/null || true

.PHONY: test-postgresql
test-postgresql: $(STAMP)
	$(BIN)/python -m pytest $(DISTRIBUTED) -m store --postgresql $(PYTEST_ARGS) $(TESTS)

# Its parts need each other not: `make --jobs=2 lint`.
.PHONY: lint lint-style lint-security lint-types lint-layers
lint: lint-types lint-security lint-layers lint-style

lint-style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-security: $(STAMP)
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml crm_core plugins torture

lint-types: $(STAMP)
	$(BIN)/mypy crm_core torture benchmarks $(wildcard tests/typing) $(wildcard plugins/*/crm_*) \
		$(foreach folder,$(FOREIGN),$(wildcard $(folder)/crm_*))

lint-layers: $(STAMP)
	$(BIN)/lint-imports
	$(BIN)/python downstream/public_api.py

.PHONY: downstream
downstream: $(STAMP)
	$(BIN)/python downstream/suites.py

.PHONY: format
format: $(STAMP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMP)
	$(BIN)/python -m benchmarks.ratios

# Installs the others from the package index. A smaller run: `.venv/bin/python -m benchmarks.peers --help`.
.PHONY: bench-peers
bench-peers: $(STAMP)
	$(BIN)/python -m benchmarks.peers

# Takes twenty minutes or more, and some fifteen gigabytes, which it gives back. `.venv/bin/python -m benchmarks.growth --help`.
.PHONY: bench-growth
bench-growth: $(STAMP)
	$(BIN)/python -m benchmarks.growth

# Needs the FEBRL sets, in CRM_SHARED_DATA. To keep the table: `.venv/bin/python -m benchmarks.duplicates --markdown`.
.PHONY: bench-duplicates
bench-duplicates: $(STAMP)
	$(BIN)/python -m benchmarks.duplicates

# Takes long. One program, or a smaller run: `.venv/bin/python -m torture --help`.
.PHONY: torture
torture: $(STAMP)
	$(BIN)/python -m torture all

# Changes the kernel in small ways; tests must notice. `make mutation ONLY=crm_core/expressions/scan.py` tries a part.
ONLY ?=
.PHONY: mutation
mutation: $(STAMP)
	$(BIN)/python -m torture mutation $(addprefix --only ,$(ONLY))

.PHONY: docs
docs: $(STAMP)
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

.PHONY: clean
clean:
	rm -rf .venv .venv.lock .nox .peers .coverage .coverage.* htmlcov build dist docs/_build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
