"""Captures that people asked for: what crosses devices of this node, sent to the controller until it wants no more.

Effects: a thread for each capture, with its sockets and an HTTP connection of its own. It ends, and nothing is left of
it, when the controller refuses a chunk (nobody reads any more) or does not answer, and with the agent.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

import msgspec
from nebula_runtime.log import event

from nebula.capture import bpf
from nebula.capture.order import CaptureOrder, ListenAt, Listening
from nebula.capture.stream import FRAME, OUTGOING, Count, Head, pack
from nebula.errors import Conflict, KernelRefused, NebulaError
from nebula.ids import Host
from nebula.view.question import NodeAnswer, Question
from nebula_agent.access import Access
from nebula_agent.edge import netns
from nebula_agent.edge.packets import Frame, PacketSocket
from nebula_agent.edge.pcap_filter import compile_filter

_log = logging.getLogger(__name__)

MOST_CAPTURES = 8
MOST_BUFFER_BYTES = 64 * 1024 * 1024
"""Of the rings of one capture on this node: of many points, each has less."""
_CHUNK_BYTES = 1024 * 1024
_ROUND_BYTES = _CHUNK_BYTES // 8
"""So much of one ring, then the next point's turn."""
_PAUSE_S = 0.005
"""A device that has gone is ready at once, again and again, until its last frames are due."""
_SOON_S = 0.1
"""What is heard is on its way after so long, or as soon as there is a quarter of a chunk of it."""
_ALIVE_S = 0.25
"""A chunk goes out at least that often: it tells the reader up to when it has heard all."""
_LATE_NS = 150_000_000
"""The kernel hands over a frame within 40 ms; a busy node looks a little later."""
_POST_TIMEOUT_S = 20.0
"""The controller answers a chunk when its reader has room for more, or gives up."""
_CLOCK_EVERY_S = 30.0
_CLOCK_SAMPLES = 8
_CLOCK_NS = 1_000_000_000
"""Where answers take long fewer samples have to do: who is not heard of for 3 s is taken for gone."""

Ask = Callable[[Question, Callable[[NodeAnswer], None]], None]


class Point(msgspec.Struct, frozen=True):
    """Where a point of the order is on this node. ``namespace`` is empty for the node's own."""

    at: ListenAt
    namespace: str
    device: str


