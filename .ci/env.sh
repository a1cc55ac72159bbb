# Sourced: puts the first cargo of the wanted version in front of PATH, and says where cargo builds.

rust_wanted=1.95

# True where "$1 --version" says at least the wanted version.
new_enough() {
    local found
    found=$("$1" --version 2>/dev/null | awk '{print $2}') || return 1
    [ -n "$found" ] && printf '%s\n%s\n' "$rust_wanted" "$found" | sort -VC
}

# Prints the first cargo that is new enough.
find_cargo() {
    local candidate
    for candidate in "$(command -v cargo || true)" "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" \
        /usr/bin/cargo; do
        if [ -x "$candidate" ] && new_enough "$candidate" &&
            new_enough "$(dirname "$candidate")/rustc"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# `cargo install` puts nextest into the second folder, wherever cargo itself comes from.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
if cargo_found=$(find_cargo); then
    PATH="$(dirname "$cargo_found"):$PATH"
fi
export PATH
export LESSOR_TARGET="${CARGO_TARGET_DIR:-$PWD/target}"
