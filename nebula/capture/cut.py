"""TCP segments that were cut out of a longer one on their way, by the kernel or a network card (GSO, TSO).

Pure. A sender hands TCP to its device in pieces of up to 64 KiB, which are cut to fit the wire. Sequence and
acknowledgement number say where in the longer one a segment would lie, and only if its bytes are there it is one of it.
"""

from __future__ import annotations

_IPV4, _IPV6, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
_TCP = 6
_FITS_BYTES = 1500
"""A frame of this size may have come from a wire; a longer one is kept, to look for its parts."""
_BLOCK = 16
"""Segments are looked for by the upper bits of their sequence numbers: in a stream all may acknowledge the same."""


class Longer:
    """Long segments, each with a number, and those that are cut out of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], list[tuple[int, bytes, int]]] = {}

    def source(self, data: bytes, at: int, number: int) -> int:
        """The number of the longer segment that this frame's (which begins at ``at``) is cut from; 0 for none.

        ``number`` is its own, by which it is known afterwards.
        """
        is_long = len(data) > _FITS_BYTES
        if not is_long and not self._known:
            return 0
        segment = _segment(data, at)
        if segment is None:
            return 0
        acknowledged, sequence, payload = segment
        for first, whole, its_number in reversed(self._known.get((acknowledged, sequence >> _BLOCK), ())):
            if len(payload) < len(whole) and whole.startswith(payload, (sequence - first) & 0xFFFFFFFF):
                return its_number
        if is_long:
            last = (sequence + len(payload) - 1) & 0xFFFFFFFF
            for block in {sequence >> _BLOCK, last >> _BLOCK}:
                self._known.setdefault((acknowledged, block), []).append((sequence, payload, number))
        return 0

    def forget(self, before: int) -> None:
        """Those with smaller numbers."""
        kept = {key: [one for one in known if one[2] >= before] for key, known in self._known.items()}
        self._known = {key: known for key, known in kept.items() if known}


def _segment(data: bytes, at: int) -> tuple[bytes, int, bytes] | None:
    """Acknowledgement number, sequence number and payload; None for what is no TCP, or has none."""
    kind, ip = data[at + 12 : at + 14], at + 14
    if kind == _VLAN:
        kind, ip = data[at + 16 : at + 18], at + 18
    if len(data) < ip + 40:
        return None
    if kind == _IPV4 and data[ip + 9] == _TCP:
        l4 = ip + (data[ip] & 15) * 4
        end = ip + int.from_bytes(data[ip + 2 : ip + 4], "big")
    elif kind == _IPV6 and data[ip + 6] == _TCP:
        l4 = ip + 40
        end = l4 + int.from_bytes(data[ip + 4 : ip + 6], "big")
    else:
        return None
    if len(data) < l4 + 20:
        return None
    payload = data[l4 + (data[l4 + 12] >> 4) * 4 : end]
    return (data[l4 + 8 : l4 + 12], int.from_bytes(data[l4 + 4 : l4 + 8], "big"), payload) if payload else None
