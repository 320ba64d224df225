"""Datapath actions (ovs-actions(7), as ``ofproto/trace`` prints them): where the packet goes, and how it looks there.

Pure. Both datapaths' forms: names of ports, ``set(tunnel(...))`` before the kernel's VXLAN port, ``tnl_push`` of the
userspace one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from nebula.trace.packet import Packet

_TUNNEL_PORT = re.compile(r"_sys(_\d+)?$")
"""The kernel's tunnel ports, as OVS names them: ``vxlan_sys_4789``."""
_FIELD = re.compile(r"(\w+)=([^,()]+)")


class Output(msgspec.Struct, frozen=True):
    """Out of a port; with a tunnel's ``vtep_ip`` and ``vni`` where the packet is put into VXLAN by OVS itself."""

    port: str
    packet: Packet
    vtep_ip: str = ""
    vni: int = 0


class Tracked(msgspec.Struct, frozen=True):
    """Through conntrack, and on under the recirculation's id ('': it goes on without another look)."""

    zone: int
    commit: bool
    packet: Packet
    recirculation: str = ""


def split(text: str) -> Iterator[str]:
    """The actions between commas that are outside of parentheses."""
    depth, start = 0, 0
    for index, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    if text[start:].strip():
        yield text[start:].strip()


def read(text: str, packet: Packet) -> list[Output | Tracked]:
    """What the actions do with the packet, in order."""
    found: list[Output | Tracked] = []
    _read(text, packet, found)
    return found


def _read(text: str, packet: Packet, found: list[Output | Tracked]) -> None:
    tunnel: dict[str, str] = {}
    pending: Tracked | None = None
    for action in split(text):
        name, _, rest = action.partition("(")
        inner = rest[:-1] if rest.endswith(")") else rest
        if name == "clone":
            _read(inner, packet, found)
        elif name == "recirc" and pending is not None:
            found[-1] = pending = msgspec.structs.replace(pending, recirculation=inner)
        elif name == "ct":
            fields = dict(_FIELD.findall(inner))
            pending = Tracked(int(fields.get("zone", "0")), "commit" in inner.split(","), packet)
            found.append(pending)
        elif name == "set" and inner.startswith("tunnel("):
            tunnel = dict(_FIELD.findall(inner))
        elif name == "set":
            packet = _set(inner, packet)
        elif name == "tnl_push":
            found.append(_pushed(inner, packet))
        elif not rest and action != "drop" and not action.startswith(("pop_vlan", "push_vlan", "ct_clear")):
            port = action.strip('"')
            header = tunnel if _TUNNEL_PORT.search(port) else {}  # it stays set, and other ports make nothing of it
            found.append(Output(port, packet, header.get("dst", ""), int(header.get("tun_id", "0"), 0)))


def _set(inner: str, packet: Packet) -> Packet:
    kind, _, rest = inner.partition("(")
    fields = dict(_FIELD.findall(rest))
    names = {
        "eth": {"src": "mac_source", "dst": "mac_destination"},
        "arp": {"sip": "source", "tip": "destination", "sha": "mac_source", "tha": "mac_destination"},
        "ipv4": {"src": "source", "dst": "destination"},
        "ipv6": {"src": "source", "dst": "destination"},
    }.get(kind, {})
    changes: dict[str, object] = {names[key]: value for key, value in fields.items() if key in names}
    if kind == "arp" and "op" in fields:
        changes |= {"type": int(fields["op"]), "answer": fields["op"] == "2"}
    return msgspec.structs.replace(packet, **changes)


def _pushed(inner: str, packet: Packet) -> Output:
    destination = re.search(r"ipv4\([^)]*dst=([^,)]+)", inner)
    vni = re.search(r"vni=(0x[0-9a-f]+|\d+)", inner)
    out = re.search(r"out_port\(([^)]+)\)", inner)
    return Output(
        out[1].strip('"') if out else "", packet, destination[1] if destination else "", int(vni[1], 0) if vni else 0
    )
