# Keyward. `make run` and `make test` do everything on a fresh Debian machine that has a Swift toolchain.

SWIFT ?= swift
DATA_DIR ?= $(shell scripts/data-dir)
ARGS ?=
# One file to ship, without the Swift runtime beside it. Exclusive access is checked at run time in debug builds, hence in all
# tests; a release does without, which is worth a tenth of a proxied request (docs/architecture.md).
RELEASE_FLAGS ?= --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked

.PHONY: run test example build dependencies binary release dist components accept-components restore-components setup test-tools \
	format lint bench clean
.NOTPARALLEL:

## Install what is missing, build, and run Keyward on a private PostgreSQL with a built-in echo upstream.
run: setup binary
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

## The packages that Keyward needs, for builds of images, which keep them in a layer of their own (scripts/outline).
dependencies:
	$(SWIFT) build -c release --target KeywardServer $(RELEASE_FLAGS)

## The optimised binary, from whatever packages are resolved.
binary:
	$(SWIFT) build -c release --product keyward $(RELEASE_FLAGS)

## The same, from the packages of scripts/components.txt alone.
release: setup components binary

## Make a tarball, a Debian package, a list of components and checksums in dist/.
dist: release
	scripts/dist

## Fail where the resolved packages differ from scripts/components.txt.
components:
	$(SWIFT) package resolve
	scripts/components check

## Write the resolved packages into scripts/components.txt.
accept-components:
	$(SWIFT) package resolve
	scripts/components accept

## Resolve to the packages of scripts/components.txt.
restore-components:
	$(SWIFT) package resolve
	scripts/components restore

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
