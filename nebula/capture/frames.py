"""A captured frame as a packet on its way: what stays the same through tunnels, routers and NAT, and what does not.

Pure. Formats: Ethernet II, VXLAN (RFC 7348), IPv4 (RFC 791), IPv6 (RFC 8200), TCP, UDP, ICMP (RFC 792), ARP. The text
for people is ``capture.text``'s.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

VXLAN_PORT = 4789
_VXLAN = VXLAN_PORT.to_bytes(2, "big")
_IPV4, _IPV6, _ARP, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x81\x00"
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_ECHO = (0, 8)
_CARRIES_A_HEADER = (3, 4, 5, 11, 12)
"""ICMP errors begin with the header of the packet that they are about, which NAT translates too."""

Flow = tuple[bytes, bytes, int, int]
"""Source, destination, and their ports; of an ICMP echo its identifier twice, of what has none 0."""


Look = tuple[int | None, object, Flow | None, int]
"""What a frame is: VNI, key, flow, and where the frame itself begins, behind the tunnel's headers.

The VNI is that of the tunnel that carries it, None outside of tunnels. The key is equal for the same packet wherever it
is seen, before NAT and after. The flow is None for what is not IP. A plain tuple: twice as quick to make as a record.
"""


def look(data: bytes, *, whole: bool = True) -> Look:
    """``whole``: frames are not cut; of those that are, a tunnel's would lack bytes that others still have."""
    vni, at = _tunnel(data)
    kind = data[at + 12 : at + 14]
    ip = at + 14
    if kind == _VLAN:
        kind, ip = data[at + 16 : at + 18], at + 18
    try:
        if kind == _IPV4:
            return _ipv4(data, ip, vni, at, whole)
        if kind == _IPV6:
            return _ipv6(data, ip, vni, at, whole)
    except IndexError:
        pass  # cut off within a header
    if kind == _ARP:
        return vni, (kind, data[ip : ip + 28]), None, at
    return vni, (kind, data[at : at + 12], hash(data[ip:]) if whole else len(data)), None, at


def _tunnel(data: bytes) -> tuple[int | None, int]:
    """The VNI, and where the inner frame begins; None and 0 outside of a tunnel."""
    kind = data[12:14]
    if kind == _IPV4 and data[36:38] == _VXLAN and data[14] == 0x45 and data[23] == _UDP and len(data) >= 64:
        return int.from_bytes(data[46:49], "big"), 50
    if kind == _IPV6 and data[56:58] == _VXLAN and data[20] == _UDP and len(data) >= 84:
        return int.from_bytes(data[66:69], "big"), 70
    return None, 0


def _ipv4(data: bytes, ip: int, vni: int | None, at: int, whole: bool) -> Look:
    """Neither router nor NAT touches the identification, nor what of a segment is not a port or a checksum."""
    l4 = ip + (data[ip] & 15) * 4
    end = ip + (data[ip + 2] << 8 | data[ip + 3])
    protocol = data[ip + 9]
    identity = data[ip + 4 : ip + 8]
    source, destination = data[ip + 12 : ip + 16], data[ip + 16 : ip + 20]
    if (data[ip + 6] & 0x1F) or data[ip + 7]:  # a later fragment has no ports
        return vni, (protocol, identity, end - l4), (source, destination, 0, 0), at
    key, source_port, destination_port = _segment(data, l4, end, protocol, whole)
    return vni, (identity, key), (source, destination, source_port, destination_port), at


def _ipv6(data: bytes, ip: int, vni: int | None, at: int, whole: bool) -> Look:
    """Nothing translates addresses here, so they tell packets apart; there is no identification."""
    l4 = ip + 40
    end = l4 + (data[ip + 4] << 8 | data[ip + 5])
    source, destination = data[ip + 8 : ip + 24], data[ip + 24 : ip + 40]
    key, source_port, destination_port = _segment(data, l4, end, data[ip + 6], whole)
    return vni, (source, destination, key), (source, destination, source_port, destination_port), at


def _segment(data: bytes, l4: int, end: int, protocol: int, whole: bool) -> tuple[object, int, int]:
    """What stays the same of it, and its ports."""
    size = end - l4
    if protocol == _TCP:
        ports = data[l4] << 8 | data[l4 + 1], data[l4 + 2] << 8 | data[l4 + 3]
        payload = hash(data[l4 + 20 : end]) if whole else 0
        return (_TCP, data[l4 + 4 : l4 + 14], size, payload), *ports
    if protocol == _UDP:
        ports = data[l4] << 8 | data[l4 + 1], data[l4 + 2] << 8 | data[l4 + 3]
        return (_UDP, size, hash(data[l4 + 8 : end]) if whole else 0), *ports
    if protocol == _ICMP:
        kind = data[l4]
        if kind in _ECHO:
            number = data[l4 + 4] << 8 | data[l4 + 5]
            payload = hash(data[l4 + 8 : end]) if whole else 0
            return (_ICMP, kind, data[l4 + 6 : l4 + 8], size, payload), number, number
        if kind in _CARRIES_A_HEADER:
            return (_ICMP, kind, data[l4 + 1], data[l4 + 12 : l4 + 16], size), 0, 0
    return (protocol, size, hash(data[l4:end]) if whole else 0), 0, 0


@lru_cache(4096)
def flow_text(flow: Flow) -> str:
    """``192.0.2.1:40000 > 198.51.100.1:80``; of an echo with its identifier. Remembered: a flow has many packets."""
    source, destination, source_port, destination_port = flow
    if not (source_port or destination_port):
        return f"{address_text(source)} > {address_text(destination)}"
    return f"{_end(source, source_port)} > {_end(destination, destination_port)}"


def _end(address: bytes, port: int) -> str:
    return f"[{address_text(address)}]:{port}" if len(address) == 16 else f"{address_text(address)}:{port}"


def address_text(address: bytes) -> str:
    """Of 4 or 16 bytes."""
    return str(IPv6Address(address)) if len(address) == 16 else str(IPv4Address(address))
