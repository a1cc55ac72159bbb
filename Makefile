# Every target sets up what it needs and finds missing (`.ci/setup.sh`), so that `make run` and
# `make test` work on a fresh Debian 12 as root. A second run finds everything there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What every recipe that calls cargo begins with: the first cargo that is new enough.
CARGO := . .ci/env.sh && cargo

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what is missing: Debian packages, cargo, hugepages
	@.ci/setup.sh packages rust hugepages

.PHONY: build
build: setup ## the release build of the appliance: target/release/lessor
	@$(CARGO) build --release -p lessor

.PHONY: run
run: build ## a server and a real client in namespaces; stays up until Ctrl-C
	@. .ci/env.sh && tests/demo/run.sh "$$LESSOR_TARGET/release/lessor"

.PHONY: test
test: setup ## all that must be green: style, lints, docs, model check, tests
	@.ci/setup.sh nextest
	@.ci/test.sh style model tests

.PHONY: check
check: setup ## formatting, lints and docs only
	@.ci/test.sh style

.PHONY: model
model: setup ## the loom model check of the address words
	@.ci/test.sh model

.PHONY: netns
netns: setup ## the real clients in namespaces only
	@.ci/setup.sh nextest
	@.ci/test.sh tests -E 'package(lessor-tests) & binary(/^netns_/)'

.PHONY: bench
bench: setup ## Lessor beside yardstick and other servers: a table; QUICK=1: in five minutes (ROWS=, STORE_DIR=)
	@.ci/setup.sh bench
	@.ci/bench.sh

.PHONY: soak
soak: setup ## the seeded simulations on and on: until Ctrl-C, or HOURS=, ROUNDS= (SEED=)
	@.ci/soak.sh

.PHONY: fuzz
fuzz: setup ## libFuzzer on TARGET=store frames record message request config, for TIME=60 seconds
	@.ci/setup.sh fuzz
	@.ci/fuzz.sh

.PHONY: fmt
fmt: ## format every crate
	@$(CARGO) fmt --all

.PHONY: clean
clean: ## remove what was built
	@$(CARGO) clean
