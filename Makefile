# One command for each habit. The first one that is called sets up $(VENV).
#   make demo   a bundled sample, from failure to cause, fix and repro
#   make test   everything that needs no GPU
#   make lint   ruff and mypy
#   make docs   the documentation as a site, site/index.html, without the network
#   make vendor the libraries of report.html, fetched anew by npm
#   make bench  the benchmarks in bench/, beside those of the peers
# PYTHON=... chooses the Python, VENV=... the environment, ARGS=... goes to pytest.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BINDINGS := $(VENV)/.bindings
EXTENSIONS := $(patsubst %/pyproject.toml,%,$(wildcard extensions/*/pyproject.toml))

# The first Python that really runs: a version manager's shim may be there and fail.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.10 python3.13 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null </dev/null && echo $$python && break; done)

.PHONY: help demo test lint docs vendor bench setup clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(STAMP)
	@$(BIN)/trtdebug demo

test: $(STAMP) $(BINDINGS)
	@$(BIN)/python -m pytest -m "not gpu" -n 2 --dist worksteal $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict && echo site/index.html

bench: $(STAMP)
	@for file in bench/[a-z]*.py; do echo "$$file"; $(BIN)/python "$$file" || exit 1; done

vendor:
	bash trtdebug/report/html/assets/vendor/build.sh

setup: $(STAMP) $(BINDINGS)

$(STAMP): pyproject.toml $(addsuffix /pyproject.toml,$(EXTENSIONS))
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 with venv found; name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cpu,dev]' $(addprefix -e ./,$(EXTENSIONS))
	@touch $@

# TensorRT's Python bindings and TensorRT-RTX, for the contract tests: 100 MB. They skip without, and fail in CI. SARIF's
# schema: its tests skip without it.
$(BINDINGS): $(STAMP) tests/support/bindings.py tests/support/browser.py tests/support/sarif_schema.py
	@$(BIN)/python tests/support/browser.py || echo "No Chromium: report.html is not tested in a browser." >&2
	@$(BIN)/python tests/support/sarif_schema.py || echo "No schema of SARIF." >&2
	@$(BIN)/python tests/support/bindings.py && touch $@ || echo "No TensorRT bindings for this Python or platform." >&2

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
