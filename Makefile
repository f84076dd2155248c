# `make demo` and `make test` are all that a newcomer needs; each makes the environment if it is missing.

# The first of these that is Python 3.11, 3.12 or 3.13 makes the environment. To choose: make PYTHON=/path/to/python3
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV ?= .venv
BIN := $(VENV)/bin
SECONDS := 120
MESSAGES := 100000
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)

# The locks are complete and carry hashes: nothing is resolved, so nothing can differ from what was tested.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
COMPILE := $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--extra server --group build

FRAMEWORKS := .venv-frameworks
CLIENTS := .venv-clients

PEERS := .venv-peers/mlserver/.installed .venv-peers/ray_serve/.installed

.PHONY: help demo test test-clients test-container test-frameworks check bench-kernels bench-service soak fuzz format tutorial dashboard proto lock clean
.DELETE_ON_ERROR:

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s%s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.server ## Serve the example model and stream held-out images through it
	$(BIN)/numbatch demo

test: check ## Check and run every test
	$(BIN)/python -m pytest

test-frameworks: $(FRAMEWORKS)/.installed ## Test conversion beside Keras, PyTorch and scikit-learn (FRAMEWORKS_PIP_ARGS="...": CONTRIBUTING)
	TF_CPP_MIN_LOG_LEVEL=2 TF_ENABLE_ONEDNN_OPTS=0 CUDA_VISIBLE_DEVICES= \
		$(FRAMEWORKS)/bin/python -m pytest $(wildcard tests/frameworks tests/parity)

test-clients: $(VENV)/.server $(CLIENTS)/.installed ## Test with KServe's client, in an environment of its own
	NUMBATCH=$(abspath $(BIN))/numbatch $(CLIENTS)/bin/python -m pytest --noconftest -c /dev/null --rootdir . tests/other_clients

test-container: $(VENV)/.dev ## Build the images and use them with a Docker daemon (root gets one: apt-get install docker.io debootstrap)
	PYTHONPATH=tests $(BIN)/python -m container $(CONTAINER)

check: $(VENV)/.dev ## Formatting, lint, types, import contracts, generated stubs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/stubs.py --check

bench-kernels: $(VENV)/.bench ## Measure the kernels against their peers (BENCH="--only 512x512 --threads 1": a part)
	$(BIN)/python -m benchmarks.kernels --json benchmarks/results/kernels.json $(BENCH)

soak: $(VENV)/.dev ## Use and misuse a server for SECONDS=120 or hours, three minutes at least: nothing may grow (SOAK="--json FILE")
	PYTHONPATH=tests $(BIN)/python -m soak --seconds $(SECONDS) $(SOAK)

fuzz: $(VENV)/.dev ## Damage MESSAGES=100000 messages of each kind, and read them: no crash, no hang, no leak (FUZZ="--seed 1")
	PYTHONPATH=tests $(BIN)/python -m fuzz --messages $(MESSAGES) $(FUZZ)

bench-service: $(VENV)/.dev $(PEERS) ## Measure the service against its peers (BENCH="--only rows=1 --quick": a part)
	$(BIN)/python -m benchmarks.service --json benchmarks/results/service.json $(BENCH)

format: $(VENV)/.dev ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tutorial: $(VENV)/.dev ## Run docs/tutorial.md, and write its outputs and pictures anew
	$(BIN)/python scripts/tutorial.py

dashboard: $(VENV)/.dev ## Write the Grafana dashboard, and the alerts for Kubernetes
	$(BIN)/python scripts/dashboard.py

proto: $(VENV)/.dev ## Generate the stubs of the .proto files
	$(BIN)/python scripts/stubs.py

lock: $(UV) ## Lock the dependencies of pyproject.toml anew (LOCK=--upgrade: at their newest)
	$(COMPILE) $(LOCK) --output-file requirements/server.txt
	$(COMPILE) $(LOCK) --group dev --constraint requirements/server.txt --output-file requirements/dev.txt

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .venv-peers $(FRAMEWORKS) $(CLIENTS) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@for python in $(PYTHON); do \
		if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
			echo "$(VENV): $$("$$python" --version)"; \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "numbatch needs Python 3.11, 3.12 or 3.13, and found none as: $(PYTHON); try make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.server: requirements/server.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "$(VENV): installing requirements/server.txt"
	@$(INSTALL) --require-hashes --requirement requirements/server.txt
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

# What tests need includes what the server needs, at the same versions.
$(VENV)/.dev: requirements/dev.txt requirements/server.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "$(VENV): installing requirements/dev.txt"
	@$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@$(INSTALL) --no-build-isolation --editable .
	@touch $(VENV)/.server $@

# The peers. No lock and no hashes: these versions, on whatever build of them this machine's index has.
$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@echo "$(VENV): installing requirements/bench.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/bench.txt
	@touch $@

$(BIN)/uv: | $(VENV)/pyvenv.cfg
	@$(INSTALL) uv

# A service that is compared has an environment of its own; one that cannot be installed here is left out.
.venv-peers/%/.installed: requirements/bench-%.txt | $(VENV)/pyvenv.cfg
	@echo ".venv-peers/$*: installing $<"
	-@$(BIN)/python -m venv --clear .venv-peers/$* && \
		.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< && touch $@

# Others' clients ask for versions that no server needs.
$(CLIENTS)/.installed: requirements/clients.txt | $(VENV)/pyvenv.cfg
	@echo "$(CLIENTS): installing requirements/clients.txt"
	@$(BIN)/python -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/clients.txt
	@touch $@

# An environment of its own: the frameworks take gigabytes, and ask for versions that no server needs. What tests need
# comes from the lock; PyTorch from wherever FRAMEWORKS_PIP_ARGS says, as its usual build brings what GPUs need.
$(FRAMEWORKS)/.installed: requirements/frameworks.txt requirements/dev.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "$(FRAMEWORKS): installing requirements/dev.txt and requirements/frameworks.txt"
	@$(BIN)/python -m venv --clear $(FRAMEWORKS)
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement requirements/dev.txt
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement requirements/frameworks.txt $(FRAMEWORKS_PIP_ARGS)
	@touch $@
