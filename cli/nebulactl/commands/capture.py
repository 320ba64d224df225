"""``nebulactl capture``: packets at many points of many nodes. Effects: HTTP through Api; files; prints."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

import click

from nebula.capture.follow import Seen
from nebula.errors import NotFound
from nebulactl import capture_output
from nebulactl.api import JsonObject
from nebulactl.capture_output import STDOUT, Limits, PacketFile
from nebulactl.capture_session import Session
from nebulactl.capture_what import completions, wanted
from nebulactl.invocation import api
from nebulactl.options import offers

_LONGEST_BYTES = 262_144
_CONDITIONS = {"duration": "duration_s", "filesize": "size_bytes", "packets": "packets", "files": "files"}


def _limits(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Limits | None:
    """dumpcap's conditions: ``duration:SECONDS``, ``filesize:KB`` (1000 bytes), ``packets:N``, ``files:N``."""
    found: dict[str, float] = {}
    for value in values:
        name, _, number = value.partition(":")
        try:
            amount = float(number) if name == "duration" else int(number)
        except ValueError:
            amount = 0
        if name not in _CONDITIONS or not 0 < amount < 1e15:
            raise click.BadParameter(f"{value!r} is none of duration:SECONDS, filesize:KB, packets:N, files:N.", ctx)
        found[_CONDITIONS[name]] = amount * 1000 if name == "filesize" else amount
    return Limits(**found) if found else None  # type: ignore[arg-type]


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=offers(completions))
@click.option("-w", "--write", "path", metavar="FILE", help="A pcapng file; '-' is standard output, for Wireshark.")
@click.option("--print", "printed", is_flag=True, help="Also a line a packet, when a file is written.")
@click.option("--filter", "expression", default="", metavar="EXPRESSION", help="As tcpdump's (pcap-filter(7)).")
@click.option("-c", "--count", type=click.IntRange(min=1), help="End after so many packets.")
@click.option(
    "-a",
    "--autostop",
    multiple=True,
    metavar="CONDITION",
    callback=_limits,
    help="End after duration:SECONDS, filesize:KB, packets:N or files:N; may be repeated.",
)
@click.option(
    "-b",
    "--ring-buffer",
    "ring",
    multiple=True,
    metavar="CONDITION",
    callback=_limits,
    help="A new file each duration:SECONDS, filesize:KB or packets:N; files:N keeps the newest. May be repeated.",
)
@click.option(
    "-s",
    "--snapshot-length",
    "snaplen",
    type=click.IntRange(1, _LONGEST_BYTES),
    default=_LONGEST_BYTES,
    show_default=True,
    help="So many bytes of each packet.",
)
@click.option(
    "-B",
    "--buffer-size",
    "buffer_mib",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="MiB of the kernel's ring for each point.",
)
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def capture(
    *,
    what: tuple[str, ...],
    path: str | None,
    printed: bool,
    expression: str,
    count: int | None,
    autostop: Limits | None,
    ring: Limits | None,
    snaplen: int,
    buffer_mib: int,
    form: str,
) -> None:
    """Capture packets at many points of many nodes: in one pcapng file, as lines, or live in Wireshark.

    WHAT is an instance, port, network or router by name or id (a noun before it says which), 'underlay' or
    'underlay@NODE', or 'path FROM TO', the way between two instances, ports or addresses. Each point is an interface of
    the file; each packet's comment says which packet it is, its hop, the VNI, and its addresses before and after NAT.
    The filter speaks of the packet itself, also where a tunnel carries it. Ctrl-C ends; the file is whole at any time.

    \b
    Examples:
      nebulactl capture web
      nebulactl capture path web 198.51.100.10 -w web.pcapng --filter 'tcp port 80'
      nebulactl capture network nebula_net router nebula_router underlay -w all.pcapng -a duration:10
      nebulactl capture underlay@compute1 -w ring.pcapng -b filesize:10000 -b files:5
      nebulactl capture path web db -w - | wireshark -k -i -
    """
    if ring is not None and (path is None or path == STDOUT):
        raise click.UsageError("A ring of files (-b) needs -w FILE.")
    if ring is not None and not (ring.duration_s or ring.size_bytes or ring.packets):
        raise click.UsageError("A ring of files (-b) needs duration:, filesize: or packets:, or no file is ever full.")
    if path == STDOUT and (printed or form == "json"):
        raise click.UsageError("Standard output has the packets (-w -); lines cannot go there too.")
    if path == STDOUT and sys.stdout.isatty():
        raise click.UsageError("Standard output is a terminal; packets would look like noise. Give a file, or a pipe.")
    body: JsonObject = {
        "what": wanted(api(), what),
        "filter": expression,
        "snaplen_bytes": snaplen,
        "buffer_bytes": buffer_mib * 1024 * 1024,
    }
    file = PacketFile(path, ring) if path is not None else None
    try:
        session = Session(api(), body, whole=snaplen == _LONGEST_BYTES, say=_say)
    except BaseException:
        if file is not None:
            file.discard()
        raise
    stop = autostop or Limits()
    run = _Run(session, file, stop, count or int(stop.packets))
    if file is None or printed or form == "json":
        writer = capture_output.json_writer if form == "json" else capture_output.text_writer
        run.print_frames = writer(session.points)
    title = f"nebulactl capture {' '.join(what)}"
    head = capture_output.header("nebulactl", session.points, snaplen, expression, comment=title)
    if run.listen(head):
        raise SystemExit(1)


