# The front door: needs Python 3.11 to 3.13, make and git. `make` alone lists the commands.

PYTHON ?= python3
CORES ?= 2
PGA_ENV ?=
ARGS ?=
EXPERIMENT ?= quick

VENV = .venv
ENVIRONMENT = $(or $(PGA_ENV),$(CURDIR)/$(VENV)/bin)
IN_ENVIRONMENT = PATH="$(ENVIRONMENT):$$PATH"
PIP = "$(VENV)/bin/python" -m pip --disable-pip-version-check install
LOCKED = --require-hashes --no-deps
OURS = -e . -e workflow/command

.PHONY: help env quick repro pull push test kills lint docs lock clean

help: ## list the commands
	@echo 'make COMMAND [VARIABLE=VALUE ...]'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  PYTHON=python3  the Python that the environment is made with'
	@echo '  CORES=2         how many processes run at once'
	@echo '  PGA_ENV=        bin folder of an environment that you keep yourself, used instead of $(VENV)'
	@echo "  ARGS=           more arguments for pytest or snakemake, e.g. make test ARGS='-k losses'"

quick: env ## make every table, figure and the report of the quick experiment (minutes, nothing is downloaded)
	$(IN_ENVIRONMENT) snakemake quick --cores $(CORES) $(ARGS)

repro: env ## make an experiment by DVC, which versions it (EXPERIMENT=quick or another file of params/, e.g. EXPERIMENT=paper)
	@test $(EXPERIMENT) = quick || $(IN_ENVIRONMENT) python workflow/dvc_stages.py $(EXPERIMENT)
	$(IN_ENVIRONMENT) dvc repro $(ARGS) $(if $(filter quick,$(EXPERIMENT)),,$(EXPERIMENT)/)dvc.yaml

pull: env ## bring shared results by DVC, checked, so that nothing is trained again (ARGS=a figure or table: only what it needs)
	$(IN_ENVIRONMENT) python workflow/pull.py $(ARGS)

push: env ## send results to the remote of DVC, for others to pull (ARGS='-r team': to another remote)
	@test -n '$(wildcard dvc.lock */dvc.lock)' || { echo 'error: there is no dvc.lock, so there is nothing to push: make repro writes it' >&2; exit 1; }
	$(IN_ENVIRONMENT) dvc push $(ARGS) || { echo 'error: the push is not complete, as it says above; what has arrived stays, and' \
	  'nobody builds on the rest. When the remote answers (dvc remote list), the same command sends what is missing' >&2; exit 1; }

test: env ## run the tests
	$(IN_ENVIRONMENT) python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder $(ARGS)

kills: env ## kill the whole workflow 50 times at drawn moments and compare every byte (half an hour, needs no network)
	$(IN_ENVIRONMENT) python tests/kills.py $(ARGS)

lint: env ## check style and types
	$(IN_ENVIRONMENT) ruff check
	$(IN_ENVIRONMENT) ruff format --check
	$(IN_ENVIRONMENT) mypy

docs: env ## write the reference of all functions into docs/api
	$(IN_ENVIRONMENT) python docs/make_api.py docs/api

ifeq ($(PGA_ENV),)
env: $(VENV)/complete ## make the environment in .venv (once, and after its lock has changed)
else
env:
	@"$(PGA_ENV)/python" -P -c 'import pga, pga_snakemake, snakemake, torch' || { echo 'error: PGA_ENV=$(PGA_ENV) lacks what the line above names:' \
	  '"$(PGA_ENV)/python" -m pip install -r requirements.lock, then ... install --no-deps $(OURS)' >&2; exit 1; }
endif

# Each stamp is written last and holds the environment's place: the scripts in an environment name it, so that an environment that was moved,
# copied or half built is made anew, while a complete one only receives what has changed in the lock. pip installs the locked uv, and that the
# rest, in half of the time; both compare every hash. Where uv fails, pip begins anew, because it takes what is half there for whole. uv reads
# none of pip's settings: a registry of your own is UV_DEFAULT_INDEX or UV_FIND_LINKS to it.
ifneq ($(shell cat $(VENV)/locked 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/locked
endif

$(VENV)/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: PYTHON=$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo 'making the environment in $(VENV): several GB, minutes'
	@rm -f $(VENV)/complete
	@test "$$(cat $@ 2>/dev/null)" = '$(CURDIR)' || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@rm -f $@
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(PIP) --quiet --no-cache-dir $(LOCKED) -r $(VENV)/uv.lock
	@"$(VENV)/bin/uv" pip install --quiet --python "$(VENV)/bin/python" --cache-dir $(VENV)/uv $(LOCKED) -r requirements.lock || \
	 { echo 'uv could not install it, as it says above; pip does, which takes longer' >&2; rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && \
	   $(PIP) --quiet --no-cache-dir --no-compile $(LOCKED) -r requirements.lock; }
	@rm -rf $(VENV)/uv $(VENV)/uv.lock
	@"$(VENV)/bin/python" -m compileall -q -j 0 "$(VENV)/lib" # now, on all cores: in many containers Python may not keep what it compiles
	@echo '$(CURDIR)' > $@

# After the lock, whose Snakemake brings the command that workflow/command replaces.
$(VENV)/complete: $(VENV)/locked pyproject.toml workflow/command/pyproject.toml
	$(PIP) --quiet --no-deps --no-build-isolation $(OURS)
	@touch $@

lock: env ## write requirements.lock and the pins of environment.yml anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(IN_ENVIRONMENT) uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header $(ARGS) -o requirements.lock
	@{ echo '# Made by `make lock` from pyproject.toml: what runs the project, with all of its extras.'; \
	   echo '# For Linux and macOS, Python 3.11 to 3.13: pip install --require-hashes -r requirements.lock'; \
	   sed "s/ ; python_full_version < '3.14' and (sys_platform == 'darwin' or sys_platform == 'linux')//" requirements.lock; } > requirements.lock.part
	@mv requirements.lock.part requirements.lock
	@awk 'NR == FNR { if (split($$1, pin, "==") == 2) version[pin[1]] = pin[2]; next } \
	      split($$2, pin, "==") == 2 { sub(/\[.*/, "", pin[1]); sub(/==.*/, "==" version[pin[1]]) } { print }' requirements.lock environment.yml > environment.yml.part
	@mv environment.yml.part environment.yml

clean: ## remove the environment and the tools' caches; never data or results
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build pga.egg-info
	find pga tests benchmarks docs workflow -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
