# make demo    install into .venv and run a search
# make test    the same environment with the test extras: lint, types, the whole suite
# make format  rewrite the code as ruff wants it
# make clean   remove what make made
#
# PYTHON=python3.12 picks the interpreter; PIP_ARGS="..." goes to pip; ARGS="..." goes to the demo or to pytest.

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

.PHONY: demo test lint format clean

demo: .venv/installed
	$(BIN)/archpredict search --strategy ctnas --space darts $(ARGS)

test: lint
	$(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist worksteal --durations 10 $(ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: made last, so that an interrupted installation is taken up again.
.venv/installed: pyproject.toml constraints.txt
	@echo "Installing archpredict into .venv, which takes a minute or two"
	$(PYTHON) -m venv .venv
	$(INSTALL) -e .
	touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) -e '.[dgl,test]'
	touch $@
