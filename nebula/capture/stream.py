"""How captured frames travel from a node to whoever asked: chunks, each with a head in JSON and the frames in binary.

Pure. Numbers are little-endian. A chunk is ``u32 length of all that follows, u32 length of the head, head, frames``;
a frame ``u16 point, u8 flags, u8 0, u32 kept bytes, u32 original length, i64 time in ns, bytes``. The controller passes
chunks on unread; those that it makes itself (a node has fallen silent) have no frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from nebula.ids import Host

_LENGTHS = struct.Struct("<II")
FRAME = struct.Struct("<HBxIIq")
OUTGOING = 1


class Count(msgspec.Struct, frozen=True):
    """Of one point since its beginning. ``error``: it is over there, and why."""

    index: int
    seen: int
    dropped: int
    error: str = ""


class Head(msgspec.Struct, frozen=True):
    """What a node says with its frames.

    ``complete_ns``: all frames up to this time, by the node's clock, are in this chunk or earlier ones. ``offset_ns``:
    to be added to the node's times to have the controller's, right to ``error_ns`` either way. ``gone``: from the
    controller, why nothing more comes from the node.
    """

    host: Host
    complete_ns: int = 0
    offset_ns: int = 0
    error_ns: int = 0
    counts: tuple[Count, ...] = ()
    gone: str = ""


class Chunk(msgspec.Struct, frozen=True):
    """A head, and the frames behind it."""

    head: Head
    frames: memoryview


_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head)


def pack(head: Head, frames: Sequence[bytes] = ()) -> bytes:
    """One chunk; ``frames`` are pieces of its binary part."""
    text = _encode(head)
    size = 4 + len(text) + sum(map(len, frames))
    return b"".join((_LENGTHS.pack(size, len(text)), text, *frames))


def head_of(chunk: bytes) -> Head:
    """The head of one whole chunk. Raises ValueError for what is none."""
    chunks = list(unpack(chunk))
    if len(chunks) != 1:
        raise ValueError("not one chunk")
    return chunks[0].head


def unpack(content: bytes) -> Iterator[Chunk]:
    """Chunks one behind the other. Raises ValueError for what is none."""
    view, at = memoryview(content), 0
    while at < len(view):
        if at + _LENGTHS.size > len(view):
            raise ValueError("a chunk is cut off")
        size, head = _LENGTHS.unpack_from(view, at)
        start, end = at + _LENGTHS.size, at + 4 + size
        if head > size - 4 or end > len(view):
            raise ValueError("a chunk is cut off")
        yield Chunk(_head.decode(view[start : start + head]), view[start + head : end])
        at = end


def frames_of(chunk: Chunk) -> Iterable[tuple[int, int, int, int, bytes]]:
    """Each frame's point, flags, original length, time in ns, and bytes. Raises ValueError where one is cut off."""
    view, at, unpack_from, size = chunk.frames, 0, FRAME.unpack_from, FRAME.size
    end = len(view)
    while at < end:
        if at + size > end:
            raise ValueError("a frame is cut off")
        index, flags, kept, length, time_ns = unpack_from(view, at)
        at += size + kept
        if at > end:
            raise ValueError("a frame is cut off")
        yield index, flags, length, time_ns, bytes(view[at - kept : at])
