"""Where captured packets go: lines for people or programs, pcapng files. Effects: writes files and standard output."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from nebula.capture import pcapng
from nebula.capture.follow import Seen
from nebula.capture.stream import Count
from nebula.capture.text import read_frame
from nebulactl.capture_session import Node, Point

STDOUT = "-"


class Limits(msgspec.Struct, frozen=True):
    """When a file is full, or all ends; 0 for never. ``files``: so many files."""

    duration_s: float = 0.0
    size_bytes: int = 0
    packets: int = 0
    files: int = 0


class PacketFile:
    """A pcapng file, or a ring of them (dumpcap's ``-b``): the newest ``ring.files`` are kept.

    It is whole after every ``write``. Raises OSError where it cannot be written; what is in it then is whole, too.
    """

    def __init__(self, path: str, ring: Limits | None) -> None:
        """Opened at once, so that what cannot be written is known before anything begins; ``discard`` undoes it."""
        self._path = path
        self._ring = ring
        self.number = 0
        """Of the file that is being written, from 1."""
        self._fd = -1
        self._kept: list[Path] = []
        self._header = b""
        self.packets_total = self.bytes_total = 0
        """Of all files."""
        self._packets = self._bytes = self._written = self._began_ns = 0
        self._made_new = path != STDOUT and not Path(path).exists()
        self._open()

    def _open(self) -> None:
        self.number += 1
        if self._path == STDOUT:
            self._fd = sys.stdout.fileno()
            return
        path = Path(self._path)
        if self._ring is not None:
            now = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
            path = path.with_name(f"{path.stem}_{self.number:05}_{now}{path.suffix}")
            self._kept.append(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def discard(self) -> None:
        """Nothing was begun: a file that was made for it goes, one that was there stays as it was."""
        if self._path == STDOUT or self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        for path in self._kept or ([Path(self._path)] if self._made_new else []):
            path.unlink(missing_ok=True)

    def begin(self, header: bytes) -> None:
        """The section and its interfaces; they begin each file of a ring."""
        self._header = header
        if self._path != STDOUT and stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.ftruncate(self._fd, 0)
        self._packets, self._bytes, self._written, self._began_ns = 0, len(header), 0, 0
        self._put([header])

    def write(self, frames: Sequence[Seen]) -> None:
        """Packets, with their comments."""
        blocks: list[bytes] = []
        for seen in frames:
            block = pcapng.packet(
                seen.point,
                seen.time_ns,
                seen.data,
                seen.length_bytes,
                outgoing=seen.outgoing,
                packet_id=seen.packet.number,
                comment=seen.comment,
            )
            if self._ring is not None and self._is_full(self._ring, seen.time_ns, len(block)):
                self._put(blocks, packets=True)
                blocks = []
                self._next()
            self._began_ns = self._began_ns or seen.time_ns
            self._packets += 1
            self._bytes += len(block)
            blocks.append(block)
        self._put(blocks, packets=True)

    def _is_full(self, ring: Limits, now_ns: int, more_bytes: int) -> bool:
        return self._packets > 0 and (
            0 < ring.size_bytes < self._bytes + more_bytes
            or 0 < ring.packets <= self._packets
            or 0 < ring.duration_s * 1e9 <= now_ns - self._began_ns
        )

    def _next(self) -> None:
        os.close(self._fd)
        self._open()
        while self._ring is not None and 0 < self._ring.files < len(self._kept):
            self._kept.pop(0).unlink(missing_ok=True)
        self.begin(self._header)

    def _put(self, blocks: Sequence[bytes], *, packets: bool = False) -> None:
        """All of them, or, where there is no room for all, those that are whole."""
        content, written = memoryview(b"".join(blocks)), 0
        try:
            while written < len(content):
                written += os.write(self._fd, content[written:])
        except OSError as error:
            ends = list(itertools.accumulate(map(len, blocks)))
            whole = sum(1 for end in ends if end <= written)
            self.packets_total += whole if packets else 0
            if self._path != STDOUT and stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.ftruncate(self._fd, self._written + (ends[whole - 1] if whole else 0))
            error.filename = "standard output" if self._path == STDOUT else self._path
            raise
        self._written += written
        self.bytes_total += written
        self.packets_total += len(blocks) if packets else 0

    def end(self, statistics: Sequence[bytes]) -> None:
        """What is known of each point at the end; closes the file."""
        try:
            self._put(statistics)
        finally:
            if self._path != STDOUT:
                os.close(self._fd)
                self._fd = -1


def reader_has_gone() -> bool:
    """Whether standard output is a pipe that nobody reads any more: known before anything is written to it."""
    poller = select.poll()
    try:
        poller.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False  # not a descriptor
    return any(events & select.POLLERR for _fd, events in poller.poll(0))


def header(
    application: str, points: Sequence[Point], snaplen_bytes: int, capture_filter: str, *, comment: str
) -> bytes:
    """The section of a file, and one interface for each point, in their order."""
    blocks = [pcapng.section(application, comment)]
    blocks += [
        pcapng.interface(point.name, point.place or point.error, snaplen_bytes, capture_filter) for point in points
    ]
    return b"".join(blocks)


def statistics(
    points: Sequence[Point], counts: dict[int, Count], nodes: dict[str, Node], *, start_ns: int, end_ns: int
) -> list[bytes]:
    """One block for each point that was listened at, with what is missing of it."""
    blocks = []
    for point in points:
        count = counts.get(point.index)
        if count is None:
            continue
        node = nodes[point.host]
        comment = f"{count.error}" if count.error else ""
        if node.gone:
            comment = f"node {point.host} is gone: {node.gone}; what passed since {_clock(node.gone_ns)} is missing"
        until_ns = node.gone_ns if node.gone else end_ns
        blocks.append(
            pcapng.statistics(
                point.index,
                start_ns=start_ns,
                end_ns=until_ns,
                received=count.seen,
                dropped=count.dropped,
                comment=comment,
            )
        )
    return blocks


def text_writer(points: Sequence[Point]) -> Callable[[Sequence[Seen]], None]:
    """One line a packet, as people read it."""
    names = {point.index: point.name for point in points}
    width = max(map(len, names.values()), default=0)

    def write(frames: Sequence[Seen]) -> None:
        for seen in frames:
            line = read_frame(seen.data[seen.at :]).line
            sign = "->" if seen.outgoing else "<-"
            click.echo(f"{_clock(seen.time_ns)}  {names[seen.point]:<{width}} {sign} {line}  ({seen.comment})")

    return write


def json_writer(points: Sequence[Point]) -> Callable[[Sequence[Seen]], None]:
    """One document a packet, a line each: ``docs/schemas/capture.json``."""
    names = {point.index: point.name for point in points}

    def write(frames: Sequence[Seen]) -> None:
        for seen in frames:
            inner = read_frame(seen.data[seen.at :])
            document = {
                "time_ns": seen.time_ns,
                "point": names[seen.point],
                "direction": "out" if seen.outgoing else "in",
                "packet": seen.packet.number,
                "hop": seen.hop,
                "hops": len(seen.packet.seen),
                "vni": seen.vni,
                "source": inner.source,
                "destination": inner.target,
                "text": inner.text,
                "length_bytes": seen.length_bytes,
                "comment": seen.comment,
            }
            click.echo(json.dumps(document))

    return write


def _clock(time_ns: int) -> str:
    """Local time of day, to the microsecond."""
    moment = datetime.datetime.fromtimestamp(time_ns // 1_000_000_000)
    return f"{moment:%H:%M:%S}.{time_ns % 1_000_000_000 // 1000:06}"
