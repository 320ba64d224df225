"""Nodes that join by tokens, as real hosts do: real daemons in a lab's namespaces, a controller that listens with TLS.

What is said of revocation and of another authority is shown here with packets and with the real programs.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.netns.lab_machine import Machine
from tests.system.joined_site import AGENT, CONTROLLER, LIFETIME_S, URL, Site, metrics_of, python, said_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="plays a whole machine, which needs root")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    machine = Machine()
    try:
        yield Site(machine)
    finally:
        machine.close()


@pytest.fixture(scope="module")
def pinged(site: Site) -> str:
    """Two nodes joined, one with its agent waiting for that; a network over both, an instance on it with an address."""
    site.join("net1", site.first_token(), "network")
    site.join("compute1", site.first_token(), "compute", started=True)
    site.until(lambda: site.alive("net1") == site.alive("compute1") == {"True"})
    site.ctl("network", "create", "n")
    site.ctl("subnet", "create", "s", "--network", "n", "--subnet-range", "192.168.50.0/24")
    site.ctl("instance", "create", "i", "--network", "n", "--node", "compute1", "--wait")
    return str(site.ctl("instance", "show", "i", "-f", "value", "-c", "id"))


DHCP = "192.168.50.2"
"""The DHCP server's address: it is on net1."""


def ping(site: Site, instance: str, count: int = 3) -> str:
    """From the instance on compute1 to the DHCP server's port on net1: through the tunnel."""
    line = f"ip netns exec instance-{instance} ping -c {count} -i 0.2 -W 2 {DHCP} || true"
    return site.on("compute1", "sh", "-c", line)


def test_packets_flow_between_nodes_that_joined(site: Site, pinged: str) -> None:
    """The instance has its address from the other node, and its packets get there."""
    assert "3 received" in ping(site, pinged)
    listed = site.ctl("node", "token", "list", "-f", "value", "-c", "State", "-c", "Used By").splitlines()
    assert sorted(listed) == ["used compute1", "used net1"]


def test_both_daemons_tell_prometheus_how_they_are(site: Site, pinged: str) -> None:
    """The port is ACTIVE for both, each node is up and not behind, flows are counted, the end of certificates told."""
    agent = scraped(site, "compute1", metrics_of("compute1"))
    assert agent['nebula_agent_ports{status="ACTIVE"}'] == 1
    assert agent['nebula_agent_flows{bridge="br-int"}'] > 10
    assert agent["nebula_agent_problems"] == agent["nebula_agent_held"] == 0
    assert agent["nebula_agent_view_revision"] == agent["nebula_agent_applied_revision"] > 1
    assert agent["nebula_agent_feed_age_seconds"] < 60
    site.until(lambda: scraped(site, "net1", "127.0.0.1:9699")['nebula_node_lag_seconds{host="compute1"}'] == 0)
    controller = scraped(site, "net1", "127.0.0.1:9699")
    assert controller['nebula_node_up{host="net1"}'] == controller['nebula_node_up{host="compute1"}'] == 1
    assert controller['nebula_ports{status="ACTIVE"}'] == 2  # the instance's and the DHCP server's
    for host in ("net1", "compute1"):
        own = scraped(site, host, metrics_of(host))["nebula_agent_certificate_expiry_timestamp_seconds"]
        told = controller[f'nebula_node_certificate_expiry_timestamp_seconds{{host="{host}"}}']
        assert abs(own - told) <= LIFETIME_S  # one may have been renewed meanwhile
    listed = json.loads(site.ctl("node", "list", "--long", "-f", "json"))
    shown = {row["Node"]: (row["Health"], row["Joined"], row["Datapath"]) for row in listed}
    assert shown == dict.fromkeys(("net1", "compute1"), ("ok", "yes", "netdev"))


def scraped(site: Site, node: str, address: str) -> dict[str, float]:
    """Samples by name and labels, as they are written."""
    lines = site.on(node, "curl", "-fsS", f"http://{address}/metrics").splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _blank, value in pairs}


def test_certificates_are_renewed_while_all_goes_on(site: Site, pinged: str) -> None:
    """Beyond two lifetimes both nodes are alive, each poll and report was taken, and the node makes changes."""

    def ends(node: str) -> float:
        found = json.loads(site.on(node, "cat", "/var/lib/nebula/identity/joined.json"))
        return float(found["expires_at_s"])

    first = {node: ends(node) for node in ("net1", "compute1")}
    site.until(lambda: all(ends(node) > first[node] + LIFETIME_S / 2 for node in first), 2 * LIFETIME_S)
    site.until(lambda: time.time() > max(first.values()) + 1, 2 * LIFETIME_S)
    site.ctl("network", "create", "after", "--wait")
    assert site.alive("net1") == site.alive("compute1") == {"True"}
    for node in first:
        said = site.log(node)
        assert "certificate renewed" in said
        assert not any(word in said for word in ("WARNING no view", "gives no view", "refuses", "takes no report")), (
            said
        )
    assert "3 received" in ping(site, pinged)


