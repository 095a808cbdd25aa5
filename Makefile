# Two commands for a newcomer: make demo, make test. Both need only Python 3.10 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := pyproject.toml $(shell find src -type f -not -name '*.pyc')

.PHONY: demo test lint benchmark clean

demo: $(VENV)/core  ## compress the sample photographs into demo/
	$(BIN)/python -m benchmarks.figures.demo

test: $(VENV)/test  ## install what the tests need, run them all
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(PYTEST_OPTIONS)  # a process a core, no threads beside it

benchmark: $(VENV)/bench  ## Kodak with every codec -> results/benchmark, docs/measurements/codecs-on-kodak.md; goes on where it was stopped
	$(BIN)/latentpress bench --dataset kodak --codecs builtin,sd15,jpeg,jpeg444,webp,avif,avif4,jxl,heic,png,webp-lossless --points 6 \
		--qualities builtin=0,15,30,45,60,75,90,100 --qualities sd15=0,15,30,50,75 --model sd15=madebyollin/taesd --repeats 1 -o results/benchmark
	$(BIN)/latentpress report results/benchmark -o docs/measurements/codecs-on-kodak.md --overwrite
	$(BIN)/latentpress report results/benchmark -o results/benchmark/report.html --overwrite
	$(BIN)/python -m benchmarks.results_index --measured results/benchmark

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/core: $(VENV)/python $(SOURCES)
	$(PIP) .
	@touch $@

$(VENV)/bench: $(VENV)/core
	$(PIP) '.[bench,sd]' pillow-heif
	@touch $@

$(VENV)/test: $(VENV)/core tests/constraints.txt
	$(PIP) --constraint tests/constraints.txt '.[sd,bench,formats,train,test,lint]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist
