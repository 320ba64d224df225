"""The half of an IPv6 address that a host makes of its MAC address (RFC 4291, appendix A). Pure."""

from __future__ import annotations


def interface_identifier(mac_address: str) -> int:
    """The lower 64 bits: the universal bit turned, and FFFE between vendor and number."""
    value = int(mac_address.replace(":", ""), 16) ^ 0x02 << 40
    return value >> 24 << 40 | 0xFFFE << 24 | value & 0xFFFFFF
