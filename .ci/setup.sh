#!/bin/bash
# Installs what is missing of what its arguments name: packages, rust, hugepages, nextest,
# fuzz, bench.
# Does nothing, and takes no time, where everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    # To build: DPDK with its drivers, and libclang for the bindings.
    build-essential ca-certificates pkg-config libdpdk-dev libclang-dev
    # The topologies of `make run` and of the tests.
    iproute2 ethtool procps util-linux
    # The disks that the tests fill and break.
    mount e2fsprogs perl-base
    # The real clients, a relay, a second server, and perfdhcp (kea-admin).
    isc-dhcp-client udhcpc dhcpcd-base systemd isc-dhcp-relay dnsmasq-base kea-admin
)
# The yardstick (testpmd is in dpdk-dev) and the other servers of `make bench`.
bench_packages=(dpdk-dev kea-dhcp4-server isc-dhcp-server dnsmasq-base)
hugepages_wanted=256

say() { echo "setup: $*"; }

as_root() {
    [ "$(id -u)" = 0 ] && return
    say "$* needs root" >&2
    return 1
}

# Installs Debian packages without starting any service that they bring.
install_packages() {
    as_root "installing $*"
    say "installing $*"
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        # shellcheck disable=SC2064 # the path is known now
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -qy install --no-install-recommends "$@"
}

# Installs those of its arguments that are missing.
need_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -Wf '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

setup_packages() {
    need_packages "${packages[@]}"
}

setup_bench() {
    need_packages "${bench_packages[@]}"
}

setup_rust() {
    . .ci/env.sh
    find_cargo >/dev/null && return
    say "no cargo of $rust_wanted or later found, taking Debian's"
    install_packages cargo-web rustc-web
    hash -r
    find_cargo >/dev/null || {
        say "Debian's cargo is older than $rust_wanted too; see https://rustup.rs" >&2
        return 1
    }
}

# Asks the kernel for hugepages; the server falls back to ordinary pages where there are none.
setup_hugepages() {
    local pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
    [ -e $pages ] || { say "this kernel has no hugepages of 2 MiB"; return; }
    [ "$(<$pages)" -ge $hugepages_wanted ] && return
    as_root "reserving hugepages" || return 0
    echo $hugepages_wanted >$pages 2>/dev/null || true
    [ "$(<$pages)" -ge $hugepages_wanted ] ||
        say "the kernel gave $(<$pages) of $hugepages_wanted hugepages of 2 MiB"
}

setup_nextest() {
    . .ci/env.sh
    cargo nextest --version >/dev/null 2>&1 && return
    say "building cargo-nextest (once)"
    # Into a target folder of its own, removed again: its artefacts serve nothing else.
    local scratch
    scratch=$(mktemp -d)
    CARGO_TARGET_DIR=$scratch cargo install cargo-nextest --locked ||
        say "cargo-nextest cannot be built here; \`cargo test\` will run the tests"
    rm -rf "$scratch"
}

setup_fuzz() {
    . .ci/env.sh
    cargo fuzz --version >/dev/null 2>&1 && return
    say "building cargo-fuzz (once)"
    local scratch
    scratch=$(mktemp -d)
    CARGO_TARGET_DIR=$scratch cargo install cargo-fuzz --locked
    rm -rf "$scratch"
}

for part in "$@"; do
    "setup_$part"
done
