# make demo    install into .venv and run a search
# make test    the same environment with the test extras: lint, types, the whole suite
# make test-lowest  the suite with the lowest versions that pyproject.toml promises, in .venv-lowest
# make docs    the site, from docs/, README and documentation strings, into build/site
# make wheel   what strangers install, into dist/, and the tests of it
# make api     write docs/api.md, the public surface, from the modules
# make operators  write docs/operators.md, what becomes of each operator of ONNX
# make format  rewrite the code as ruff wants it
# make clean   remove what make made
#
# PYTHON=python3.12 picks the interpreter; PIP_ARGS="..." goes to pip; ARGS="..." goes to the demo or to pytest.

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
BIN := .venv/bin
# Neighbours in the order of the files stay on one process, which keeps what a module's tests share.
PYTEST = pytest --numprocesses logical --maxprocesses 8 --dist worksteal --durations 10
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

.PHONY: demo test test-lowest lint docs wheel api operators format clean

demo: .venv/installed
	$(BIN)/archpredict search --strategy ctnas --space darts $(ARGS)

test: lint
	$(BIN)/$(PYTEST) $(ARGS)

test-lowest: .venv-lowest/installed
	.venv-lowest/bin/$(PYTEST) $(ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

wheel: .venv/installed-test
	rm -rf build/lib dist  # former builds' files would come along
	$(BIN)/python -m build --no-isolation
	$(BIN)/pytest tests/test_wheel.py $(ARGS)

api: .venv/installed-test
	$(BIN)/python docs/make_api.py > docs/api.md

operators: .venv/installed-test
	$(BIN)/python docs/make_operators.py > docs/operators.md

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
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

.venv/installed-docs: .venv/installed
	$(INSTALL) -e '.[docs]'
	touch $@

.venv-lowest/installed: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tests/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install -qq -c .venv-lowest/constraints.txt $(PIP_ARGS) -e '.[images,parquet,test]'
	touch $@
