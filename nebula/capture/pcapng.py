"""pcapng files (draft-ietf-opsawg-pcapng): the blocks that a capture of Ethernet frames needs. Pure: bytes come out.

A file is a section header, one interface description for each point, enhanced packets, and statistics at the end. Each
block is whole by itself: a file that ends behind any of them is readable. Times are nanoseconds since 1970.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_MAGIC = 0x1A2B3C4D
_ETHERNET = 1
_END = b"\0\0\0\0"
_COMMENT = 1
_APPLICATION = 4
_IF_NAME, _IF_DESCRIPTION, _IF_TIME_RESOLUTION, _IF_FILTER = 2, 3, 9, 11
_FLAGS, _PACKET_ID = 2, 5
_INBOUND, _OUTBOUND = 1, 2
_START_TIME, _END_TIME, _RECEIVED, _DROPPED = 2, 3, 4, 5

_HEAD = struct.Struct("<IIIIIII")  # type, length, interface, time high and low, kept, original length
_MARKS = struct.Struct("<HHIHHQ")  # epb_flags, epb_packetid
_OPTION = struct.Struct("<HH")
_LENGTH = struct.Struct("<I")


def section(application: str, comment: str = "") -> bytes:
    """The file's beginning."""
    body = struct.pack("<IHHq", _MAGIC, 1, 0, -1)
    return _block(_SECTION, body, _options([(_APPLICATION, application.encode()), (_COMMENT, comment.encode())]))


def interface(name: str, description: str, snaplen_bytes: int, capture_filter: str = "") -> bytes:
    """One point; the next packets refer to it by its number, in the order of the interfaces."""
    body = struct.pack("<HHI", _ETHERNET, 0, snaplen_bytes)
    options = [(_IF_NAME, name.encode()), (_IF_DESCRIPTION, description.encode()), (_IF_TIME_RESOLUTION, b"\x09")]
    if capture_filter:
        options.append((_IF_FILTER, b"\0" + capture_filter.encode()))
    return _block(_INTERFACE, body, _options(options))


def packet(
    number: int, time_ns: int, data: bytes, length_bytes: int, *, outgoing: bool, packet_id: int, comment: str
) -> bytes:
    """A frame seen at interface ``number``. ``packet_id`` is the same for one packet seen at several."""
    kept = len(data)
    text = comment.encode()
    padding, text_padding = -kept % 4, -len(text) % 4
    size = 28 + kept + padding + 20 + 4 + len(text) + text_padding + 4 + 4
    return b"".join(
        (
            _HEAD.pack(_PACKET, size, number, time_ns >> 32, time_ns & 0xFFFFFFFF, kept, length_bytes),
            data,
            b"\0" * padding,
            _MARKS.pack(_FLAGS, 4, _OUTBOUND if outgoing else _INBOUND, _PACKET_ID, 8, packet_id),
            _OPTION.pack(_COMMENT, len(text)),
            text,
            b"\0" * text_padding,
            _END,
            _LENGTH.pack(size),
        )
    )


def statistics(number: int, *, start_ns: int, end_ns: int, received: int, dropped: int, comment: str = "") -> bytes:
    """What is known of interface ``number`` at the end."""
    body = struct.pack("<III", number, end_ns >> 32, end_ns & 0xFFFFFFFF)
    options = [
        (_START_TIME, struct.pack("<II", start_ns >> 32, start_ns & 0xFFFFFFFF)),
        (_END_TIME, struct.pack("<II", end_ns >> 32, end_ns & 0xFFFFFFFF)),
        (_RECEIVED, struct.pack("<Q", received)),
        (_DROPPED, struct.pack("<Q", dropped)),
        (_COMMENT, comment.encode()),
    ]
    return _block(_STATISTICS, body, _options(options))


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    size = 12 + len(body) + len(options)
    return struct.pack("<II", kind, size) + body + options + _LENGTH.pack(size)


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """Those with a value, each filled up to four bytes."""
    kept = [(code, value) for code, value in options if value]
    return b"".join(_OPTION.pack(code, len(value)) + value + b"\0" * (-len(value) % 4) for code, value in kept) + _END
