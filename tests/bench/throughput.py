"""How fast packets go: one TCP stream, connections and round trips, through a lab and beside what bounds it.

In one run, in one node of the lab where it is possible: a plain veth pair, a bare bridge of the same Open vSwitch (one
NORMAL flow, ends set as the agent sets its own), ports without and with port security and groups, and the same between
two nodes. Ratios are to what stands beside it in this run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time

from nebula_lab import Lab

from tests.bench import plain_ovs
from tests.bench.figures import Figure
from tests.bench.lab import Tenant, _down, _up

STREAM_S = 3
RUNS = 3
PORT = 5201
_AS_IT_COMES = "between nodes, Open vSwitch as it comes"

_BARE = """
ovs-vsctl add-br bare -- set bridge bare datapath_type=$(ovs-vsctl get bridge br-int datapath_type) fail_mode=standalone
for n in 1 2; do
    ip netns add bare$n
    ip link add bare$n type veth peer name eth0 netns bare$n
    ip netns exec bare$n ethtool -K eth0 tx on tx-udp-segmentation off tx-checksum-sctp off > /dev/null
    ip -n bare$n address add 10.9.1.$n/24 dev eth0 && ip -n bare$n link set eth0 up && ip link set bare$n up
    ovs-vsctl add-port bare bare$n
done
ip netns add plain1; ip netns add plain2
ip link add eth0 netns plain1 type veth peer name eth0 netns plain2
for n in 1 2; do ip -n plain$n address add 10.9.2.$n/24 dev eth0 && ip -n plain$n link set eth0 up; done
"""
_CONNECT = """
import socket, sys, time
end, count = time.monotonic() + 1, 0
while time.monotonic() < end:
    socket.create_connection((sys.argv[1], 5202), 2).close()
    count += 1
print(count)
"""
_ACCEPT = """
import socket
s = socket.create_server(("", 5202), backlog=512)
while True: s.accept()[0].close()
"""


class Measured:
    """Samples of a path."""

    def __init__(self) -> None:
        self.streams: list[float] = []
        """Gb/s of one TCP stream."""
        self.sent_again: list[float] = []
        """Segments of it that were sent again, of frames as long as the MTU."""
        self.rates: list[float] = []
        """Connections/s of one client."""
        self.trips: list[float] = []
        """Round trips in microseconds."""


class Path:
    """Two namespaces on nodes of a lab, and the address of the second."""

    def __init__(self, lab: Lab, client: tuple[str, str], server: tuple[str, str], address: str) -> None:
        self._lab = lab
        self._client, self._server, self._address = client, server, address

    def _argv(self, end: tuple[str, str], *argv: str) -> list[str]:
        return self._lab.enter(end[0], ["ip", "netns", "exec", end[1], *argv])

    def run(self, *argv: str) -> str:
        line, nothing = self._argv(self._client, *argv), subprocess.DEVNULL
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True, stdin=nothing)
        return done.stdout

    def measure(self) -> Measured:
        """All that is measured on a path."""
        servers = [
            subprocess.Popen(self._argv(self._server, *argv), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            for argv in (("iperf3", "-s", "-p", str(PORT)), ("python3", "-c", _ACCEPT))
        ]
        try:
            time.sleep(0.7)
            found = Measured()
            for _ in range(RUNS):
                argv = ("iperf3", "-J", "-c", self._address, "-p", str(PORT), "-t", str(STREAM_S))
                end = json.loads(self.run(*argv))["end"]
                found.streams.append(end["sum_received"]["bits_per_second"] / 1e9)
                found.sent_again.append(end["sum_sent"]["retransmits"])
                found.rates.append(float(self.run("python3", "-c", _CONNECT, self._address)))
                summary = self.run("ping", "-q", "-n", "-i", "0.002", "-c", "300", self._address)
                found.trips.append(float(summary.rsplit(" = ", 1)[1].split("/")[1]) * 1000)
        finally:
            for server in servers:
                server.terminate()
                server.wait(10)
        return found


def figures() -> list[Figure]:
    """All paths, and the ratios between them."""
    try:
        lab = _up()
        paths = _paths(lab)
        measured = {name: path.measure() for name, path in paths.items()}
    finally:
        _down()
    found: list[Figure] = []
    for name, path in measured.items():
        found.append(Figure(f"{name}: one TCP stream", "Gb/s", tuple(path.streams)))
        found.append(Figure(f"{name}: segments sent again", "n", tuple(path.sent_again)))
        found.append(Figure(f"{name}: connections of one client", "1/s", tuple(path.rates)))
        found.append(Figure(f"{name}: round trip", "µs", tuple(path.trips)))
    streams = {name: path.streams for name, path in measured.items()}
    plain = {f"one node, Open vSwitch {way}": plain_ovs.on_one_node(way, RUNS, STREAM_S) for way in plain_ovs.WAYS}
    streams[_AS_IT_COMES] = plain[_AS_IT_COMES] = plain_ovs.between_nodes(RUNS, STREAM_S)
    found += [Figure(f"{name}: one TCP stream", "Gb/s", tuple(samples)) for name, samples in plain.items()]
    for name, beside, goal in (
        ("one node", "bare bridge", "0.9"),
        ("one node, groups", "bare bridge", "0.75"),
        ("one node", "plain veth", "0.6"),
        ("between nodes", _AS_IT_COMES, "6"),
    ):
        ratio = statistics.median(streams[name]) / statistics.median(streams[beside])
        found.append(Figure(f"TCP stream: {name} / {beside}", "ratio", (ratio,), goal))
    return found


def _paths(lab: Lab) -> dict[str, Path]:
    tenant = Tenant(lab)
    network, _subnet = tenant.network("fast", "10.8.0.0/24")
    ends: dict[tuple[str, bool, int], tuple[tuple[str, str], str]] = {}
    servers = []
    for node, number in (("compute1", 1), ("compute1", 2), ("compute2", 1)):
        for secured in (False, True):
            port = tenant.make("ports", "port", network_id=network, port_security_enabled=secured)
            body = {"server": {"name": "fast", "networks": [{"port": port["id"]}], "host": node}}
            server = str(tenant.cloud.request("POST", "/compute/v2.1/servers", body)["server"]["id"])  # type: ignore[index]
            servers.append(server)
            ends[node, secured, number] = ((node, f"instance-{server}"), port["fixed_ips"][0]["ip_address"])
    tenant.until_active(servers)
    time.sleep(2)  # leases
    subprocess.run(lab.enter("compute1", ["sh", "-ec", _BARE]), check=True, timeout=60, stdin=subprocess.DEVNULL)
    paths = {
        "plain veth": Path(lab, ("compute1", "plain1"), ("compute1", "plain2"), "10.9.2.2"),
        "bare bridge": Path(lab, ("compute1", "bare1"), ("compute1", "bare2"), "10.9.1.2"),
    }
    for secured, words in ((False, ""), (True, ", groups")):
        client = ends["compute1", secured, 1][0]
        paths[f"one node{words}"] = Path(lab, client, *ends["compute1", secured, 2])
        paths[f"between nodes{words}"] = Path(lab, client, *ends["compute2", secured, 1])
    return paths
