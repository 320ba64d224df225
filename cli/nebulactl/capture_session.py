"""A capture that runs: begun with the controller, read from it, the nodes' streams put into one order of time.

Effects: HTTP through Api.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from operator import attrgetter

import msgspec

from nebula.capture.follow import LOOK_AHEAD_NS, Follower, Seen
from nebula.capture.stream import OUTGOING, Count, Head, frames_of, unpack
from nebula.errors import NotFound, Unavailable
from nebulactl.api import NEBULA, Api, JsonObject, as_object

_WAIT_S = 0.5
_FLUSH_S = 0.6
"""What was on the wires when the end came is here after so long."""
_time = attrgetter("time_ns")


class Point(msgspec.Struct, frozen=True):
    """A point as the controller names it. ``error``: why nobody listens there."""

    index: int
    host: str
    name: str
    namespace: str = ""
    device: str = ""
    port_id: str | None = None
    error: str = ""

    @property
    def place(self) -> str:
        """The device, and where it is."""
        return f"{self.device} in {self.namespace}" if self.namespace else self.device


class Node(msgspec.Struct):
    """A node's stream. ``shift_ns`` is added to its times; ``gone``: why it has ended before its time."""

    complete_ns: int = 0
    shift_ns: int = 0
    offset_ns: int = 0
    error_ns: int = 0
    gone: str = ""
    gone_ns: int = 0


class Session:
    """Begun when it is made: raises what the controller refuses with. ``end`` must be called."""

    def __init__(self, cloud: Api, body: JsonObject, *, whole: bool, say: Callable[[str], None]) -> None:
        """``whole``: frames are not cut. ``say`` gets lines for people, of what is not as they may think."""
        self._cloud = cloud
        self._say = say
        answer = as_object(cloud.post(NEBULA, "/captures", body).get("capture"))
        self.id = str(answer.get("id"))
        self.points = msgspec.convert(answer.get("points"), list[Point])
        self.nodes = {point.host: Node() for point in self.points if not point.error}
        self.counts: dict[int, Count] = {}
        for note in msgspec.convert(answer.get("notes"), list[str]):
            say(f"not captured: {note}")
        for point in self.points:
            if point.error:
                say(f"not captured: {point.name}: {point.error}")
        self._follower = Follower(whole=whole)
        self._pending: list[Seen] = []
        self._stopped_s: float | None = None

    def stop(self) -> None:
        """Give what has passed so far, then no more; also from a signal's handler."""
        self._stopped_s = time.monotonic()

    def batches(self) -> Iterator[list[Seen]]:
        """Frames in order of time, a list at a time, empty ones too; ends when it is stopped or all nodes have gone.

        Raises NotFound when the controller has ended it, Unavailable when it does not answer; after all that has come.
        """
        while not self._is_over():
            try:
                content = self._cloud.read(NEBULA, f"/captures/{self.id}?wait={self._wait_s}")
            except (NotFound, Unavailable):
                yield self._rest()
                raise
            for chunk in unpack(content):
                shift_ns = self._hear(chunk.head)
                self._pending += [
                    Seen(index, time_ns + shift_ns, data, length, bool(flags & OUTGOING))
                    for index, flags, length, time_ns, data in frames_of(chunk)
                ]
            yield self._ordered()
        yield self._rest()

    def _is_over(self) -> bool:
        stopped = self._stopped_s is not None and time.monotonic() - self._stopped_s >= _FLUSH_S
        return stopped or all(node.gone for node in self.nodes.values())

    @property
    def _wait_s(self) -> float:
        return _WAIT_S if self._stopped_s is None else _FLUSH_S / 6

    def _rest(self) -> list[Seen]:
        self._follower.take(sorted(self._pending, key=_time))
        self._pending = []
        return self._follower.give(1 << 63)

    def _ordered(self) -> list[Seen]:
        """Up to the time that all nodes have told all of."""
        told = [node for node in self.nodes.values() if not node.gone]
        until_ns = min((node.complete_ns + node.shift_ns for node in told), default=1 << 62)
        self._pending.sort(key=_time)
        count = len(self._pending)
        while count and self._pending[count - 1].time_ns > until_ns:
            count -= 1
        ready, self._pending = self._pending[:count], self._pending[count:]
        self._follower.take(ready)
        return self._follower.give(until_ns - LOOK_AHEAD_NS)

    def _hear(self, head: Head) -> int:
        """What a node says beside its frames; what is to be added to its times."""
        node = self.nodes.get(head.host)
        if node is None:
            return 0
        if head.gone:
            node.gone, node.gone_ns = head.gone, node.complete_ns + node.shift_ns
            self._say(f"node {head.host} is gone: {head.gone}; what passed there since is missing")
            return node.shift_ns
        if head.error_ns and not node.error_ns:
            node.offset_ns, node.error_ns = head.offset_ns, head.error_ns
            node.shift_ns = head.offset_ns if abs(head.offset_ns) > head.error_ns else 0
            if node.shift_ns:
                self._say(
                    f"the clock of {head.host} is {abs(head.offset_ns) / 1e9:.6f} s "
                    f"{'behind' if head.offset_ns > 0 else 'ahead of'} the controller's "
                    f"(to {head.error_ns / 1e6:.1f} ms): its times are corrected"
                )
        node.complete_ns = max(node.complete_ns, head.complete_ns)
        for count in head.counts:
            known = self.counts.get(count.index)
            if count.error and not (known and known.error):
                self._say(f"{self.points[count.index].name}: {count.error}")
            self.counts[count.index] = count
        return node.shift_ns

    def end(self) -> None:
        """Tell the controller; the nodes end with it. A controller that does not answer ends it by itself."""
        try:
            self._cloud.delete(NEBULA, f"/captures/{self.id}")
        except Unavailable:
            return
