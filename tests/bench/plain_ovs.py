"""What Open vSwitch's userspace datapath carries between two nodes as it comes: no Nebula, no offload, its own tunnels.

Everything happens in private namespaces (network, mount, PID); they end with the script. Needs root.
"""

from __future__ import annotations

import json
import subprocess

_NODES = """
mount -t tmpfs -o mode=755 run /run && mkdir /run/netns && ip link set lo up
ip link add wire type bridge && ip link set wire up
sysctl -qew net.bridge.bridge-nf-call-iptables=0
for n in 1 2; do
    ip netns add node$n && ip netns add guest$n && mkdir /run/ovs$n
    ip link add u$n type veth peer name underlay0 netns node$n && ip link set u$n master wire up
    ip netns exec node$n ethtool -K underlay0 tx off > /dev/null
    ip -n node$n link set lo up && ip -n node$n link set underlay0 up
    ip -n node$n link add tap0 mtu 1450 type veth peer name eth0 mtu 1450 netns guest$n && ip -n node$n link set tap0 up
    ip netns exec guest$n ethtool -K eth0 tx off > /dev/null
    ip -n guest$n address add 10.9.0.$n/24 dev eth0 && ip -n guest$n link set eth0 up
    export OVS_RUNDIR=/run/ovs$n
    ovsdb-tool create /run/ovs$n/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /run/ovs$n/conf.db --remote=punix:/run/ovs$n/db.sock --pidfile --detach --log-file=/run/ovs$n/db.log
    ovs-vsctl --no-wait init
    ip netns exec node$n ovs-vswitchd --pidfile --detach --log-file=/run/ovs$n/switch.log
    ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy underlay0 \
        -- add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 tap0 -- add-port br0 vxlan0 \
        -- set interface vxlan0 type=vxlan options:remote_ip=10.0.0.$((3 - n)) options:key=1
    ip -n node$n address add 10.0.0.$n/24 dev br-phy && ip -n node$n link set br-phy up
done
ip netns exec guest1 ping -q -c 20 -i 0.2 10.9.0.2 > /dev/null
ip netns exec guest2 iperf3 -s -D -p 5201
sleep 0.7
for run in $(seq "$1"); do ip netns exec guest1 iperf3 -J -c 10.9.0.2 -p 5201 -t "$2" | tr -d '\\n'; echo; done
"""


def stream(runs: int, seconds: int) -> list[float]:
    """Gb/s of one TCP stream between two nodes. Raises CalledProcessError."""
    argv = ["unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*argv, "sh", "-ec", _NODES, "sh", str(runs), str(seconds)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line)["end"]["sum_received"]["bits_per_second"] / 1e9 for line in done.stdout.splitlines()]