def _say(text: str) -> None:
    click.echo(f"nebulactl: {text}", err=True)


class _Run:
    """One capture from its first packet to its last."""

    def __init__(self, session: Session, file: PacketFile | None, stop: Limits, most_packets: int) -> None:
        self._session = session
        self._file = file
        self._stop = stop
        self._most_packets = most_packets
        self._packets = 0
        self._ends = False
        self.print_frames: Callable[[Sequence[Seen]], None] | None = None

    def listen(self, header: bytes) -> bool:
        """Until it is over; True where something is missing of it that was asked for."""
        session, file = self._session, self._file
        gc.set_threshold(100_000)  # packets are made by the thousand and hold no cycles: a third of the time
        before = {number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)}
        start_ns = time.time_ns()
        _say(f"capturing at {', '.join(point.name for point in session.points if not point.error)}; Ctrl-C ends it")
        try:
            if file is not None:
                file.begin(header)
            self._until_it_ends()
            if file is not None:
                nodes = session.nodes
                file.end(
                    capture_output.statistics(
                        session.points, session.counts, nodes, start_ns=start_ns, end_ns=time.time_ns()
                    )
                )
        finally:
            session.end()
            for number, action in before.items():
                signal.signal(number, action)
            self._summary()
        return any(node.gone for node in session.nodes.values())

    def _until_it_ends(self) -> None:
        began_s = time.monotonic()
        try:
            for frames in self._session.batches():
                left = self._most_packets - self._packets if self._most_packets else len(frames)
                self._write(frames[:left])
                if self._is_full():
                    return
                if capture_output.reader_has_gone():
                    raise BrokenPipeError
                if 0 < self._stop.duration_s <= time.monotonic() - began_s:
                    self._end_soon()
        except NotFound as error:  # it was not read for too long
            _say(f"the controller has ended the capture: {error.message}")

    def _is_full(self) -> bool:
        stop, file = self._stop, self._file
        return 0 < self._most_packets <= self._packets or (
            file is not None and (0 < stop.size_bytes <= file.bytes_total or 0 < stop.files < file.number)
        )

    def _write(self, frames: Sequence[Seen]) -> None:
        if self._file is not None:
            self._file.write(frames)
        if self.print_frames is not None and frames:
            self.print_frames(frames)
            sys.stdout.flush()
        self._packets += len(frames)

    def _end_soon(self) -> None:
        if not self._ends:
            self._ends = True
            self._session.stop()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if self._ends and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second time: at once
        self._end_soon()

    def _summary(self) -> None:
        counts = self._session.counts.values()
        dropped = sum(count.dropped for count in counts)
        _say(f"{self._packets} packets captured, {dropped} dropped by the kernel")
        for count in counts:
            if count.dropped:
                _say(f"  {self._session.points[count.index].name}: {count.dropped} of {count.seen} dropped")
