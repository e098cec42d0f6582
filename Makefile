# make run     builds what is missing and serves            make run ARGS="--config my.toml"
# make test    lints and every test, closed by one line of counts
# make TARGET  one part of it: see TESTS below
#
# Nothing here touches the system: Python packages go to .venv, Rust builds to target. Each step leaves a stamp in
# .venv, so that a second run starts at once.

SHELL := /bin/sh
ARGS ?=

VENV := .venv
PYTHON := $(VENV)/bin/python

# rustup puts cargo here and asks for a new shell, which not everybody opens.
export PATH := $(PATH):$(HOME)/.cargo/bin
# The same Python for cargo as for maturin, so that neither rebuilds what the other built.
export PYO3_PYTHON := $(CURDIR)/$(PYTHON)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONHOME PYTHONPATH
# Property tests draw the same cases each time, so that a change is judged by the change; `make property` draws others.
export PROPTEST_RNG_SEED ?= 4
# The tiny models of the tests are computed faster by one thread than by several that wait for each other.
export CANDLE_NUM_THREADS ?= 1

RUST_SOURCES := Cargo.toml Cargo.lock $(wildcard native/*/Cargo.toml cffi/Cargo.toml) $(shell find native/*/src cffi/src -name '*.rs')

# What cargo compiles for tests, always with this selection: another one would ask other features of shared crates, and
# have them and all that stand on them compiled again. Left out are programs that measure, which have no tests.
CRATES := --workspace --exclude bench-edge --exclude hoosh-core-cost
# Python's tests share the cores, a file at a time. `make test-python ARGS="-n 0 --pdb"` has them in one process.
PYTEST := $(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile

# LangChain and LiteLLM live here.
CLIENTS := .clients

# The sample driver in C, one of the four that tests/cases is put to.
C_GATEWAY := target/c-gateway
# And the program in C that asks by a client.
C_CLIENT := target/c-client
C_SOURCES := $(wildcard cffi/samples/*.[ch]) include/hoosh.h
CFLAGS ?= -O1 -g
LIBHOOSH := $${CARGO_TARGET_DIR:-target}/debug/deps/libhoosh.a

SIMULATOR := $${CARGO_TARGET_DIR:-target}/debug/hoosh-sim

# What `make test` runs, in this order. A target that prints no counts of its own counts as one test.
TESTS := lint test-rust test-shuttle test-sim test-python test-sameness test-faults

.PHONY: run test build lint format clean $(TESTS)
.PHONY: soak heavy-edge soak-port soak-local torture mutations property header schema fields matrix keys providers sdk-js c-gateway memcheck test-llamacpp test-clients
.DEFAULT_GOAL := run

run: $(VENV)/.extension
	@exec $(VENV)/bin/hoosh serve --first-answer $(ARGS)

test: $(VENV)/.dev $(VENV)/.extension
	@MAKE="$(MAKE)" $(PYTHON) scripts/run_tests.py $(TESTS)

build: $(VENV)/.extension

# --- steps ------------------------------------------------------------------------------------------------------

$(VENV)/.run: pyproject.toml scripts/requirements.py
	@scripts/check-rust 85
	@python=$$(scripts/find-python) || exit 1; \
	 if ! [ -x $(PYTHON) ]; then \
	   echo "Creating a virtual environment in .venv with $$($$python --version) ..."; \
	   $$python -m venv $(VENV); \
	 fi
	@echo "Installing Python packages into .venv (about half a minute the first time) ..."
	@$(PYTHON) scripts/requirements.py build run | $(PYTHON) -m pip install --quiet -r /dev/stdin
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@scripts/check-rust 88
	@echo "Installing what the tests need into .venv (about half a minute the first time) ..."
	@$(PYTHON) scripts/requirements.py dev | $(PYTHON) -m pip install --quiet -r /dev/stdin
	@touch $@

# `--profile dev` is the profile of `cargo test` too (Cargo.toml says why), so the crates are compiled once for both.
# `test-engine`: for the tests; no wheel has it.
$(VENV)/.extension: $(VENV)/.run $(RUST_SOURCES)
	@echo "Building the extension (about 5 minutes on two cores the first time) ..."
	@PIP_QUIET=1 $(VENV)/bin/maturin develop --profile dev --features test-engine
	@touch $@

# --- tests ------------------------------------------------------------------------------------------------------

# pyo3 is told about Python as maturin tells it, or the two would rebuild it in turn.
lint: $(VENV)/.dev $(VENV)/.extension
	cargo fmt --all --check
	PYO3_BUILD_EXTENSION_MODULE=1 \
	  PYO3_CONFIG_FILE=$$(cd $${CARGO_TARGET_DIR:-target}/maturin && ls -t "$$PWD"/pyo3-config-*.txt | head -1) \
	  PYO3_ENVIRONMENT_SIGNATURE=$$($(PYTHON) -c 'import sys; print("cpython-%d.%d-64bit" % sys.version_info[:2])') \
	  cargo clippy --workspace --all-targets --features hoosh-py/test-engine -- -D warnings
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

test-rust: $(VENV)/.run
	cargo test $(CRATES) --no-fail-fast

# The property tests again, with cases that nobody has drawn before. What fails is named with the seed that repeats it.
property: $(VENV)/.dev $(VENV)/.extension
	seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ') && echo "PROPTEST_RNG_SEED=$$seed" \
	  && PROPTEST_RNG_SEED=$$seed cargo test -p hoosh-core
	HYPOTHESIS_PROFILE=fresh $(PYTHON) -m pytest tests/python/test_cache.py tests/python/test_body.py tests/python/test_sse.py

# The real limits, budgets, single flight and wake-ups under a scheduler that tries interleavings.
test-shuttle: $(VENV)/.run
	cargo test $(CRATES) --features hoosh-core/shuttle --test shuttle

# include/hoosh.h from cffi/src; `make test-rust` compares.
header:
	UPDATE_HEADER=1 cargo test -p hoosh-cffi

# docs/hoosh.schema.json from native/core/src/config/schema; `make test-rust` compares.
schema:
	UPDATE_SCHEMA=1 cargo test -p hoosh-core --test main schema::

# docs/matrix.md from what every pair of dialects was seen to do; `make test-python` compares.
matrix: $(VENV)/.dev $(VENV)/.extension
	UPDATE_MATRIX=1 $(PYTHON) -m pytest -q tests/python/test_dialects.py

# docs/fields.md from the tables of the dialects and from what they do; `make test-rust` compares.
fields:
	UPDATE_FIELDS=1 cargo test -p hoosh-core --test main fields::

# docs/providers.md from the catalogue, and what becomes of the fixtures of native/core/tests/fixtures/providers; `make test-rust` compares.
providers:
	UPDATE_PROVIDERS=1 cargo test -p hoosh-core --test main provider

# python/hoosh/_keys.py from the core's table of keys; `make test-python` compares.
keys: $(VENV)/.extension
	$(PYTHON) scripts/keys.py

test-python: $(VENV)/.dev $(VENV)/.extension $(C_GATEWAY) $(C_CLIENT) sdk-js
	$(PYTEST) $(ARGS)

# Every request to both listeners of `hoosh serve`, whose answers are the same.
test-sameness: $(VENV)/.dev $(VENV)/.extension
	$(PYTEST) --dist load tests/sameness $(ARGS)

# What a streaming proxy meets, in three columns: plain hypercorn, `hoosh serve`, and the same without the edge.
test-faults: $(VENV)/.dev $(VENV)/.extension
	$(PYTEST) tests/faults $(ARGS)

# 20,000 idle connections, and 2,000 callers that never read a long answer, and callers who are served beside them.
heavy-edge: $(VENV)/.dev $(VENV)/.extension
	HOOSH_HEAVY=1 $(PYTHON) -m pytest tests/faults/test_edge_process.py tests/faults/test_never_reading.py \
		-k "twenty_thousand or two_thousand" $(ARGS)

# Half an hour of mixed, faulty traffic through the port, then SIGTERM under load.
soak-port: $(VENV)/.dev $(VENV)/.extension
	$(PYTHON) -m tests.faults.soak $(ARGS)

# 10,000 short answers of a model of this process through the port, with callers that leave, stall and ask for nonsense.
soak-local: $(VENV)/.dev $(VENV)/.extension
	$(PYTHON) -m tests.faults.soak_local $(ARGS)
	cargo test -p hoosh-candle --test running -- --ignored soak

# The OpenAI SDK for JavaScript. Where there is no npm, Node.js comes as a wheel; without either its tests are skipped.
sdk-js: $(VENV)/.dev
	@[ tests/js/node_modules/.package-lock.json -nt tests/js/package-lock.json ] && exit; \
	 command -v npm >/dev/null || $(PYTHON) scripts/requirements.py js | $(PYTHON) -m pip install --quiet -r /dev/stdin; \
	 cd tests/js && PATH="$$PATH:$(CURDIR)/$(VENV)/bin" npm ci --silent --no-audit --no-fund \
	   && touch node_modules/.package-lock.json || echo "npm could not install the JavaScript SDK: its tests are skipped."

# Libraries and coding agents as clients, unmodified, in environments of their own, because they bring much along.
# Without npm or go, what needs them is skipped. npm does not run packages' install scripts by itself; two need theirs.
# Those have exact versions and no lock: npm ci wants packages of other systems in it that a registry need not have.
test-clients: $(VENV)/.dev $(VENV)/.extension
	@[ $(CLIENTS)/.ready -nt tests/clients/requirements.txt ] && [ $(CLIENTS)/.ready -nt tests/clients/requirements-old.txt ] || { \
	   echo "Installing Python clients into $(CLIENTS) (minutes the first time) ..."; \
	   $(PYTHON) -m venv $(CLIENTS) && $(PYTHON) -m venv $(CLIENTS)/old \
	     && $(CLIENTS)/bin/python -m pip install --quiet -r tests/clients/requirements.txt \
	     && $(CLIENTS)/old/bin/python -m pip install --quiet -r tests/clients/requirements-old.txt && touch $(CLIENTS)/.ready; }
	@command -v npm >/dev/null || $(PYTHON) scripts/requirements.py js | $(PYTHON) -m pip install --quiet -r /dev/stdin
	@PATH="$$PATH:$(CURDIR)/$(VENV)/bin"; for folder in js cli; do \
	   [ tests/clients/$$folder/node_modules/.ready -nt tests/clients/$$folder/package.json ] && continue; \
	   echo "Installing tests/clients/$$folder with npm ..."; \
	   (cd tests/clients/$$folder && { [ -f package-lock.json ] && npm ci --silent --no-audit --no-fund \
           || npm install --silent --no-audit --no-fund --no-package-lock; } \
	      && { [ $$folder = js ] || { (cd node_modules/@anthropic-ai/claude-code && node install.cjs) \
	           && (cd node_modules/opencode-ai && node postinstall.mjs); }; } \
	      && touch node_modules/.ready) || echo "npm could not install tests/clients/$$folder: its tests are skipped."; \
	 done
	HOOSH_CLIENTS_PYTHON=$(CURDIR)/$(CLIENTS)/bin/python HOOSH_CLIENTS_OLD_PYTHON=$(CURDIR)/$(CLIENTS)/old/bin/python \
	  HOOSH_CLIENTS_CLI=$(CURDIR)/tests/clients/cli $(PYTHON) -m pytest tests/clients $(ARGS)

c-gateway: $(C_GATEWAY) $(C_CLIENT)

C_COMPILE = $(CC) -std=c99 -pedantic -Wall -Wextra -Werror $(CFLAGS) -Iinclude
C_LIBRARIES = $(LIBHOOSH) -lpthread -ldl -lm

$(C_GATEWAY): $(VENV)/.run $(RUST_SOURCES) $(C_SOURCES)
	@echo "Building the C sample ..."
	@cargo build --quiet $(CRATES) --test header
	@mkdir -p target
	@$(C_COMPILE) $(filter-out %/client.c,$(filter %.c,$(C_SOURCES))) $(C_LIBRARIES) -o $@

# The library is built with the other one.
$(C_CLIENT): $(C_GATEWAY) cffi/samples/client.c
	@$(C_COMPILE) cffi/samples/client.c $(C_LIBRARIES) -o $@

# Every test of the C program again, under valgrind: no byte read or written that is not its own, none left behind.
memcheck: $(VENV)/.dev $(VENV)/.extension $(C_GATEWAY)
	HOOSH_C_WRAPPER="valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite" \
	  $(PYTHON) -m pytest tests/python/test_cases.py tests/python/test_c_sample.py -k "c] or c_sample" -p no:cacheprovider

# 100,000 exchanges in scripted worlds (docs/simulator.md); a failure prints the seed that repeats it.
test-sim: $(VENV)/.run
	@cargo build $(CRATES) --bin hoosh-sim
	$(SIMULATOR) run --exchanges 100000

soak: $(VENV)/.run
	@cargo build $(CRATES) --bin hoosh-sim
	$(SIMULATOR) run --exchanges 10000000 --seed 1000000

# A real llama.cpp behind hoosh: its server, and in a process of hoosh's. Built once, in an environment of its own (.llamacpp), in about 4 minutes.
test-llamacpp: $(VENV)/.dev $(VENV)/.extension .llamacpp/.ready
	$(PYTHON) -m pytest tests/llamacpp $(ARGS)

.llamacpp/.ready: $(VENV)/.run
	@echo "Building llama-cpp-python into .llamacpp (about 4 minutes; needs a C++ compiler) ..."
	@python=$$(scripts/find-python) || exit 1; $$python -m venv .llamacpp
	@.llamacpp/bin/python -m pip install --quiet "llama-cpp-python[server]>=0.3,<0.4" gguf numpy
	@touch $@

# Budgets through the port: a server killed under load again and again (docs/store.md).
torture: $(VENV)/.dev $(VENV)/.extension
	HOOSH_TORTURE_ROUNDS=25 $(PYTHON) -m pytest tests/python/test_store.py $(ARGS)

# Plants one fault after another in a copy of the core; the simulator must find each.
mutations: $(VENV)/.run
	$(PYTHON) scripts/mutate.py

# --- figures: benchmarks/README.md ------------------------------------------------------------------------------

.PHONY: bench bench-core bench-edge bench-dialects bench-python bench-start bench-engines bench-proxied

bench: bench-core bench-edge bench-python
	cargo bench -p hoosh-core

bench-core:
	cargo run --release -p hoosh-core-cost

bench-edge: $(VENV)/.run
	cargo build --release -p bench-edge
	$(PYTHON) benchmarks/edge/run.py $${CARGO_TARGET_DIR:-target}/release/bench-edge $(ARGS)

# What it costs to go from one dialect to another: each pair beside the caller's own dialect, in about six minutes.
bench-dialects: $(VENV)/.run
	cargo build --release -p bench-edge
	$(PYTHON) benchmarks/edge/dialects.py $${CARGO_TARGET_DIR:-target}/release/bench-edge $(ARGS)

# How soon the port answers, and what the process takes of memory, line by line.
bench-start: $(VENV)/.dev $(VENV)/.extension
	$(PYTHON) benchmarks/start/run.py $(ARGS)

# Candle beside llama.cpp on the same files.
bench-engines: .llamacpp/.ready
	cargo build --release -p hoosh-candle --features examples --example speed --example random_model
	$(PYTHON) benchmarks/engines/run.py $${CARGO_TARGET_DIR:-target}/release/examples .llamacpp/bin/python $(ARGS)

# What proxied chats take while a model of this process writes.
bench-proxied: $(VENV)/.dev $(VENV)/.extension
	$(PYTHON) benchmarks/engines/proxied.py $(ARGS)

# The extension as users get it: optimised as a release, in place of the one that the tests load.
bench-python: $(VENV)/.dev
	@rm -f $(VENV)/.extension
	$(PYTHON) -m pip install --quiet "httpx>=0.28,<1" && PIP_QUIET=1 $(VENV)/bin/maturin develop --release
	$(PYTHON) benchmarks/python/run.py $(ARGS)

# What the gateway costs beside nginx and its peers, in about twelve minutes: benchmarks/gateway/README.md.
#   make bench-gateway ARGS="--quick"    ARGS="--only cpu,hits"    ARGS="--peer name=http://127.0.0.1:4000/v1/chat/completions"
.PHONY: bench-gateway flamegraph
bench-gateway: $(VENV)/.dev
	cargo build --release -p hoosh-load
	@rm -f $(VENV)/.extension
	PIP_QUIET=1 $(VENV)/bin/maturin develop --release
	$(PYTHON) benchmarks/gateway/run.py $${CARGO_TARGET_DIR:-target}/release/hoosh-load --install $(ARGS)

# Where its time goes, into flamegraph.svg. Needs perf.
flamegraph: $(VENV)/.dev
	cargo build --release -p hoosh-load
	@rm -f $(VENV)/.extension
	PIP_QUIET=1 $(VENV)/bin/maturin develop --release
	$(PYTHON) benchmarks/gateway/flamegraph.py $${CARGO_TARGET_DIR:-target}/release/hoosh-load $(ARGS)

# --- for people at work -----------------------------------------------------------------------------------------

format: $(VENV)/.dev
	cargo fmt --all
	$(VENV)/bin/ruff check --fix-only --exit-zero
	$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV) $(CLIENTS) .llamacpp .peers tests/js/node_modules target python/hoosh/*.so
