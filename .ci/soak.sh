#!/bin/bash
# The simulation of the whole server, that of the store, and hostile stores, with rising seeds: until
# Ctrl-C, for HOURS, or until each of the store's has done ROUNDS; the server has one seed for forty
# of theirs. SEED says where it begins; by default each run has seeds of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/env.sh

tests=(
    store::log::tests::simulation::what_was_acknowledged_is_there_whatever_happens
    store::log::tests::fuzz::no_hostile_store_does_harm
)
step=1000
[ "${ROUNDS:-$step}" -ge $step ] || step=$ROUNDS
seed=${SEED:-$(date +%s)000}
until=$((SECONDS + $(awk -v hours="${HOURS:-1000000}" 'BEGIN { printf "%d", hours * 3600 }')))

# The profile of the product: the quickest, and overflow is checked there too.
built() {
    local program
    program=$(cargo test --release "$@" --no-run 2>&1 | tee /dev/stderr |
        sed -n 's/.*Executable.*(\(.*\))/\1/p')
    realpath "$program"
}
program=$(built -p lessor --lib)
server=$(built -p lessor-tests --test simulation)
echo "soak: from seed $seed on"
done_rounds=0
trap 'echo "soak: $done_rounds rounds of each passed"' EXIT
while [ $SECONDS -lt $until ] && [ "$done_rounds" -lt "${ROUNDS:-$((1 << 60))}" ]; do
    export LESSOR_SEED=$seed LESSOR_ROUNDS=$step RUST_BACKTRACE=1
    output=$(cd core/lessor && "$program" --exact "${tests[@]}" 2>&1 &&
        LESSOR_ROUNDS=$(((step + 39) / 40)) "$server" 2>&1) || {
        echo "$output"
        echo "soak: failed; the output above says with which seed"
        exit 1
    }
    seed=$((seed + step))
    done_rounds=$((done_rounds + step))
    [ $((done_rounds % (10 * step))) != 0 ] || echo "soak: $done_rounds rounds, $((SECONDS / 60)) minutes"
done
