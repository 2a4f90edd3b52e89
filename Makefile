# Keyward. `make run` and `make test` need only a Debian machine with a Swift toolchain.

SWIFT ?= swift
DATA_DIR ?= $(shell scripts/data-dir)
ARGS ?=
# A run of all tests takes 5 to 15 minutes on two cores.
TEST_SECONDS ?= 2400
# A release is one file that contains the Swift runtime. Debug builds, and so all tests, check exclusive access at run time. Releases
# omit these checks, which cost a tenth of a proxied request (docs/architecture.md).
RELEASE_FLAGS ?= --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
# The commit that `keyward --version` prints. It is empty outside of a git repository.
COMMIT ?= $(shell [ -e .git ] && git describe --always --dirty --exclude='*' --abbrev=12 2>/dev/null)

.PHONY: run test example build dependencies binary release dist components accept-components restore-components setup test-tools \
	format lint bench clean
.NOTPARALLEL:

## Install missing packages, build, and run Keyward on a private PostgreSQL with a built-in echo upstream.
run: setup binary
	exec .build/release/keyward serve --data-dir "$(DATA_DIR)" $(ARGS)

## Install missing packages, and run all tests on a real PostgreSQL and behind real proxies.
test: setup test-tools
	$(SWIFT) build --build-tests
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8 scripts/run-tests $(TEST_SECONDS) \
		"$$($(SWIFT) build --show-bin-path)/keywardPackageTests.xctest" --testing-library swift-testing

## Build the example from its own manifest, as a copy of it builds, and run its tests.
example: setup
	$(SWIFT) build --build-tests --package-path examples/hummingbird-app --scratch-path .build/example
	$(SWIFT) test --skip-build --package-path examples/hummingbird-app --scratch-path .build/example

build: setup
	$(SWIFT) build

## Build the packages that Keyward needs, for images, which keep them in a layer of their own (scripts/outline).
dependencies:
	$(SWIFT) build -c release --target KeywardServer $(RELEASE_FLAGS)

## Build the optimized binary from the resolved packages.
binary:
	KEYWARD_COMMIT="$(COMMIT)" $(SWIFT) build -c release --product keyward $(RELEASE_FLAGS)

## Build the same binary from the packages of scripts/components.txt alone.
release: setup components binary

## Make a tarball, a Debian package, a list of components and checksums in dist/.
dist: release
	scripts/dist

## Fail if the resolved packages differ from scripts/components.txt.
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
	scripts/lint-language
	scripts/lint-structure

## Measure verification, loading and memory. Benchmarks/README.md has the other benchmarks.
bench: setup
	$(SWIFT) run -c release KeyBenchmark

clean:
	$(SWIFT) package clean
