# make demo    the device console on http://127.0.0.1:8000, in an environment of its own
# make test    everything: linters, types, docs, tests on both Pythons and on the emulated Pico
# make quick   only the portable tests
# make lint, make docs, make bench, make clean   what they say
#
# Each needs nothing but Python 3.10+ and make; the rest is set up on first use, inside .venv.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000

.PHONY: help demo setup board valkey test quick lint docs bench clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo:
	@$(PYTHON) tools/setup.py demo
	@cd examples/console && HOST=$(HOST) PORT=$(PORT) exec ../../$(RUN)/python main.py

setup:
	@$(PYTHON) tools/setup.py test

# The emulated Pico: its firmware is built once and kept in a cache folder.
board: setup
	@$(RUN)/python -m tests.board.setup

# Where this machine has no Valkey, one is built once and kept in the same folder.
valkey: setup
	@$(RUN)/python -m tests.stores.valkey

test: setup lint docs valkey board
	$(RUN)/python -m pytest

quick: setup
	$(RUN)/python -m pytest tests/portable

lint: setup
	$(RUN)/ruff check .
	$(RUN)/mypy

docs: setup
	$(RUN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: board
	$(RUN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
