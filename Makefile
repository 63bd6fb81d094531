# Two commands: `make up` runs Praxis, `make test` tests it. Each installs what it needs.

CARGO_PROFILE := release
COMPONENTS := practitioner availability search booking notification web

.PHONY: up test components host setup fmt lint deny clean

components: $(COMPONENTS:%=component-%)

# One at a time: a build of several would unify their features, and swell them.
component-%:
	cargo build --quiet --profile guest --target wasm32-wasip2 -p praxis-$*
	mkdir -p target/components
	cmp -s target/wasm32-wasip2/guest/praxis_$*.wasm target/components/$*.wasm \
	    || cp target/wasm32-wasip2/guest/praxis_$*.wasm target/components/$*.wasm

host:
	cargo build --release -p praxis
