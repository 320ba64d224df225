"""What Open vSwitch's userspace datapath carries without Nebula: as it comes, with its offload, with AF_XDP.

Everything happens in private namespaces (network, mount, PID); they end with the script. Needs root.
"""

from __future__ import annotations

import json
import subprocess

_START = """
mount -t tmpfs -o mode=755 run /run && mkdir /run/netns && ip link set lo up
ip link add wire type bridge && ip link set wire up
sysctl -qew net.bridge.bridge-nf-call-iptables=0
switch() {    # a node with its own Open vSwitch: NAME SETTING
    ip netns add $1 && mkdir /run/$1 && ip -n $1 link set lo up && export OVS_RUNDIR=/run/$1
    ovsdb-tool create /run/$1/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /run/$1/conf.db --remote=punix:/run/$1/db.sock --pidfile --detach --log-file=/run/$1/db.log
    ovs-vsctl --no-wait init -- set open_vswitch . other_config:userspace-tso-enable=$2
    ip netns exec $1 ovs-vswitchd --pidfile --detach --log-file=/run/$1/switch.log
    ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev
}
guest() {    # NODE NUMBER OFFLOADS TYPE
    ip netns add guest$2
    ip -n $1 link add tap$2 mtu 1450 type veth peer name eth0 mtu 1450 netns guest$2 && ip -n $1 link set tap$2 up
    ip netns exec guest$2 ethtool -K eth0 $3 > /dev/null
    ip -n guest$2 address add 10.9.0.$2/24 dev eth0 && ip -n guest$2 link set eth0 up
    ovs-vsctl add-port br0 tap$2 -- set interface tap$2 type=$4
}
measure() {    # RUNS SECONDS
    ip netns exec guest1 ping -q -c 20 -i 0.2 10.9.0.2 > /dev/null
    ip netns exec guest2 iperf3 -s -D -p 5201
    sleep 0.7
    for run in $(seq $1); do ip netns exec guest1 iperf3 -J -c 10.9.0.2 -p 5201 -t $2 | tr -d '\\n'; echo; done
}
"""
_TWO_NODES = """
for n in 1 2; do
    switch node$n false
    guest node$n $n "tx off" system
    ip link add u$n type veth peer name underlay0 netns node$n && ip link set u$n master wire up
    ip netns exec node$n ethtool -K underlay0 tx off > /dev/null
    ip -n node$n link set underlay0 up
    ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy underlay0 \
        -- add-port br0 vxlan0 -- set interface vxlan0 type=vxlan options:remote_ip=10.0.0.$((3 - n)) options:key=1
    ip -n node$n address add 10.0.0.$n/24 dev br-phy && ip -n node$n link set br-phy up
done
"""
_ONE_NODE = {
    "as it comes": 'switch node false; for n in 1 2; do guest node $n "tx off" system; done',
    "with userspace-tso-enable": "switch node true; "
    'for n in 1 2; do guest node $n "tx on tx-udp-segmentation off tx-checksum-sctp off" system; done',
    "with AF_XDP ports": 'switch node false; for n in 1 2; do guest node $n "tx off" afxdp; done',
}
WAYS = tuple(_ONE_NODE)


def between_nodes(runs: int, seconds: int) -> list[float]:
    """Gb/s of one TCP stream between two nodes, by Open vSwitch's own tunnels. Raises CalledProcessError."""
    return _streams(_TWO_NODES, runs, seconds)


def on_one_node(way: str, runs: int, seconds: int) -> list[float]:
    """Gb/s of one TCP stream between two ports; ``way`` is one of WAYS. Raises CalledProcessError."""
    return _streams(_ONE_NODE[way], runs, seconds)


def _streams(nodes: str, runs: int, seconds: int) -> list[float]:
    argv = ["unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*argv, "sh", "-ec", f'{_START}{nodes}\nmeasure "$1" "$2"', "sh", str(runs), str(seconds)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line)["end"]["sum_received"]["bits_per_second"] / 1e9 for line in done.stdout.splitlines()]
