#!/bin/bash
# node-init controller|node|outside: what systemd does on a host, in a container: the files that an administrator writes,
# and the daemons, each started again when it ends, as their units say. /disk is the machine's disk, of limited size.
set -eu

keep() {  # LOG COMMAND...: a unit with Restart=always, RestartSec=1
    local log=$1
    shift
    while :; do "$@" >> "$log" 2>&1 || true; sleep 1; done &
}

device_with() {  # PREFIX: the device that has an address with it, once Docker has made it
    local found
    while :; do
        found=$(ip -o -4 address | sed -n "s|^[0-9]*: \([^ ]*\) *inet $1[0-9]*/.*|\1|p")
        [ -z "$found" ] || break
        sleep 0.1
    done
    echo "$found"
}

on_disk() {  # FOLDER: kept on the disk
    local kept
    kept=/disk/$(basename "$1")
    [ -d "$kept" ] || cp -a "$1" "$kept"
    rm -rf "$1"
    ln -s "$kept" "$1"
}

controller() {
    on_disk /var/lib/nebula-controller
    keep /var/log/nebula-controller.log setpriv --reuid nebula --regid nebula --clear-groups --bounding-set=-all \
        --no-new-privs nebula-controller --config /etc/nebula/controller.toml
}

node() {
    local underlay provider mapping=
    mount -o remount,rw /proc/sys  # Docker makes it read-only, also for the network namespaces that are made here
    mkdir -p /run/openvswitch /run/netns /var/lib/nebula /var/lib/openvswitch
    on_disk /var/lib/nebula
    on_disk /var/lib/openvswitch
    underlay=$(device_with 10.201.0.)
    ethtool -K "$underlay" tx off > /dev/null  # as on a wire: whole frames leave
    if [ "$ROLE" = network ]; then
        provider=$(device_with 203.0.113.)
        ethtool -K "$provider" tx off > /dev/null
        ip address flush dev "$provider"
        mapping="\"provider:br-ex:$provider\""
    fi
    cat > /etc/nebula/agent.toml << TOML
vtep_ip = "$(ip -o -4 address show "$underlay" | sed 's|.* inet \([^/]*\)/.*|\1|')"
datapath_type = "$DATAPATH_TYPE"
role = ["$ROLE"]
bridge_mapping = [$mapping]
TOML
    [ -e /var/lib/openvswitch/conf.db ] ||
        ovsdb-tool create /var/lib/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    keep /var/log/ovsdb-server.log ovsdb-server /var/lib/openvswitch/conf.db --pidfile --overwrite-pidfile \
        --remote=punix:/run/openvswitch/db.sock
    until ovs-vsctl --no-wait -- init -- set open_vswitch . other_config:userspace-tso-enable=true 2> /dev/null; do
        sleep 0.05
    done
    keep /var/log/ovs-vswitchd.log ovs-vswitchd --pidfile --overwrite-pidfile unix:/run/openvswitch/db.sock
    keep /var/log/nebula-agent.log nebula-agent --config /etc/nebula/agent.toml
}

outside() {
    ip address add 198.51.100.10/32 dev lo
    keep /var/log/web.log /usr/lib/nebula/bin/python -m nebula_lab.web 198.51.100.10:80
}

trap 'exit 0' TERM
"$1"
wait
