"""The text of OpenFlow rules, as ``ovs-ofctl -O OpenFlow14 --names --no-stats dump-flows`` of OVS 3.1 prints it.

Pure. Two exceptions make the text independent of whether a bridge's tables have been named yet: tables are
numbers, also where the switch would print a name (``goto_table:71``); ``dump.parse_flow`` brings a dump to it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from nebula.compile.pipeline import registers
from nebula.compile.pipeline.tables import Table
from nebula.desired.kinds import Flow
from nebula.ids import BR_INT, BR_TUN, Owner

UNTAGGED = "vlan_tci=0x0000/0x1fff"
"""No 802.1Q header at all, not even a priority tag (ovs-fields(7), vlan_tci)."""
MULTICAST = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"
"""Multicast and broadcast."""
UNICAST = "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00"
DROP = "drop"
WHOLE, FRAGMENT, LATER_FRAGMENT = "nw_frag=no", "nw_frag=yes", "nw_frag=later"
"""No fragment; any; any but the first (which has no ports, and of IPv6 not even the protocol)."""

_BARE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PORT_IN_TEXT = re.compile(r'(?:in_port=|output:)("(?:[^"\\]|\\.)*"|[^,\s]+)')
_ZONE = "NXM_NX_REG6[0..15]"
_VLAN_PRESENT = 0x1000
_BRIDGES = {"int": BR_INT, "tun": BR_TUN}


def port_text(name: str) -> str:
    """A port's name, quoted as a JSON string where OVS does (all but letters followed by letters and digits)."""
    if _BARE_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def can_be_named(name: str) -> bool:
    """Whether ``ovs-ofctl`` can read the port's name back: it stops at commas, '#', parentheses and blanks.

    One flow that it cannot read would keep out the whole bundle.
    """
    return name.isascii() and name.isprintable() and not set(name) & set("#(), ") and name != ""


def port_names(text: str) -> tuple[str, ...]:
    """Names of the ports that a match or actions text speaks of, each once, sorted; bare numbers are left out."""
    if "in_port=" not in text and "output:" not in text:  # most: four times as fast
        return ()
    found = {
        re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name for name in _PORT_IN_TEXT.findall(text)
    }
    return tuple(sorted(name for name in found if not name.isdigit()))


def in_port(name: str) -> str:
    return f"in_port={port_text(name)}"


def output(name: str) -> str:
    return f"output:{port_text(name)}"


def goto(table: Table) -> str:
    return f"goto_table:{table.number}"


def resubmit(table: Table) -> str:
    return f"resubmit(,{table.number})"


def set_register(register: str, value: int) -> str:
    return f"set_field:{_hexadecimal(value)}->{register}"


def match_register(register: str, value: int) -> str:
    return f"{register}={_hexadecimal(value)}"


def secured() -> str:
    """Match: the port of the moment has port security."""
    return f"{registers.PROTECTION}={registers.SECURED}"


def set_tunnel(vni: int) -> str:
    """Action: the packet's VNI."""
    return f"set_field:{vni:#x}->tun_id"


def track(table: Table) -> str:
    """Through conntrack, in the zone of the packet's network, and on in ``table`` with what conntrack says."""
    return f"ct(table={table.number},zone={_ZONE})"


def complete() -> str:
    """Through conntrack once more, which lets fragments on only when all of the datagram have come."""
    return f"ct(zone={_ZONE})"


def commit(mark: int | None = None) -> str:
    """Let conntrack remember the connection; with ``mark``, under that mark."""
    execute = "" if mark is None else f",exec(set_field:{_hexadecimal(mark)}->ct_mark)"
    return f"ct(commit,zone={_ZONE}{execute})"


def address(end: str, network: IPv4Network | IPv6Network) -> str:
    """Match on an address of the packet; ``end`` is ``src`` or ``dst``. '' for all addresses of the family."""
    if network.prefixlen == 0:
        return ""
    field = f"nw_{end}" if network.version == 4 else f"ipv6_{end}"
    if network.prefixlen == network.max_prefixlen:
        return f"{field}={address_text(network.network_address)}"
    return f"{field}={address_text(network.network_address)}/{network.prefixlen}"


def address_text(value: IPv4Address | IPv6Address) -> str:
    """As inet_ntop(3) prints it, which OVS uses: IPv6 that holds an IPv4 address ends in dotted form."""
    if isinstance(value, IPv6Address):
        number = int(value)
        low = IPv4Address(number & 0xFFFFFFFF)
        if number >> 32 == 0xFFFF:
            return f"::ffff:{low}"
        if number >> 32 == 0 and number > 0xFFFF:
            return f"::{low}"
    return str(value)


def whole(match: str) -> str:
    """The match, for packets that are no fragments. OVS prints that before ports, types and ND's fields."""
    head, field, tail = match, "", ""
    for name in (",tp_src=", ",icmp_type="):
        if name in match:
            head, field, tail = match.partition(name)
            break
    return f"{head},{WHOLE}{field}{tail}"


def join(*matches: str) -> str:
    """Matches that say something, one after the other."""
    return ",".join(match for match in matches if match)


def _hexadecimal(value: int) -> str:
    """As OVS prints it: zero without a prefix."""
    return f"{value:#x}" if value else "0"


def in_network(tag: int) -> str:
    """Match: the packet is of the network with this local VLAN (on br-int)."""
    return match_register(registers.NETWORK, tag)


def push_vlan(tag: int) -> str:
    """Put an 802.1Q header with this VLAN id (1..4094) before the packet; the field's text holds OVS's present bit."""
    return f"push_vlan:0x8100,set_field:{_VLAN_PRESENT | tag}->vlan_vid"


def flow(table: Table, priority: int, match: str, actions: str, owner: Owner, *, bridge: str = "") -> Flow:
    """A flow with the ports that its text names; ``match`` is '' for all packets.

    ``bridge`` is only given for a provider bridge's table: there may be several such bridges.
    """
    ports = port_names(f"{match} {actions}")
    return Flow(bridge or _BRIDGES[table.bridge], table.number, priority, match, actions, owner, ports)


def drop_rest(table: Table, owner: Owner) -> Flow:
    """The table's last flow: what no other one takes is dropped, and counted."""
    return flow(table, 0, "", DROP, owner)
