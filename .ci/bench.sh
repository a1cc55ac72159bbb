#!/bin/bash
# Builds what `make bench` measures, and measures it: all rows, or those whose names begin with one
# of ROWS, with QUICK=1 in less time; stores are in STORE_DIR or below target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/env.sh

# Not in one go: what the benches want of the library is no part of the product.
cargo build --release -p lessor
cargo build --release -p lessor-load
cargo build --release -p lessor-benches --bins
decide=$(cargo bench -p lessor-benches --bench decide --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/.*Executable.*(\(.*\))/\1/p')

arguments=(--out "$LESSOR_TARGET/bench" --decide-bench "$decide")
[ -z "${QUICK:-}" ] || arguments+=(--quick)
[ -z "${STORE_DIR:-}" ] || arguments+=(--store-dir "$STORE_DIR")
for row in ${ROWS:-}; do
    arguments+=(--rows "$row")
done
exec "$LESSOR_TARGET/release/lessor-bench" "${arguments[@]}"
