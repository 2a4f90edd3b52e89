# Keyward. `make run` and `make test` do everything on a fresh Debian machine that has a Swift toolchain.

SWIFT ?= swift
DATA_DIR ?= $(shell scripts/data-dir)
ARGS ?=
# One file to ship, without the Swift runtime beside it. Exclusive access is checked at run time in debug builds, hence in all
# tests; a release does without, which is worth a tenth of a proxied request (docs/architecture.md).
RELEASE_FLAGS ?= --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked

.PHONY: run test example build release setup test-tools format lint bench clean

## Install what is missing, build, and run Keyward on a private PostgreSQL with a built-in echo upstream.
run: setup release
	exec .build/release/keyward serve --data-dir "$(DATA_DIR)" $(ARGS)

## Install what is missing, and run all tests against a real PostgreSQL, and behind real proxies.
test: setup test-tools
	$(SWIFT) build --build-tests
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8 $(SWIFT) test --skip-build

## Build the example as whoever copies it does, from its own manifest, and run its tests.
example: setup
	$(SWIFT) build --build-tests --package-path examples/hummingbird-app --scratch-path .build/example
	$(SWIFT) test --skip-build --package-path examples/hummingbird-app --scratch-path .build/example

build: setup
	$(SWIFT) build

release: setup
	$(SWIFT) build -c release --product keyward $(RELEASE_FLAGS)

setup:
	@scripts/setup

test-tools:
	@scripts/test-tools

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks examples

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks examples

## Figures of verification, loading and memory. Benchmarks/README.md has the others.
bench: setup
	$(SWIFT) run -c release KeyBenchmark

clean:
	$(SWIFT) package clean
