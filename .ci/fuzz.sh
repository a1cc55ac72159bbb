#!/bin/bash
# Runs libFuzzer on TARGET (store) for TIME (60) seconds, in pieces: a server never gives its tables
# back, so that a process that has started many is ended. What it finds worth keeping is collected
# in target/fuzz/corpus; `tests/fuzz/corpus` is read and not written. What fails is left in
# tests/fuzz/artifacts, and goes into the corpus together with its mending.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/env.sh

target=${TARGET:-store}
declare -A pieces=([frames]=-runs=10000 [capture]=-runs=2000)
found=$LESSOR_TARGET/fuzz/corpus/$target
mkdir -p "$found" "tests/fuzz/corpus/$target"
# No sanitizer: they need a nightly compiler, and there is no unsafe code to watch here.
until=$((SECONDS + ${TIME:-60}))
while [ $SECONDS -lt $until ]; do
    cargo fuzz run --fuzz-dir tests/fuzz --target-dir "$LESSOR_TARGET/fuzz" -s none "$target" \
        "$found" "tests/fuzz/corpus/$target" -- -max_total_time=$((until - SECONDS)) \
        -max_len=4096 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 ${pieces[$target]:-}
done
