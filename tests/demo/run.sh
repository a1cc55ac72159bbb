#!/bin/bash
# Shows Lessor at work: a server on a veth in a namespace, a real client in another that obtains,
# renews and releases a lease. Then it stays up until Ctrl-C, and removes all that it made.
#
#   namespace lessor-demo-client            namespace lessor-demo-server
#        udhcpc ── eth0 ───────── veth ───────── eth0 ── af_packet ── lessor
#
# usage: run.sh LESSOR [--once]      LESSOR is the program; with --once it ends after the show
# $LESSOR_DEMO names another demonstration, so that two can run side by side.
set -euo pipefail

lessor=$(realpath "$1")
once=${2:-}
name=${LESSOR_DEMO:-lessor-demo}
server=$name-server
client=$name-client
dir=/run/$name
config=$dir/lessor.toml

say() { printf '\n== %s\n' "$*"; }

# Removes what this run, or one that was killed, has made.
clean_up() {
    local namespace pids
    for namespace in $client $server; do
        [ -e /run/netns/$namespace ] || continue
        pids=$(ip netns pids $namespace)
        # shellcheck disable=SC2086 # one word a process
        [ -z "$pids" ] || kill $pids 2>/dev/null || true
        for _ in $(seq 50); do
            [ -n "$(ip netns pids $namespace)" ] || break
            sleep 0.1
        done
        pids=$(ip netns pids $namespace)
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
        ip netns delete $namespace
    done
    rm -rf $dir
}

# Whether the file has a line like this after the given number of lines.
says() {
    tail -n "+$(($3 + 1))" "$1" 2>/dev/null | grep -Eq "$2"
}

# Waits until it has one.
await() {
    for _ in $(seq 600); do
        ! says "$1" "$2" "$3" || return 0
        sleep 0.1
    done
    say "waited in vain for \"$2\" in $1:"
    cat "$1"
    return 1
}

make_link() {
    ip netns add $server
    ip netns add $client
    ip -n $server link add eth0 type veth peer name eth0 netns $client
    ip -n $server link set eth0 up
    ip -n $client link set lo up
    ip -n $client link set eth0 up
    # af_packet sees frames before an offload would have filled in their checksums.
    ip netns exec $client ethtool -K eth0 tx off >/dev/null
}

# Whether the kernel has hugepages for the server; without, it takes ordinary ones.
no_huge() {
    local free=/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages
    if [ -r $free ] && [ "$(<$free)" -ge 200 ]; then
        echo false
    else
        say "too few hugepages are free: the server takes ordinary pages" >&2
        echo true
    fi
}

write_config() {
    cat >$config <<END
[server]
control = "$dir/control.sock"
max_parked = 1024
mbufs = 4096

[store]
directory = "$dir/store"

[eal]
no_huge = $(no_huge)
memory = "128MiB"
in_memory = true

[[ports]]
name = "access"
device = "net_af_packet0,iface=eth0,qdisc_bypass=1,framesz=2048,blocksz=65536,framecnt=8192"
addresses = ["10.77.0.1/24"]

[[networks]]
name = "home"

[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.200"]
options = { routers = ["10.77.0.1"], domain-name-servers = ["10.77.0.1"] }
END
    mkdir -p $dir/store
}

write_hook() {
    cat >$dir/hook <<'END'
#!/bin/sh
# What a client runs to configure the interface: udhcpc with $1 and $ip, dhclient with $reason.
interface=${interface:-eth0}
case "${1:-$reason}" in
bound | renew) ip addr replace "$ip/$mask" dev "$interface" ;;
BOUND | RENEW | REBIND | REBOOT)
    ip addr replace "$new_ip_address/$new_subnet_mask" dev "$interface" ;;
deconfig | EXPIRE | FAIL | RELEASE | STOP) ip addr flush dev "$interface" scope global ;;
esac
END
    chmod +x $dir/hook
}

start_server() {
    # In a session of its own, so that Ctrl-C reaches this script alone.
    setsid setpriv --pdeathsig TERM ip netns exec $server "$lessor" run --config $config >$dir/server.log 2>&1 9>&- &
    server_pid=$!
    await $dir/server.log 'server\.ready' 0
    grep 'server\.ready' $dir/server.log
}

show_leases() { "$lessor" leases list --config $config; }

# Waits until the client says "$1", and shows what it said since $lines_shown and the leases.
show_client() {
    await $dir/client.log "$1" "$lines_shown"
    tail -n "+$((lines_shown + 1))" $dir/client.log
    lines_shown=$(wc -l <$dir/client.log)
    show_leases
}

# Sends the client a signal until it says "$2": while it runs its hook it may miss one.
tell_client() {
    for _ in $(seq 30); do
        kill "-$1" "$client_pid"
        for _ in $(seq 20); do
            ! says $dir/client.log "$2" "$lines_shown" || return 0
            sleep 0.1
        done
    done
    say "udhcpc does not heed SIG$1"
    return 1
}

show() {
    say "udhcpc obtains a lease"
    lines_shown=0
    setsid setpriv --pdeathsig TERM ip netns exec $client \
        udhcpc -f -i eth0 -s $dir/hook -t 10 -T 3 >$dir/client.log 2>&1 9>&- &
    client_pid=$!
    show_client "lease of .* obtained"
    ip -n $client -4 -brief addr show dev eth0
    say "udhcpc renews it"
    tell_client USR1 "sending renew"
    show_client "lease of .* obtained"
    say "udhcpc releases it"
    tell_client USR2 "sending release"
    show_client "entering released state"
    kill $client_pid
    wait $client_pid || true
}

# The server and the client do not inherit this lock: it goes with this script.
exec 9>$dir.lock
flock -n 9 || { say "another demonstration is running"; exit 1; }
clean_up
trap 'clean_up; rm -f $dir.lock' EXIT
trap 'exit 0' INT TERM
mkdir -p $dir

say "two namespaces, a veth between them, and the server on its end"
make_link
write_config
write_hook
start_server
show
[ "$once" != --once ] || exit 0

say "the server stays up until Ctrl-C"
cat <<END
another client:  ip netns exec $client udhcpc -f -i eth0 -s $dir/hook
             or  ip netns exec $client dhclient -d -sf $dir/hook \\
                     -lf $dir/dhclient.leases -pf $dir/dhclient.pid eth0
leases:          $lessor leases list --config $config
counters:        $lessor stats --config $config
configuration:   $config
store:           $dir/store
log:             $dir/server.log
END
wait $server_pid
