# Everything is installed into .venv, at the versions of constraints.txt. PYTHON names the interpreter to make it with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
IMAGES ?=
RUN ?=
# CORE=1: without torch and the weights of a model; what is shown in an image is then not known.
CORE ?=

.PHONY: run test test-slow test-gpu check clean

run: $(VENV)/ready$(if $(CORE),-core)
ifeq ($(IMAGES),)
	test -d runs/demo-images || $(BIN)/pixsieve demo runs/demo-images
	$(BIN)/pixsieve run runs/demo-images --out "$(or $(RUN),runs/demo)"
else
	$(BIN)/pixsieve run "$(IMAGES)" $(if $(RUN),--out "$(RUN)")
endif

test: $(VENV)/ready-test
	$(BIN)/python -m pytest

test-slow: $(VENV)/ready-test
	$(BIN)/python -m pytest -m slow --timeout 0

test-gpu:
	python -m pytest -m gpu

# The type checker follows no package-dir: it sees the package by its name through links.
check: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf $(VENV)/types && mkdir -p $(VENV)/types/pixsieve
	ln -s $(CURDIR)/pipeline/* $(CURDIR)/kernels $(VENV)/types/pixsieve
	MYPYPATH=$(VENV)/types $(BIN)/mypy

$(VENV)/ready-core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/ready: $(VENV)/ready-core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[models]"
	touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
