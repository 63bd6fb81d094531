# `make up` runs Praxis, `make test` tests it, `make bench` measures it, `make faults` hurts it, and
# `make torture` hurts it while it books. Each installs what it needs.

CARGO ?= cargo
COMPONENTS := practitioner availability search booking notification jinja-renderer web

# The components that exist for tests only.
TEST_GUESTS := $(patsubst tests/guests/%/Cargo.toml,%,$(wildcard tests/guests/*/Cargo.toml))
# Guests link only for wasm32-wasip2.
GUESTS := platform $(TEST_GUESTS) $(COMPONENTS)
NATIVE := --release --workspace $(GUESTS:%=--exclude praxis-%)
GUEST := --profile guest --target wasm32-wasip2
DENY := target/tools/bin/cargo-deny --log-level error check
ADVISORIES_SECONDS_MAX := 20

.PHONY: up test bench growth faults torture check components host setup-run setup-test setup-bench fmt lint deny clean

up: setup-run components host
	target/release/praxis up

# Its last lines are the summary of the last tests.
test: setup-test check components $(TEST_GUESTS:%=component-%) host
	$(CARGO) test --config "target.'cfg(unix)'.runner = 'tests/runner.sh'" $(NATIVE) --tests

# What the host costs, beside what else could have answered: benches/README.md.
bench: setup-bench components component-hello component-noop component-noops component-rendering component-sql component-unruly host
	$(CARGO) build $(NATIVE) --bin praxis-benches
	target/release/praxis-benches $(BENCH)

# How all grows with the directory: docs/performance.md. FACILITIES is a file of real ones (CSV).
growth: setup-run components host
	$(CARGO) build $(NATIVE) --bin praxis-benches
	target/release/praxis-benches growth --facilities $(FACILITIES) $(GROWTH)

# Publishes events, hurts hosts and servers, and says what came of every event.
faults: setup-run component-batcher component-recorder host
	$(CARGO) build $(NATIVE) --bin praxis-faults
	target/release/praxis-faults $(FAULTS)

# Books from all sides, hurts hosts, servers and connections, and says whether any promise was broken.
torture: setup-test components host
	$(CARGO) build $(NATIVE) --bin praxis-torture
	target/release/praxis-torture $(TORTURE)

check: fmt deny lint

components: $(COMPONENTS:%=component-%)

# One at a time: a build of several would unify their features, and swell them.
component-%: setup-run
	@$(CARGO) build --quiet $(GUEST) -p praxis-$*
	@mkdir -p target/components
	@cmp -s target/wasm32-wasip2/guest/praxis_$(subst -,_,$*).wasm target/components/$*.wasm \
	    || cp target/wasm32-wasip2/guest/praxis_$(subst -,_,$*).wasm target/components/$*.wasm

host: setup-run
	$(CARGO) build $(NATIVE) --bin praxis

setup-run:
	@tests/tools.sh run

setup-bench:
	@tests/tools.sh bench

setup-test:
	@tests/tools.sh test

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --quiet $(NATIVE) --all-targets -- -D warnings
	$(CARGO) clippy --quiet $(GUEST) $(GUESTS:%=-p praxis-%) -- -D warnings

# Advisories are checked wherever their database can be had.
deny: setup-test
	$(DENY) bans licenses sources
	@if timeout $(ADVISORIES_SECONDS_MAX) target/tools/bin/cargo-deny --log-level off fetch db \
	        >/dev/null 2>&1; then \
	    $(DENY) --disable-fetch advisories; \
	else \
	    echo "advisories were not checked: their database cannot be reached from here"; \
	fi

clean:
	$(CARGO) clean
