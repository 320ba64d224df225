"""The iptables rules of a router, in the form in which ``iptables-save`` 1.8.9 (nf_tables) prints them.

Pure. Tables in iptables-save's order: filter is committed before nat, which is also the safe order, for all that
filter does is to drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import msgspec

from nebula.ids import Owner, OwnerKind
from nebula.view.records import FloatingIpView, PortForwardingView

_PROTOCOLS = ("tcp", "udp", "sctp", "dccp")
_COUNTERS = re.compile(r" \[\d+:\d+\]$")


class Translation(msgspec.Struct, frozen=True):
    """What a router translates at its gateway ``device`` (a name of ours) with the address ``source``.

    ``inside`` are the networks of its other interfaces.
    """

    device: str
    source: IPv4Address | None
    enable_snat: bool
    inside: tuple[IPv4Network, ...] = ()
    floating_ips: tuple[FloatingIpView, ...] = ()
    port_forwardings: tuple[PortForwardingView, ...] = ()


def router_rules(nat: Translation | None, owner: Owner) -> str:
    """Rules of a router's namespace; where nothing is translated all chains are empty.

    With SNAT nothing leaves through the gateway that conntrack calls INVALID, since such packets are not translated;
    nothing new comes in but to floating addresses, for its answers could not leave untranslated; and all else that
    leaves gets ``source``. ``--random-fully`` as in Neutron: no two hosts guess each other's ports.
    """
    filter_rules: list[str] = []
    incoming: list[str] = []
    outgoing: list[str] = []
    if nat is not None:
        comment = _comment(owner)
        incoming = [*_floating_in(nat), *_forwardings(nat)]
        outgoing = [*_floating_out(nat), *(_hairpin(nat, owner) if incoming else ())]
        if nat.enable_snat and nat.source is not None:
            filter_rules = [
                f"-A FORWARD -o {nat.device} -m conntrack --ctstate INVALID {comment} -j DROP",
                f"-A FORWARD -i {nat.device} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT {comment} -j DROP",
            ]
            outgoing.append(f"-A POSTROUTING -o {nat.device} {comment} {_snat(nat.source)}")
    lines = (
        "*filter",
        ":INPUT ACCEPT",
        ":FORWARD ACCEPT",
        ":OUTPUT ACCEPT",
        *filter_rules,
        "COMMIT",
        "*nat",
        ":PREROUTING ACCEPT",
        ":INPUT ACCEPT",
        ":OUTPUT ACCEPT",
        ":POSTROUTING ACCEPT",
        *incoming,
        *outgoing,
        "COMMIT",
    )
    return "".join(f"{line}\n" for line in lines)


def _comment(owner: Owner) -> str:
    return f'-m comment --comment "{owner.mark}"'


def _snat(source: IPv4Address) -> str:
    return f"-j SNAT --to-source {source} --random-fully"


def _floating_in(nat: Translation) -> Iterator[str]:
    for item in nat.floating_ips:
        public, private = IPv4Address(item.floating_ip_address), IPv4Address(item.fixed_ip_address)
        comment = _comment(Owner(OwnerKind.FLOATING_IP, item.id))
        yield f"-A PREROUTING -d {public}/32 {comment} -j DNAT --to-destination {private}"


def _floating_out(nat: Translation) -> Iterator[str]:
    for item in nat.floating_ips:
        public, private = IPv4Address(item.floating_ip_address), IPv4Address(item.fixed_ip_address)
        comment = _comment(Owner(OwnerKind.FLOATING_IP, item.id))
        yield f"-A POSTROUTING -s {private}/32 -o {nat.device} {comment} {_snat(public)}"


def _forwardings(nat: Translation) -> Iterator[str]:
    """A range of another start than the inner one is shifted by its first port (iptables-extensions(8), DNAT)."""
    for item in nat.port_forwardings:
        if item.protocol not in _PROTOCOLS:
            continue
        public, private = IPv4Address(item.floating_ip_address), IPv4Address(item.internal_ip_address)
        comment = _comment(Owner(OwnerKind.FLOATING_IP, item.floating_ip_id))
        outer = _ports(item.external_port_min, item.external_port_max, ":")
        inner = _ports(item.internal_port_min, item.internal_port_max, "-")
        base = f"/{item.external_port_min}" if "-" in inner else ""
        yield (
            f"-A PREROUTING -d {public}/32 -p {item.protocol} -m {item.protocol} --dport {outer} {comment} "
            f"-j DNAT --to-destination {private}:{inner}{base}"
        )


def _ports(first: int, last: int, between: str) -> str:
    return str(first) if first == last else f"{first}{between}{last}"


def _hairpin(nat: Translation, owner: Owner) -> Iterator[str]:
    """From inside to a floating address: the answer must come back this way, so the router puts its own address."""
    if nat.source is None:
        return
    for network in nat.inside:
        condition = f"-s {network} ! -o {nat.device} -m conntrack --ctstate DNAT"
        yield f"-A POSTROUTING {condition} {_comment(owner)} {_snat(nat.source)}"


def normal_form(saved: str) -> str:
    """``iptables-save`` output without comment lines and counters: what a Ruleset's text is compared with."""
    lines = (line for line in saved.splitlines() if line and not line.startswith("#"))
    return "".join(f"{_COUNTERS.sub('', line) if line.startswith(':') else line}\n" for line in lines)
