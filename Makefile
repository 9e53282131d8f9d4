# Everything needs python3 (3.11 or newer), make and the package registry, and sets itself up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help install demo test faults images test-docker test-docker-smoke test-chart figures check clean

help:
	@echo "make demo      a whole federation on this machine, verified"
	@echo "make test      all tests, and a few cells of the fault matrix"
	@echo "make faults    the whole fault matrix; about 13 minutes on two cores"
	@echo "make images    the images of docker-compose.yml, labelled with version and commit"
	@echo "make test-docker  a federation in containers, on a real engine"
	@echo "make test-chart   the Helm chart, rendered and held against the schemas"
	@echo "make figures   the page of all results, benchmarks/results/index.html"
	@echo "make check     formatting, types, import contracts, generated code"
	@echo "make install   the virtual environment in $(VENV)"

install: $(STAMP)
	@echo "install: done, in $(VENV)"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "SecFPP needs Python 3.11 or newer; try make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		"torch==$$(sed -n 's/^torch==//p' constraints.txt)" -e '.[train,dev]'
	$(BIN)/python -c "import secfpp.algebra.masking"  # Compiles the arithmetic, once.
	@touch $@

demo: $(STAMP)
	@$(BIN)/secfpp demo && echo "demo: passed"

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup && echo "test: passed"

faults: export SECFPP_FAULTS_JSON ?= $(VENV)/faults.json
faults: $(STAMP)
	@$(BIN)/python -m pytest tests/faults -q -m "" -n 3 --dist load \
		&& echo "faults: passed, $$(grep -c '"kind"' "$$SECFPP_FAULTS_JSON") cells"

# For docker-compose 1.29: make images COMPOSE=docker-compose. Without git there is no revision.
COMPOSE ?= docker compose
images: VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' secfpp/__init__.py)
images: REVISION := $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
images:
	@$(COMPOSE) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) pki party-1
	@echo "images: secfpp-coordinator and secfpp-party $(VERSION) $(REVISION)"

# The smoke test is one federation without torch, for the plain gate. Tests are skipped only where
# no engine can be started; then the last line says so, and why.
test-docker: WHICH := tests/docker
test-docker-smoke: WHICH := tests/docker/test_federation.py
test-docker test-docker-smoke: export DOCKER_SKIPPED := $(VENV)/docker-skipped
test-docker test-docker-smoke: $(STAMP)
	@rm -f $(DOCKER_SKIPPED)
	@DOCKER_TESTS=1 $(BIN)/python -m pytest -q -rs -p no:randomly $(WHICH)
	@if [ -e $(DOCKER_SKIPPED) ]; then echo "$@: skipped: $$(cat $(DOCKER_SKIPPED))"; \
		else echo "$@: passed"; fi

# Go renders the chart's templates as Helm does; Debian's package is installed where root may.
test-chart: $(STAMP)
	@command -v go >/dev/null || apt-get install -y -q --no-install-recommends golang-go
	@$(BIN)/pip install --quiet --disable-pip-version-check kubernetes-validate
	@CHART_TESTS=1 $(BIN)/python -m pytest -q tests/deploy && echo "test-chart: passed"

figures: $(STAMP)
	@$(BIN)/python benchmarks/pages.py && echo "figures: benchmarks/results/index.html"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate_wire.py --check
	@echo "check: passed"

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
