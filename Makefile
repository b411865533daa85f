# Each target does its own set-up: a .venv from the exact pins in envs/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
# Looked up before PATH begins with the environment that it may have to replace.
BASE_PYTHON := $(shell command -v $(PYTHON))
VENV ?= .venv
PYTEST_ARGS ?=
BENCH_ARGS ?=
CORES ?= 2
# Whose instructions: make test-processors CAPABILITY=avx2 (default: those all have)
CAPABILITY ?= default
# Whose report: make report CONFIG=config/small.yaml
CONFIG ?= config/config.yaml

# Waiting threads must sleep: spinning ones starve the other process on two cores.
export OMP_WAIT_POLICY := passive
export GOMP_SPINCOUNT := 0
export PATH := $(abspath $(VENV))/bin:$(PATH)

# A stamp carries the hash of its pins, so that changed pins are installed again.
pins = $(shell cat $(1) | cksum | cut -d' ' -f1)
RUN := $(VENV)/.run-$(call pins,envs/requirements.txt envs/requirements.lock)
DEV := $(VENV)/.dev-$(call pins,envs/requirements.txt envs/requirements-dev.txt)
SMALL := $(VENV)/.small-$(call pins,envs/requirements.txt envs/requirements-small.txt)
# Not in the environment itself: torch and bitsandbytes would find it and behave otherwise.
KERNELS := $(VENV)/kernels-$(call pins,envs/requirements-kernels.txt)
# Not in the environment either: it would bring other versions of what is pinned.
HARNESS := $(VENV)/harness-$(call pins,envs/requirements-harness.txt)
INSTALL = pip install --disable-pip-version-check --quiet
# A Snakemake start takes 2 s with compiled modules and 7 s without. Some packages ship
# files that are no valid Python; they are never imported.
COMPILE = python -m compileall -q $(VENV)/lib > /dev/null || true

.PHONY: help setup demo laptop small check plan report reference pictures bench test coverage test-processors test-slurm test-kernels test-harness lint format clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' \
	| while IFS=$$'\t' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

setup: $(RUN) ## only set up .venv (then: source .venv/bin/activate)

demo: $(RUN) ## the whole study on an artificial world: minutes on two cores
	@python profiles/demo/warm_start.py --quiet rules --profile profiles/demo \
	  --cores $(CORES) --configfile config/demo.yaml
	@cat results/demo/tables/xnli.md
	@printf '%s\n' '' \
	  'results/demo/report.html        verdicts, all tables and figures: open it' \
	  'results/demo/tables/xnli.tsv    every row with interval, test and control' \
	  'results/demo/tables/xnli.md     the table above' \
	  'results/demo/tables/amplification.md   neurons that steer, and some that do not' \
	  'results/demo/figures/           SVG, PNG and the data behind each' \
	  'results/neurons/demo/           the neurons: method.language_set.json' \
	  'results/demo/evaluations/       predictions item by item (.parquet)' \
	  '<file>.provenance.json          how a file was made; logs/ has the logs' \
	  'README.md                       how to read all this'

laptop: $(RUN) ## a real model (Qwen 2.5 0.5B) on real text, all fetched from the hub
	@snakemake --quiet rules --profile profiles/demo --cores $(CORES) \
	  perplexity --configfile config/laptop.yaml
	@cat results/laptop/tables/perplexity.md
	@echo 'That was whose text suffers when whose neurons are off. Now the choices.'
	@snakemake --quiet rules --profile profiles/demo --cores $(CORES) \
	  --configfile config/laptop.yaml
	@cat results/laptop/tables/xcopa.md
	@echo 'results/laptop/report.html has the verdicts, all tables and figures'

small: $(SMALL) ## a real model (Gemma 3 270M) on real text; needs data/, see README.md
	@sed -n 's/^# \{0,1\}//p' envs/requirements-small.txt
	@test -d data || { echo 'make small: no folder data/; config/small.yaml' \
	  'says what goes there (a link will do)' >&2; exit 1; }
	@snakemake --quiet rules --profile profiles/demo --cores $(CORES) \
	  --configfile config/small.yaml
	@cat results/small/tables/xnli.md
	@echo 'results/small/report.html has the verdicts, all tables and figures'

check: $(RUN) ## read a configuration and say what is wrong with it (CONFIG=...)
	@PYTHONPATH=workflow/scripts python -m langneurons.study.configuration $(CONFIG)

plan: $(RUN) ## what a grid will cost, and has cost so far (CONFIG=...)
	@snakemake plan_costs --quiet rules progress --cores 1 --configfile $(CONFIG)