class Captures:
    """All captures of this node. ``prepared`` is used by the questions' thread, the rest by the loop's."""

    def __init__(self, access: Access, host: Host) -> None:
        self._access = access
        self._host = host
        self._programs: dict[int, dict[int, bpf.Program]] = {}
        """By the questions' numbers, until the loop comes to them; then by the points'."""
        self._running: dict[str, _Capture] = {}

    def prepared(self, ask: Ask) -> Ask:
        """``ask`` with a capture's filters compiled before: libpcap may have to look up a name."""

        def asked(question: Question, reply: Callable[[NodeAnswer], None]) -> None:
            if question.capture is not None:
                try:
                    compiled = self._compiled(question.capture)
                except (NebulaError, ValueError) as error:
                    reply(NodeAnswer(question.id, self._host, error=str(error)))
                    return
                if len(self._programs) >= MOST_CAPTURES:  # the loop has not come to them for minutes
                    self._programs.clear()
                self._programs[question.id] = compiled
            ask(question, reply)

        return asked

    def _compiled(self, order: CaptureOrder) -> dict[int, bpf.Program]:
        """By the points' indexes. Raises BadRequest, ValueError for a filter that is refused."""
        wanted = compile_filter(order.filter, order.snaplen_bytes)
        return {at.index: wanted if at.port_id else self._of_underlay(at, wanted, order) for at in order.points}

    def _of_underlay(self, at: ListenAt, wanted: bpf.Program, order: CaptureOrder) -> bpf.Program:
        """A filter speaks of a packet, whether or not a tunnel carries it."""
        if at.vnis is not None:
            return bpf.both(bpf.vxlan_of(at.vnis), bpf.inside_vxlan(wanted) if order.filter else wanted)
        either = bpf.either(wanted, bpf.inside_vxlan(wanted)) if order.filter else wanted
        parts = urlsplit(self._access.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        own = compile_filter(f"tcp port {port}", order.snaplen_bytes)  # or what is sent would be heard, and sent
        return bpf.both(bpf.neither(own, order.snaplen_bytes), either)

    def start(self, question: Question, points: Iterable[Point | Listening]) -> tuple[Listening, ...]:
        """Begin; what is listened at, and what is not (``Listening`` with an error) and why. Raises Conflict."""
        order, programs = question.capture, self._programs.pop(question.id, None)
        if order is None or programs is None:
            raise NebulaError("the capture was asked for too long ago")
        self._running = {key: capture for key, capture in self._running.items() if capture.is_alive()}
        twice = self._running.pop(order.capture_id, None)
        if twice is not None:  # the controller has not heard our answer, and asks again
            twice.stop()
        if len(self._running) >= MOST_CAPTURES:
            raise Conflict(f"{MOST_CAPTURES} captures run on this node; end one first")
        buffer_bytes = min(order.buffer_bytes, MOST_BUFFER_BYTES // max(1, len(order.points)))
        told: list[Listening] = []
        sockets: dict[int, PacketSocket] = {}
        for point in points:
            if isinstance(point, Listening):
                told.append(point)
                continue
            index = point.at.index
            try:
                sockets[index] = _listen(point, programs[index], buffer_bytes)
                told.append(Listening(index, point.namespace, point.device))
            except KernelRefused as error:
                told.append(Listening(index, point.namespace, point.device, error.message))
        if sockets:
            capture = _Capture(self._access, self._host, order.capture_id, sockets)
            self._running[order.capture_id] = capture
            capture.start()
        return tuple(told)

    def stop(self) -> None:
        """End all."""
        for capture in self._running.values():
            capture.stop()


def _listen(point: Point, program: bpf.Program, buffer_bytes: int) -> PacketSocket:
    if not point.namespace:
        return PacketSocket(point.device, None, program, buffer_bytes=buffer_bytes)
    with netns.opened(point.namespace) as fd:
        return PacketSocket(point.device, fd, program, buffer_bytes=buffer_bytes)


class _Capture(threading.Thread):
    """One capture: reads the rings in turn, sends, and ends by itself."""

    def __init__(self, access: Access, host: Host, identity: str, sockets: dict[int, PacketSocket]) -> None:
        super().__init__(name="capture", daemon=True)
        self._client = access.client(timeout_s=_POST_TIMEOUT_S)
        node = f"/nebula/v1/nodes/{quote(host, safe='')}"
        self._path, self._clock_path = f"{node}/captures/{quote(identity, safe='')}", f"{node}/clock"
        self._host, self._headers, self._sockets = host, access.headers, sockets
        self._ended: dict[int, Count] = {}
        self._stopped = threading.Event()
        self._offset_ns = self._error_ns = 0

    def stop(self) -> None:
        """From any thread."""
        self._stopped.set()
        self._client.close()

    def run(self) -> None:
        try:
            self._send_all()
        except (NebulaError, ValueError, OSError) as error:
            if not self._stopped.is_set():
                event(_log, logging.WARNING, "a capture has ended: the controller takes no more", error=str(error))
        finally:
            for listening in self._sockets.values():
                listening.close()
            self._client.close()

    def _send_all(self) -> None:
        poller = select.poll()
        for listening in self._sockets.values():
            poller.register(listening, select.POLLIN)
        frames: list[bytes] = []
        waiting_bytes, sent_at, clock_at, complete_ns = 0, 0.0, 0.0, 0
        while not self._stopped.is_set():
            heard_bytes, complete_ns = self._read_all(frames, poller)
            waiting_bytes += heard_bytes
            now = time.monotonic()
            if now - sent_at > (_SOON_S if frames else _ALIVE_S) or waiting_bytes > _CHUNK_BYTES // 4:
                if now >= clock_at:
                    clock_at = now + _CLOCK_EVERY_S
                    self._measure_clock()
                if not self._send(complete_ns, frames):
                    return
                frames, waiting_bytes, sent_at = [], 0, now
            elif not heard_bytes:
                poller.poll(1000 * _SOON_S)
                self._stopped.wait(_PAUSE_S)

    def _read_all(self, frames: list[bytes], poller: select.poll) -> tuple[int, int]:
        """Put what the rings hold behind ``frames``: how many bytes that is, and up to when it is all."""
        heard_bytes, complete_ns = 0, time.time_ns() - _LATE_NS
        for index in list(self._sockets):
            found = self._read(index, poller)
            size = _add(index, found, frames)
            heard_bytes += size
            if size > _ROUND_BYTES // 2:  # there may be more
                complete_ns = min(complete_ns, found[-1].time_ns)
        return heard_bytes, complete_ns

    def _read(self, index: int, poller: select.poll) -> list[Frame]:
        listening = self._sockets[index]
        try:
            return listening.read(_ROUND_BYTES)
        except KernelRefused as error:
            listening.count()
            self._ended[index] = Count(index, listening.seen, listening.dropped, error.message)
            poller.unregister(listening)
            listening.close()
            del self._sockets[index]
            return []

    def _send(self, complete_ns: int, frames: list[bytes]) -> bool:
        """False when nobody wants more."""
        for listening in self._sockets.values():
            listening.count()
        counts = [Count(index, one.seen, one.dropped) for index, one in self._sockets.items()]
        head = Head(self._host, complete_ns, self._offset_ns, self._error_ns, (*counts, *self._ended.values()))
        answer = self._client.request("POST", self._path, headers=self._headers, body=pack(head, frames))
        if answer.status not in (204, 404):
            raise NebulaError(f"the controller answers {answer.status}")
        return answer.status == 204

    def _measure_clock(self) -> None:
        """How far the node's clock is from the controller's: of several samples the one that took least (RFC 5905)."""
        best_ns = all_ns = 0
        for _sample in range(_CLOCK_SAMPLES):
            if all_ns > _CLOCK_NS:
                break
            before_ns = time.time_ns()
            answer = self._client.request("GET", self._clock_path, headers=self._headers)
            took_ns = time.time_ns() - before_ns
            all_ns += took_ns
            if answer.status == 200 and (not best_ns or took_ns < best_ns):
                there_ns = msgspec.json.decode(answer.body, type=Clock).time_ns
                best_ns = took_ns
                self._offset_ns, self._error_ns = there_ns - before_ns - took_ns // 2, took_ns // 2


class Clock(msgspec.Struct, frozen=True):
    """The controller's clock, since 1970."""

    time_ns: int


def _add(index: int, found: list[Frame], frames: list[bytes]) -> int:
    """Put the frames behind those that wait; how many bytes they are."""
    header, size = FRAME.pack, 0
    for frame in found:
        data = frame.data
        frames.append(header(index, OUTGOING if frame.outgoing else 0, len(data), frame.length_bytes, frame.time_ns))
        frames.append(data)
        size += len(data) + FRAME.size
    return size
