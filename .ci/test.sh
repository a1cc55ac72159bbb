#!/bin/bash
# The steps of `make test`, in the order given: style, model, tests. What follows `tests` goes to
# the test runner. The test runner is last, so that its summary closes the output.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/env.sh

step() {
    echo
    echo "== $*"
}

style() {
    if cargo fmt --version >/dev/null 2>&1; then
        step cargo fmt
        cargo fmt --all --check
    else
        step "cargo fmt: rustfmt is not installed, formatting is not checked"
    fi
    if cargo clippy --version >/dev/null 2>&1; then
        step cargo clippy
        cargo clippy --workspace --all-targets -- -D warnings
    else
        step "cargo clippy: clippy is not installed, lints are not checked"
    fi
    step cargo doc
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
}

# loom replaces the atomics of the whole build, so this one has its own target folder.
model() {
    step "loom: model check of the address words"
    RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$LESSOR_TARGET/loom" \
        cargo test -p dhcp-proto --test model --release
}

tests() {
    # The namespace tests start these programs as an operator would.
    step cargo build
    cargo build --workspace --bins
    step cargo test --doc
    cargo test --workspace --doc -q
    if cargo nextest --version >/dev/null 2>&1; then
        step cargo nextest
        cargo nextest run --workspace "$@"
    else
        step "cargo test: cargo-nextest is not installed; its filters do not apply"
        cargo test --workspace --all-targets
    fi
}

while [ $# -gt 0 ]; do
    part=$1
    shift
    case $part in
    style | model) $part ;;
    tests)
        tests "$@"
        exit
        ;;
    *)
        echo "$0: no step $part" >&2
        exit 2
        ;;
    esac
done
