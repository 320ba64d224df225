"""The wires of a lab: three segments, the outside world behind one of them, and the nodes' links.

Pure, but for ``lay_*``: those run ip(8) and ethtool(8) inside the lab's places.

Segments are Linux bridges in the fabric: ``mgmt`` 10.200.0.0/24 with the controller at .1, ``underlay``
10.201.0.0/24, ``provider`` 203.0.113.0/24 (RFC 5737) with the outside world's router at .1, which knows nothing of
private addresses; behind it 198.51.100.10 (RFC 5737), a web server. No link has an IPv6 address of its own, no
bridge speaks STP or MLD: an idle lab's segments carry nothing.
"""

from __future__ import annotations

import contextlib

from nebula.errors import CommandFailed
from nebula_lab.space import Space
from nebula_lab.state import NodePlan

FABRIC, OUTSIDE, WEB = "fabric", "outside", "web"
CONTROLLER_IP = "10.200.0.1"
PROVIDER_CIDR = "203.0.113.0/24"
PROVIDER_GATEWAY = "203.0.113.1"
WEB_IP = "198.51.100.10"
UNDERLAY_MTU_BYTES = 1500
PHYSICAL_NETWORK = "provider"
SEGMENTS = ("mgmt", "underlay", "provider")
_NETFILTER = ("arptables", "iptables", "ip6tables")


def mgmt_ip(node: NodePlan) -> str:
    """The node's address for the controller."""
    return f"10.200.0.{9 + node.number}"


def underlay_ip(node: NodePlan) -> str:
    """The node's tunnel address (VTEP)."""
    return f"10.201.0.{9 + node.number}"


def fabric_end(segment: str, place: str) -> str:
    """Name in the fabric of the link from ``place`` to a segment: ``u-net1``."""
    return f"{segment[0]}-{place}"


def fabric_batch() -> str:
    """Input of ``ip -batch`` for the segments."""
    lines = ["link set dev lo up"]
    for segment in SEGMENTS:
        lines.append(f"link add name {segment} type bridge stp_state 0 mcast_snooping 0")
        lines.append(f"link set dev {segment} addrgenmode none")
    lines.append(f"address add {CONTROLLER_IP}/24 dev mgmt")
    lines += [f"link set dev {segment} up" for segment in SEGMENTS]
    return "\n".join(lines) + "\n"


def mac_address(segment: str, number: int) -> str:
    """Of the interface on a segment: locally administered, and the same when its place is built again.

    The others have it in their neighbour tables.
    """
    return f"02:4e:00:{SEGMENTS.index(segment):02x}:{number // 256:02x}:{number % 256:02x}"


def link_batch(place: str, ends: dict[str, str], pid: int) -> str:
    """Links from segments to the place whose init is ``pid``; ``ends`` are their names inside by segment."""
    lines = []
    for segment, inside in ends.items():
        end = fabric_end(segment, place)
        lines.append(f"link add name {end} mtu {UNDERLAY_MTU_BYTES} type veth peer name {inside} netns {pid}")
        lines.append(f"link set dev {end} addrgenmode none")
        lines.append(f"link set dev {end} master {segment} up")
    return "\n".join(lines) + "\n"


def node_batch(node: NodePlan) -> str:
    """Input of ``ip -batch`` inside a node: its three interfaces."""
    lines = ["link set dev lo up"]
    for segment in SEGMENTS:
        address = mac_address(segment, 9 + node.number)
        lines.append(f"link set dev {segment}0 address {address} addrgenmode none")
    lines.append(f"address replace {mgmt_ip(node)}/24 dev mgmt0")
    lines.append(f"address replace {underlay_ip(node)}/24 dev underlay0")
    lines += [f"link set dev {device} up" for device in ("mgmt0", "underlay0", "provider0")]
    return "\n".join(lines) + "\n"


def lay_segments(fabric: Space) -> None:
    """Make the three bridges: wires, whose frames no iptables looks at. Raises CommandFailed.

    Where the machine has br_netfilter loaded every new network namespace has it on: a quarter of a tunnel's time.
    """
    fabric.run(["ip", "-batch", "-"], stdin=fabric_batch())
    fabric.run(["sysctl", "-qew", *(f"net.bridge.bridge-nf-call-{table}=0" for table in _NETFILTER)])


def lay_node(fabric: Space, node: NodePlan, space: Space, datapath_type: str) -> None:
    """Connect a new node to the three segments. Raises CommandFailed.

    Where the node lived before, its old links may still be on their way out.
    """
    ends = {"mgmt": "mgmt0", "underlay": "underlay0", "provider": "provider0"}
    _connect(fabric, node.name, ends, space)
    if datapath_type == "netdev":
        # What leaves the node is whole, as from a network card: segments cut, checksums filled in.
        for device in ("underlay0", "provider0"):
            _checksum_in_software(space, device)
    space.run(["ip", "-batch", "-"], stdin=node_batch(node))


def lay_outside(fabric: Space, outside: Space) -> None:
    """The outside world's router: on the provider segment, and towards the web server. Raises CommandFailed."""
    _connect(fabric, OUTSIDE, {"provider": "provider0"}, outside)
    outside.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    outside.run(
        ["ip", "-batch", "-"],
        stdin=f"link set dev lo up\nlink set dev provider0 address {mac_address('provider', 1)} addrgenmode none\n"
        f"address add {PROVIDER_GATEWAY}/24 dev provider0\nlink set dev provider0 up\n",
    )
    _checksum_in_software(outside, "provider0")


def lay_web(outside: Space, web: Space) -> None:
    """The web server's link to the outside world's router. Raises CommandFailed."""
    outside.run(
        ["ip", "-batch", "-"],
        network_only=True,
        stdin=f"link add name web0 type veth peer name eth0 netns {web.init.pid}\n"
        "link set dev web0 addrgenmode none\naddress add 198.51.100.1/24 dev web0\nlink set dev web0 up\n",
    )
    web.run(
        ["ip", "-batch", "-"],
        stdin="link set dev lo up\nlink set dev eth0 addrgenmode none\n"
        f"address add {WEB_IP}/24 dev eth0\nlink set dev eth0 up\nroute add default via 198.51.100.1\n",
    )


def _connect(fabric: Space, place: str, ends: dict[str, str], space: Space) -> None:
    stale = "".join(f"link delete dev {fabric_end(segment, place)}\n" for segment in ends)
    existing = {line.split("@")[0] for line in fabric.run(["ls", "/sys/class/net"]).split()}
    if any(fabric_end(segment, place) in existing for segment in ends):
        with contextlib.suppress(CommandFailed):  # gone by itself meanwhile; one that stays is told by the next command
            fabric.run(["ip", "-force", "-batch", "-"], stdin=stale)
    fabric.run(["ip", "-batch", "-"], stdin=link_batch(place, ends, space.init.pid), network_only=True)


def _checksum_in_software(space: Space, device: str) -> None:
    space.run(["ethtool", "-K", device, "tx", "off"])
