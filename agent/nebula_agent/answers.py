"""What the node answers to people's questions: what is there, what differs, whose it is, what a view would change.

Effects: reads of the node through the drivers, in the loop's thread; a pass where a fix is asked for, sockets where a
capture is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from nebula.capture.order import ListenAt, Listening
from nebula.compile.lookup import named
from nebula.compile.node import compile_node
from nebula.compile.wiring import WiredPort, Wiring
from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Process
from nebula.desired.shell import OWNER_KEY, command
from nebula.desired.state import NodeState
from nebula.errors import NebulaError
from nebula.ids import Host, PortId, parse_mark
from nebula.trace.live import LiveOrder
from nebula.view.question import Ask, Difference, Foreign, Item, NodeAnswer, Question
from nebula.view.report import Action, Reason
from nebula_agent.captures import Captures, Point
from nebula_agent.drivers.openvswitch import foreign_bridges, our_bridges
from nebula_agent.node import Node
from nebula_agent.tracing.live import Live
from nebula_agent.tracing.site import Site
from nebula_agent.tracing.walk import Walk
from nebula_agent.turn import Turns


class Answers:
    """Questions in, answers out. ``paused``: the loop takes no turns."""

    def __init__(
        self, node: Node, turns: Turns, host: Host, captures: Captures | None = None, underlay: str = ""
    ) -> None:
        """``underlay``: the device that has the VTEP address."""
        self._node = node
        self._turns = turns
        self._host = host
        self._captures = captures
        self._underlay = underlay
        self.paused = False
        self._live = Live()

    def take(self, question: Question, reply: Callable[[NodeAnswer], None]) -> None:
        """Answer now; what a trace's packet was seen at later, from another thread."""
        if question.ask is Ask.SEEN and question.live is not None:
            self._live.seen(question.live, lambda seen: reply(NodeAnswer(question.id, self._host, sightings=seen)))
        else:
            reply(self.answer(question))

    def answer(self, question: Question) -> NodeAnswer:
        """Never raises: what cannot be answered is said in ``error``."""
        began = time.monotonic()
        facts: dict[str, object] = {}
        error = ""
        try:
            facts = self._look(question)
        except (NebulaError, ValueError, OSError) as problem:
            error = str(problem) or type(problem).__name__
        view = self._turns.view
        return NodeAnswer(
            question=question.id,
            host=self._host,
            revision=view.revision if view is not None else 0,
            paused=self.paused,
            error=error,
            duration_s=round(time.monotonic() - began, 6),
            **facts,  # type: ignore[arg-type]
        )

    def _look(self, question: Question) -> dict[str, object]:
        looks: dict[Ask, Callable[[Question], dict[str, object]]] = {
            Ask.INVENTORY: self._inventory,
            Ask.OWNER: self._owner,
            Ask.AUDIT: self._audit,
            Ask.FIX: self._fix,
            Ask.PLAN: self._plan,
            Ask.CAPTURE: self._capture,
            Ask.PAUSE: lambda _question: self._pause(True),
            Ask.RESUME: lambda _question: self._pause(False),
            Ask.TRACE: self._trace,
            Ask.LISTEN: lambda question: {"sightings": self._live.listen(self._site(), _order(question))},
            Ask.SEND: lambda question: {"sightings": self._live.send(self._site(), _order(question))},
            Ask.STATUS: lambda _question: {},
        }
        return looks[question.ask](question)

    def _observed(self) -> tuple[NodeState, NodeState]:
        """What shall be, and what is at this moment, read anew. Raises NebulaError."""
        desired = self._turns.desired()
        if desired is None:
            raise NebulaError("this node has no view yet: it does not know what shall be")
        self._node.reconciler.mark_dirty()
        return desired, self._node.reconciler.observe(desired)

    def _inventory(self, _question: Question) -> dict[str, object]:
        _desired, observed = self._observed()
        return {"objects": len(observed), "items": tuple(self._items(observed.values()))}

    def _owner(self, question: Question) -> dict[str, object]:
        _desired, observed = self._observed()
        found = named(observed, question.thing, self._node.pids())
        foreign = () if found else tuple(item for item in self._foreign() if question.thing.strip() == item.name)
        return {"objects": len(observed), "items": tuple(self._items(found)), "foreign": foreign}

    def _audit(self, _question: Question) -> dict[str, object]:
        desired, observed = self._observed()
        changes = self._node.reconciler.changes(desired, observed)
        return {
            "objects": len(observed),
            "differences": tuple(_difference(change) for change in changes),
            "foreign": tuple(self._foreign()),
        }

    def _fix(self, question: Question) -> dict[str, object]:
        """What differed before; a pass has then been taken, paused or not."""
        before = self._audit(question)
        self._node.reconciler.mark_dirty()
        if not self._turns.take(Reason.DRIFT):
            raise NebulaError("not everything could be mended: the agent's log says what")
        return before

    def _plan(self, question: Question) -> dict[str, object]:
        if question.view is None:
            raise ValueError("a plan needs a view")
        desired = compile_node(question.view, self._node.facts())
        observed = self._node.reconciler.observe(desired)
        changes = self._node.reconciler.changes(desired, observed)
        return {"objects": len(observed), "differences": tuple(_difference(change) for change in changes)}

    def _trace(self, question: Question) -> dict[str, object]:
        if question.probe is None:
            raise ValueError("a trace needs a packet")
        return {"ways": Walk(self._site(), question.probe).ways()}

    def _site(self) -> Site:
        desired = self._turns.desired()
        if desired is None:
            raise NebulaError("this node has no view yet: it does not know what is whose")
        return Site(self._node, desired, self._turns.view)

    def _capture(self, question: Question) -> dict[str, object]:
        if question.capture is None or self._captures is None:
            raise ValueError("there is nothing to listen at")
        view, facts = self._turns.view, self._node.facts()
        ports = Wiring(view, facts).by_id if view is not None else {}
        points = [self._point(at, ports) for at in question.capture.points]
        return {"listening": self._captures.start(question, points)}

    def _point(self, at: ListenAt, ports: Mapping[PortId, WiredPort]) -> Point | Listening:
        if at.port_id is None:
            return Point(at, "", self._node.tunnel_device(self._underlay))
        port = ports.get(at.port_id)
        if port is None:
            return Listening(at.index, error="nothing is plugged in for the port (yet)")
        return Point(at, port.place.namespace if port.place is not None else "", port.inner_device)

    def _pause(self, paused: bool) -> dict[str, object]:
        self.paused = paused
        return {}

    def _items(self, objects: object) -> Iterator[Item]:
        pids = self._node.pids()
        for item in objects:  # type: ignore[attr-defined]
            note = f"pid {pids[item.name]}" if isinstance(item, Process) and item.name in pids else ""
            yield _item(item, note)

    def _foreign(self) -> Iterator[Foreign]:
        """What is beside ours: namespaces, bridges, and ports and flows on bridges of ours."""
        for name in sorted(self._node.kernel.foreign):
            yield Foreign("namespace", name)
        ovsdb = self._node.ovsdb
        if ovsdb is None:
            return
        state = ovsdb.state()
        bridges = our_bridges(state)
        for name in foreign_bridges(state):
            yield Foreign("bridge", name)
        for row in sorted(state.interfaces.values(), key=lambda row: row.name):
            marked = parse_mark(row.port_external_ids.get(OWNER_KEY, "")) is not None
            if row.bridge in bridges and not marked and row.name != row.bridge:
                yield Foreign("bridge-port", row.name, f"on {row.bridge}")
        for bridge in bridges:
            yield from (Foreign("flow", text, f"on {bridge}") for text in self._node.foreign_flows(bridge))


def _order(question: Question) -> LiveOrder:
    if question.live is None:
        raise ValueError("there is no packet")
    return question.live


def _item(item: KernelObject, note: str) -> Item:
    return Item(item.key.kind, item.key.name, item.owner, command(Change(Action.ADD, None, item)), note)


def _difference(change: Change) -> Difference:
    return Difference(change.action, change.key.kind, change.key.name, change.subject.owner, command(change))
