# Everything a fresh Debian or Ubuntu with Python 3.11 needs is installed from here.
# `make run` and `make test` are the two commands; the rest are parts of them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Whoever forbids Python to keep bytecode would compile every test and every server anew each time.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
PACKAGES := chromium strace gcc libc6-dev openssl

.PHONY: run setup test check bench contracts lock clean

run: $(VENV)/.run
	@$(BIN)/hubbub serve --dev

setup: $(VENV)/.dev system-packages

# The three stamps stand for three sets of locked packages, each holding the one before.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hubbub needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/system-packages python3-venv
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/uv
	@test -e $(VENV)/.dev || $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements-dev.lock
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@ $(VENV)/.run
	@rm -f $(VENV)/.bench

$(VENV)/.bench: requirements-bench.lock pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements-bench.lock
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@ $(VENV)/.dev $(VENV)/.run

.PHONY: system-packages
system-packages:
	@scripts/system-packages $(PACKAGES)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(PYTEST) -q -n auto --dist loadfile -m "not system"

test: setup check
	@$(PYTEST) -q -m system

bench: $(VENV)/.bench
	@scripts/system-packages gcc libc6-dev
	@$(BIN)/python -m bench.run

contracts: $(VENV)/.dev
	@$(BIN)/python scripts/contracts.py

lock: | $(BIN)/uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  --group dev --constraints requirements.lock pyproject.toml --output-file requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  --group dev --group bench --constraints requirements-dev.lock pyproject.toml --output-file requirements-bench.lock

clean:
	@rm -rf $(VENV) dist bench/build bench/results .pytest_cache .mypy_cache .ruff_cache