def test_another_authority_takes_over_while_all_goes_on(site: Site, pinged: str) -> None:
    """By the command beside the running controller: both nodes get certificates of the new one by themselves, the old
    one is refused to be retired before that, and afterwards nodes, clients and packets go on."""

    def authority(*words: str) -> str:
        return site.on("net1", *python(CONTROLLER), "--state-dir=/var/lib/c/state", "authority", *words)

    def shows() -> list[str]:
        return [line.rpartition(" by ")[2] for line in authority("status").splitlines()]

    assert shows() == ["compute1, net1"]
    authority("rotate")
    site.until(lambda: shows() == ["no node", "compute1, net1"])
    authority("retire")
    site.until(lambda: site.on("compute1", "cat", "/var/lib/nebula/identity/authority.pem") == authority())
    site.ctl("network", "create", "later", "--wait")
    assert site.alive("net1") == site.alive("compute1") == {"True"}
    assert "3 received" in ping(site, pinged)


FILE = "/run/looked-at.pcapng"


def interfaces(site: Site) -> Counter[str]:
    """How many packets the file has of each point."""
    return Counter(site.on("compute1", "tshark", "-r", FILE, "-T", "fields", "-e", "frame.interface_name").split("\n"))


def test_a_capture_on_nodes_that_joined(site: Site, pinged: str) -> None:
    """Through the same TLS as all else: one file with both nodes' points, and a packet's number on all of them."""
    process = site.capture("path", "i", DHCP, "-w", FILE, "--filter", "icmp", "-c", "24")
    ping(site, pinged)
    _out, error = process.communicate(timeout=40)
    assert (process.returncode, "24 packets captured, 0 dropped by the kernel" in error) == (0, True), error
    points = ("compute1: i eth0", "compute1: underlay", "net1: underlay", "net1: n dhcp")
    assert interfaces(site) == {**dict.fromkeys(points, 6), "": 1}


def test_a_real_packet_traced_between_nodes_that_joined(site: Site, pinged: str) -> None:
    """Predicted and seen, there and back, over both nodes."""
    found = json.loads(site.ctl("trace", "i", DHCP, "--live", "-f", "json"))
    assert (found["verdict"], found["live"]["agrees"]) == ("reached", True), found["live"]
    assert [leg["host"] for leg in found["there"]["legs"]] == ["compute1", "net1"]


def test_a_capture_outlives_a_node_that_is_revoked(site: Site, pinged: str) -> None:
    """What it saw before is there, the gap is named, what the other node sees is delivered, and no ring is left."""
    process = site.capture("path", "i", DHCP, "-w", FILE, "--print", "--filter", "icmp", "-c", "9")
    ping(site, pinged, 1)
    for _packet in range(8):
        said_until(process.stdout, "echo")
    site.ctl("node", "revoke", "compute1")
    (*_others, gap) = said_until(process.stderr, "gone")
    assert "node compute1 is gone: " in gap
    ping(site, pinged, 1)  # comes as far as the other node's underlay
    _out, error = process.communicate(timeout=40)
    assert (process.returncode, "9 packets captured" in error) == (1, True), error
    seen = interfaces(site)
    assert (seen["compute1: i eth0"], seen["compute1: underlay"], seen["net1: underlay"]) == (2, 2, 3)
    rings = "! grep -q socket: /proc/$(cat /run/nebula/agent.pid)/maps"
    site.on("compute1", "sh", "-c", f"for i in $(seq 300); do {rings} && exit; sleep 0.1; done; exit 1")
    rejoin(site)


def rejoin(site: Site) -> None:
    """As an administrator does: nothing is started again."""
    token = site.ctl("node", "token", "create", "--host", "compute1", "-f", "value", "-c", "token")
    site.on("compute1", *python(AGENT), "join", URL, token, "--config=/run/joined.toml")
    site.until(lambda: site.alive("compute1") == {"True"})


def test_a_revoked_node_is_out_at_once_and_back_when_it_joins(site: Site, pinged: str) -> None:
    """Down from the moment of the call; told why; once the others have done it none of its packets gets to anybody;
    joining anew is enough, without a restart."""
    assert "3 received" in ping(site, pinged)
    line = site.ctl_line("node", "revoke", "compute1", "--wait")
    told = site.on("compute1", "sh", "-c", 'exec "$@" 2>&1', "sh", *line)
    assert re.fullmatch(r"Done by the nodes: net1 \d+ ms\n", told), told
    assert " 0 received" in ping(site, pinged)
    assert site.alive("compute1") == {"False"}
    assert site.ctl("instance", "show", "i", "-f", "value", "-c", "node") == "compute1"
    assert site.ctl("port", "list", "--host", "compute1", "-f", "value", "-c", "Status") == "DOWN"
    site.until(lambda: "was revoked at" in site.log("compute1"))
    rejoin(site)
    site.until(lambda: "3 received" in ping(site, pinged))
