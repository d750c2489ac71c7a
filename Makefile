# The front door. Each target installs what it needs first (Debian, Ubuntu), so it works on a bare
# machine; CMake and its presets do the work.
PRESET ?= release
BUILD := build/$(PRESET)

.PHONY: help run test test-heavy bench fuzz lint format docs install clean build deps-build \
	deps-test deps-bench deps-lint

help:
	@echo "make run      build, start sallyportd on 127.0.0.1:8022, print how to log in"
	@echo "make test     build, then run every test that CI runs with this build"
	@echo "make test-heavy  the transfer tests with 1 GiB, 10,000 files and 100 kills"
	@echo "make bench    compare with sshd, dropbear and libssh"
	@echo "make fuzz     run each fuzzer for a minute (SECONDS=60)"
	@echo "make lint     clang-format, clang-tidy, cppcheck, the layering test, gcc and clang -Werror"
	@echo "make format   format the sources"
	@echo "make docs     check the manual page"
	@echo "make install  install the release build (DESTDIR, PREFIX)"
	@echo "PRESET=debug|release|asan|tsan|coverage chooses the build of run and test; OPTIONS=-D..."
	@echo "are further options of CMake for test"

deps-build:
	@scripts/install-deps build
deps-test:
	@scripts/install-deps build test
deps-bench:
	@scripts/install-deps build test bench
deps-lint:
	@scripts/install-deps build test lint

build: deps-build
	@cmake --preset $(PRESET) -DSP_TESTS=OFF >/dev/null
	@cmake --build $(BUILD)

run: build
	@exec $(BUILD)/sallyportd -D -e -p 8022 -o ListenAddress=127.0.0.1

test: deps-test
	@cmake --preset $(PRESET) -DSP_TESTS=ON $(OPTIONS) >/dev/null
	@cmake --build $(BUILD)
	@tests/run $(BUILD)

test-heavy: deps-test
	@cmake --preset $(PRESET) -DSP_TESTS=ON >/dev/null
	@cmake --build $(BUILD)
	@tests/run $(BUILD) --heavy

SECONDS ?= 60
fuzz: deps-lint
	@cmake --preset fuzz >/dev/null
	@cmake --build build/fuzz
	@tests/fuzz/run build/fuzz $(SECONDS)

bench: deps-bench
	@cmake --preset release -DSP_TESTS=ON -DSP_BENCH=ON >/dev/null
	@cmake --build build/release
	@/usr/bin/python3 bench/compare.py --build build/release
	@/usr/bin/python3 bench/kex.py --build build/release

lint: deps-lint
	@tests/lint

format: deps-lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

docs: deps-lint
	@mandoc -T lint -W warning docs/man/*.8

PREFIX ?= /usr/local
install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf build
