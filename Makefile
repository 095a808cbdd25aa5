# Two commands for a newcomer: make demo, make test. Both need only Python 3.10 or newer.
# make docs builds the site.

PYTHON ?= python3
VENV := .venv
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
CORE := $(VENV)-core/$(SCRIPTS)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
PIP := $(BIN)/python $(PIP_INSTALL)
DIST_LIMIT := 25000000  # bytes of a wheel or an sdist, most of them the models
WEB := web/src web/page $(wildcard web/element)
SOURCES := pyproject.toml $(shell find src $(WEB) -type f -not -name '*.pyc')
PLAYWRIGHT := 'playwright>=1.49'

.PHONY: demo test lint docs benchmark clean

demo: $(VENV)/core  ## compress the sample photographs into demo/
	$(BIN)/python -m benchmarks.figures.demo

test: $(VENV)/test  ## install what the tests need, run them all
	@# a process a core, no threads beside it
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(PYTEST_OPTIONS)

.PHONY: browser
browser: $(VENV)/test  ## what drives a browser in the tests of the page; they need Chromium, too
	$(PIP) $(PLAYWRIGHT)

.PHONY: collections
collections: $(VENV)/test  ## what the tests of data sets, stores and clusters need, else skipped
	$(PIP) --constraint tests/constraints.txt '.[test-collections]'

.PHONY: core-test
core-test: $(VENV)-core/test  ## the tests that need no torch, beside the core and pytest alone
	OMP_NUM_THREADS=1 $(CORE)/python -m pytest -n auto $(PYTEST_OPTIONS)

SANITIZE ?= address,undefined
.PHONY: sanitize
sanitize: $(VENV)/test  ## the C libraries under GCC's sanitizers; SANITIZE=thread: data races
	OMP_NUM_THREADS=1 $(BIN)/python tests/sanitized.py $(SANITIZE)

benchmark: $(VENV)/bench  ## Kodak with every codec, and its page; goes on where it was stopped
	$(BIN)/latentpress bench --dataset kodak --points 6 --repeats 1 -o results/benchmark \
		--codecs builtin,sd15,jpeg,jpeg444,webp,avif,avif4,jxl,heic,png,webp-lossless \
		--qualities builtin=0,15,30,45,60,75,90,100 --qualities sd15=0,15,30,50,75 \
		--model sd15=madebyollin/taesd
	$(BIN)/latentpress report results/benchmark -o docs/measurements/codecs-on-kodak.md --overwrite
	$(BIN)/latentpress report results/benchmark -o results/benchmark/report.html --overwrite
	$(BIN)/python -m benchmarks.results_index --measured results/benchmark

CID22 := cid22-validation
.PHONY: benchmark-cid22
benchmark-cid22: $(VENV)/bench  ## photographs of CID22 in the folder CID22, and their page
	$(BIN)/latentpress bench $(CID22) --points 6 --repeats 1 -o results/cid22 \
		--codecs builtin,jpeg,webp,avif,jxl --qualities builtin=0,15,30,45,60,75,90,100
	$(BIN)/latentpress report results/cid22 -o docs/measurements/codecs-on-cid22.md --overwrite
	$(BIN)/python -m benchmarks.results_index --measured results/cid22

lint: $(VENV)/test docs  ## ruff, mypy, the layers, and the site without a warning
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: dist check-dist
dist: $(VENV)/dist  ## build a wheel and an sdist, check them, use the wheel in an empty environment
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	@$(MAKE) --no-print-directory check-dist
	@empty=$$(mktemp -d) && trap 'rm -rf "$$empty"' EXIT \
		&& $(PYTHON) -m venv "$$empty" && cp tests/use_installed.py "$$empty" \
		&& "$$empty/$(SCRIPTS)/python" $(PIP_INSTALL) dist/*.whl \
		&& cd "$$empty" && $(SCRIPTS)/python use_installed.py

check-dist: $(VENV)/dist  ## the sizes and the descriptions of what lies in dist/
	@ls -l dist
	@large=$$(find dist -type f -size +$(strip $(DIST_LIMIT))c) && test -z "$$large" \
		|| { echo "above $(strip $(DIST_LIMIT)) bytes: $$large"; exit 1; }
	$(BIN)/python -m twine check --strict dist/*

.PHONY: web
web: $(VENV)/core  ## build the page into web/dist: a folder for any static host, and one HTML file
	$(BIN)/python -m latentpress.web.static web/dist

docs: $(VENV)/docs  ## build the site into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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

$(VENV)/dist: $(VENV)/python
	$(PIP) build twine
	@touch $@

$(VENV)-core/test: $(SOURCES)
	$(PYTHON) -m venv $(VENV)-core
	$(CORE)/python $(PIP_INSTALL) '.[test-core]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(PIP) '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-core demo build dist site web/dist
