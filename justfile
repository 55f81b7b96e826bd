# Every task of the project. `just` lists them; each is one command that can be typed without just.

control_plane := "target/control-plane"

_default:
    @just --list --unsorted

# Build the program for use
build:
    cargo build --release

# Build an optimised program quickly, for measuring while developing (no LTO, incremental)
release-dev:
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_INCREMENTAL=true cargo build --release --target-dir target/release-dev

# Run the program, e.g. `just run status`
run *arguments:
    cargo run -- {{arguments}}

# Run the tests; with a control plane that is up, the end-to-end suites too
test *arguments:
    #!/usr/bin/env bash
    if [ -s {{control_plane}}/kubeconfig ]; then export DRIFTDECK_TEST_KUBECONFIG=$PWD/{{control_plane}}/kubeconfig; fi
    exec cargo test {{arguments}}

# Measure: what live objects cost; for whole processes see benches/whole_process.sh
bench *arguments:
    cargo bench {{arguments}}

# Fuzz one of fuzz/fuzz_targets, e.g. `just fuzz merge -- -max_total_time=600` (nightly, cargo-fuzz)
fuzz target *arguments:
    cargo +nightly fuzz run {{target}} {{arguments}}

# Check formatting and lints
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Check licences, sources and banned crates
deny:
    cargo deny check bans licenses sources

# Build the documentation of the code
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Start a real control plane for the tests
up:
    tests/control-plane/up {{control_plane}}

# Stop it
down:
    tests/control-plane/down {{control_plane}}

# All that CI runs
ci:
    .ci/run