report: $(RUN) ## the report of what is there (CONFIG=...); nothing else is computed
	@snakemake build_report --allowed-rules build_report --forcerun build_report \
	  --quiet rules --cores 1 --configfile $(CONFIG) \
	  --config report=existing

reference: $(RUN) ## docs/keys.md, docs/terms.md, columns in docs/library.md, the schema for editors
	@PYTHONPATH=workflow/scripts python -m langneurons.study.references

pictures: $(RUN) ## pictures of README.md, from results/demo; needs Chromium
	@python docs/pictures/take.py results/demo

bench: $(RUN) ## benchmarks of the library: ten minutes on two idle cores (BENCH_ARGS=...)
	@PYTHONPATH=$(abspath $(HARNESS)) python -m benchmarks $(BENCH_ARGS)

test: $(DEV) ## all tests but those on Slurm
	@OMP_NUM_THREADS=1 pytest -n $(CORES) --dist loadfile --no-loadscope-reorder \
	  -m "not slurm" $(PYTEST_ARGS)

coverage: ## the same tests, and which lines of the library they run: half as long again
	@$(MAKE) test PYTEST_ARGS='--cov --cov-report=term --cov-fail-under=85 $(PYTEST_ARGS)'

test-processors: $(DEV) ## the demo's truth as another processor computes it (CAPABILITY=...)
	@rm -rf .cache/processors
	@python tests/e2e/demo_runs.py .cache/processors $(CAPABILITY)
	@LANGNEURONS_DEMO=.cache/processors pytest tests/e2e/test_demo_truth.py $(PYTEST_ARGS)

test-slurm: $(DEV) ## on a real Slurm that the tests bring up; installs it (Debian, as root)
	@tests/slurm/install.sh
	@LANGNEURONS_COMPLETE=1 OMP_NUM_THREADS=1 pytest -n 3 --dist loadgroup -m slurm \
	  tests/slurm $(PYTEST_ARGS)

test-kernels: $(DEV) ## the recorder's GPU kernels, interpreted and compiled, without a GPU
	@test -d $(KERNELS) || $(INSTALL) --no-deps --target $(KERNELS) \
	  -r envs/requirements-kernels.txt
	@LANGNEURONS_COMPLETE=1 PYTHONPATH=$(abspath $(KERNELS)) \
	  pytest tests/unit/test_kernels.py $(PYTEST_ARGS)

test-harness: $(DEV) ## likelihoods of tasks against lm-evaluation-harness, item by item
	@test -d $(HARNESS) || $(INSTALL) --no-deps --target $(HARNESS) \
	  -r envs/requirements-harness.txt
	@LANGNEURONS_COMPLETE=1 PYTHONPATH=$(abspath $(HARNESS)) \
	  pytest tests/unit/test_harness.py $(PYTEST_ARGS)

lint: $(DEV) ## style, types and Snakemake's own checks
	@ruff check .
	@ruff format --check .
	@snakefmt --check Snakefile workflow/rules
	@mypy
	@PYTHONPATH=workflow/scripts lint-imports --no-cache
	@PYTHONPATH=workflow/scripts python -m langneurons.study.references --check
	@snakemake --lint
	@snakemake --lint --configfile config/demo.yaml

format: $(DEV) ## rewrite the sources in the project's style
	@ruff check --fix .
	@ruff format .
	@snakefmt Snakefile workflow/rules

clean: ## remove the environment and caches; results stay
	@rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

$(RUN):
	@test -n '$(BASE_PYTHON)' || { echo 'make: $(PYTHON) not found;' \
	  'the pins are for Python 3.11 (make PYTHON=/path/to/python3.11)' >&2; exit 1; }
	@test ! -L $(VENV) || { echo 'make: $(VENV) is a link to an environment with' \
	  'other pins; remove the link, or set VENV=/path/of/a/folder' >&2; exit 1; }
	@echo 'Setting up $(VENV): about 2 GB, some minutes, once'
	@$(BASE_PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) --constraint envs/requirements.txt "$$(grep ^torch envs/requirements.txt)"
	@$(INSTALL) --no-deps --require-hashes -r envs/requirements.lock
	@$(COMPILE)
	@touch $@

$(DEV): $(RUN)
	@echo 'Adding the tools for tests and checks to $(VENV)'
	@$(INSTALL) -r envs/requirements-dev.txt
	@$(COMPILE)
	@touch $@

$(SMALL): $(RUN)
	@sed -n 's/^# \{0,1\}//p' envs/requirements-small.txt
	@echo 'Adding these packages to $(VENV)'
	@$(INSTALL) -r envs/requirements-small.txt
	@touch $@
