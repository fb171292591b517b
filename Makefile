# make help lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

SWIFT ?= swift
# Passed on by "make run" (to chunkflow server) and by "make integration" (to pytest).
ARGS ?=

VENV := .build/venv
INTEGRATION := Tests/Integration
# These use sockets and measure time: they would be starved by tests that compute for seconds.
TIMED_TESTS := ClusterTests|DirectTransportTests|RESTAPITests|ClientTests|SignatureRateTests
FORMATTED := Package.swift Sources Tests

.PHONY: help run build test unit integration soak containers benchmark lint format docs proto clean
.PHONY: build-dependencies test-dependencies benchmark-dependencies

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, then run a distributor and four storage nodes in one process, data in ./data (ARGS="--http 0.0.0.0:8080")
	@exec .build/release/chunkflow server $(ARGS)

build: build-dependencies ## build chunkflow, distributor and storage into .build/release
	$(SWIFT) build -c release --product chunkflow
	$(SWIFT) build -c release --product distributor
	$(SWIFT) build -c release --product storage

test: lint unit integration containers ## everything that must pass before a change goes in (CONTAINERS=no leaves out the containers)

unit: build-dependencies ## build everything once, run the tests of the targets
	$(SWIFT) build -c release --build-tests
	$(SWIFT) test -c release --skip-build --skip '$(TIMED_TESTS)'
	$(SWIFT) test -c release --skip-build --no-parallel --filter '$(TIMED_TESTS)'

integration: build test-dependencies $(VENV)/ready ## run the tests that start the executables (ARGS="-k restart")
	$(VENV)/bin/pytest $(INTEGRATION) -m "not soak" $(ARGS)

soak: build test-dependencies $(VENV)/ready ## run the long tests, two hours (CHUNKFLOW_SOAK_SECONDS=600 for each, CHUNKFLOW_SEEDS=5000 of the simulation)
	$(SWIFT) build -c release --build-tests
	CHUNKFLOW_SEEDS=$${CHUNKFLOW_SEEDS:-5000} $(SWIFT) test -c release --skip-build --filter SimulationTests
	$(VENV)/bin/pytest $(INTEGRATION) -m soak $(ARGS)

containers: test-dependencies ## build the images with docker or podman, start docker-compose.yaml and use it
	scripts/check-containers.sh

benchmark: build benchmark-dependencies $(VENV)/ready ## run every script of benchmarks/
	@for script in benchmarks/*; do \
		if [[ -f $$script && -x $$script ]]; then echo "== $$script"; PATH="$(CURDIR)/$(VENV)/bin:$$PATH" "$$script"; fi; \
	done

$(VENV)/ready: $(INTEGRATION)/requirements.txt | test-dependencies
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint: build-dependencies ## check the format of the sources
	$(SWIFT) format lint --strict --parallel --recursive $(FORMATTED)

format: build-dependencies ## format the sources
	$(SWIFT) format --in-place --parallel --recursive $(FORMATTED)

docs: build-dependencies ## write the table of docs/settings.md anew, from the code
	CHUNKFLOW_WRITE_DOCS=1 $(SWIFT) test -c release --filter SettingsTests

proto: build-dependencies ## generate the Swift of proto/ again
	scripts/generate-proto.sh

build-dependencies: ## install the Debian packages that building and running need and that are missing
	@scripts/install-dependencies.sh build

test-dependencies: ## install also those that the tests need
	@scripts/install-dependencies.sh test

benchmark-dependencies: ## install also those that the benchmarks need
	@scripts/install-dependencies.sh benchmark

clean: ## remove what was built; data stay
	rm -rf .build
