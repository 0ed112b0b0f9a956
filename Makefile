# Everything sets itself up: Python 3.11, make and the package registry are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: help setup demo test proof lint audit bench lock clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ —/'

# uv is taken where it is; else it gets a small environment of its own, so that nothing is installed
# into the Python of the machine.
# Libraries are compiled once here: where PYTHONDONTWRITEBYTECODE is set, as in many containers, each
# process would else compile PyTorch, Prefect and all others anew, some 6 s of a core.
# The stamp is made anew when what is to be installed changes.
$(VENV)/.ready: requirements.lock pyproject.toml
	@set -e; UV="$$(command -v uv || true)"; \
	  if [ -z "$$UV" ]; then \
	    test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet uv; }; \
	    UV=.uv/bin/uv; \
	  fi; \
	  test -x $(RUN)/python || $$UV venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV); \
	  $$UV pip sync --quiet --compile-bytecode --python $(RUN)/python --require-hashes requirements.lock; \
	  $$UV pip install --quiet --python $(RUN)/python --no-deps --editable .
	@touch $@

setup: $(VENV)/.ready  ## a virtual environment in .venv with exactly the locked versions

demo: $(VENV)/.ready  ## builds a small dataset in ./demo, against services on this machine
	$(RUN)/terrapair demo --root demo

# Files are handed out in the order of their names. Else those with few tests came last, which are
# the long ones, and one core would have nothing to do; those of the sandbox are short. Three
# processes for two cores: a quarter of a test's time is waiting for servers.
test: $(VENV)/.ready  ## the test suite
	$(RUN)/python -m pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

proof: $(VENV)/.ready  ## trains on a dataset's pairs and asks about ground that was not seen: are the pairs right?
	$(RUN)/python -m pytest tests/benchmarks/test_graft.py -q -s -m benchmark

lint: $(VENV)/.ready  ## style, types and who may import whom
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache

audit: $(VENV)/.ready  ## known vulnerabilities of the locked versions; says so where nobody can be asked
	$(RUN)/python .ci/audit.py

bench: $(VENV)/.ready  ## measurements as lines of JSON; NAME=… for one of them
	$(RUN)/python -m pytest tests/benchmarks tests/flows/test_many_machines.py tests/flows/test_pages.py -q -s -m benchmark $(if $(NAME),-k $(NAME))

lock:  ## resolves requirements.lock anew: versions and hashes, no addresses
	$$(command -v uv || echo .uv/bin/uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .uv demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
