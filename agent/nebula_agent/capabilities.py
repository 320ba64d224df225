"""Which parts of the kernel and of Open vSwitch are there: tried out, not looked up by version.

Effects: rules loaded in a network namespace that goes with the program that loads them; netlink requests; /proc. The
kernel may load modules on them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nebula.errors import CommandFailed
from nebula.view.capability import Capability
from nebula_agent.edge import conntrack
from nebula_agent.edge.datapath import kernel_has_vxlan
from nebula_agent.edge.run import run

_TRACKS_CONNECTIONS = Path("/proc/sys/net/netfilter/nf_conntrack_max")
"""There once nf_conntrack is, which the kernel's openvswitch module needs for ``ct``, and brings with it."""
_HAS_IPV6 = Path("/proc/net/if_inet6")
_SOME_NAT = """*filter
-A FORWARD -o lo -m conntrack --ctstate INVALID -m comment --comment "nebula" -j DROP
COMMIT
*nat
-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 1:9 -j DNAT --to-destination 192.0.2.2:11-19/1
-A POSTROUTING -s 192.0.2.2/32 -o lo -j SNAT --to-source 192.0.2.1 --random-fully
COMMIT
"""
_FORWARDED = "-A PREROUTING -d 192.0.2.1/32 -p {0} -m {0} --dport 1 -j DNAT --to-destination 192.0.2.2:1\n"
_PROTOCOLS = {Capability.NAT_SCTP: "sctp", Capability.NAT_DCCP: "dccp"}


def loads(rules: str) -> bool:
    """True where the kernel takes these iptables rules, in a namespace of their own."""
    try:
        run(["unshare", "--net", "iptables-restore"], stdin=rules)
    except CommandFailed:
        return False
    return True


def probe(
    datapath_type: str,
    *,
    loads: Callable[[str], bool] = loads,
    ends_connections: Callable[[], bool] = conntrack.is_there,
    has_vxlan: Callable[[], bool] = kernel_has_vxlan,
    tracks_connections: Path = _TRACKS_CONNECTIONS,
    has_ipv6: Path = _HAS_IPV6,
) -> tuple[Capability, ...]:
    """Those that are there, sorted. The userspace datapath tracks connections by itself."""
    forwarded = {part: _FORWARDED.format(protocol) for part, protocol in _PROTOCOLS.items()}
    found: set[Capability] = set()
    if loads(f"{_SOME_NAT}*nat\n{''.join(forwarded.values())}COMMIT\n"):  # as nearly everywhere: all in one go
        found = {Capability.NAT, *forwarded}
    else:
        found = {part for part, rule in forwarded.items() if loads(f"*nat\n{rule}COMMIT\n")}
        if loads(_SOME_NAT):
            found.add(Capability.NAT)
    if not ends_connections():
        found.discard(Capability.NAT)
    if datapath_type != "system" or tracks_connections.exists():
        found.add(Capability.CONNTRACK)
    if has_vxlan():
        found.add(Capability.KERNEL_VXLAN)
    if has_ipv6.exists():
        found.add(Capability.IPV6)
    return tuple(sorted(found))
