"""The packets of a pcap file (draft-ietf-opsawg-pcap). Pure."""

from __future__ import annotations

import struct

from nebula.capture.text import Packet, read_frame


def read_capture(content: bytes) -> list[Packet]:
    """All packets of a pcap file of Ethernet frames; a last one that was cut off is left out. Raises ValueError."""
    if len(content) < 24:
        return []
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(content[:4])
    if order is None:
        raise ValueError("this is no pcap file")
    packets, at = [], 24
    while at + 16 <= len(content):
        (length,) = struct.unpack_from(f"{order}I", content, at + 8)
        frame = content[at + 16 : at + 16 + length]
        if len(frame) < length:
            break
        packets.append(read_frame(frame))
        at += 16 + length
    return packets
