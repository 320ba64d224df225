"""``/nebula/v1/captures``: packets of the nodes for people. Effects: asks the nodes, passes on what they send.

    POST   /nebula/v1/captures   {"what": [{"kind": "instance", "id": "..."}, {"kind": "underlay"}], "filter": "icmp"}
    GET    /nebula/v1/captures/{id}?wait=5    chunks of ``nebula.capture.stream``, none when the time is over (204)
    DELETE /nebula/v1/captures/{id}

A capture belongs to the user who began it. Who may not see all (``nebula:capture_all``) gets what is of the own
project: its ports, and on the underlay its networks' packets.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, select

from nebula.capture.order import CaptureOrder, ListenAt, Listening
from nebula.capture.points import Sight, Spot, What
from nebula.errors import BadRequest, Forbidden, InvalidAttribute, Unavailable
from nebula.ids import Host
from nebula.view.question import Ask, NodeAnswer
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes.captures import Capture, Captures
from nebula_controller.nodes.questions import Questions
from nebula_controller.nodes.service import wait_s_of
from nebula_controller.store.database import Database
from nebula_controller.store.tables.network import ports
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.watch import Views

RULE, RULE_ALL = "nebula:capture", "nebula:capture_all"
MOST_POINTS = 1000
MOST_POINTS_OF_A_NODE = 128
_ANSWER_WAIT_S = 10.0
_PROJECT = select(ports.c.project_id).where(ports.c.id == bindparam("port"))
_DOWN = select(nodes.c.host).where(nodes.c.down.is_(True))


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the call. ``buffer_bytes``: of each point's ring on its node."""

    what: tuple[What, ...]
    filter: str = ""
    snaplen_bytes: int = 262_144
    buffer_bytes: int = 4 * 1024 * 1024


class CapturesApi:
    """Three operations for people; the nodes' own are NodesApi's."""

    def __init__(self, database: Database, views: Views, questions: Questions, captures: Captures) -> None:
        self._database = database
        self._views = views
        self._questions = questions
        self._captures = captures

    def service(self) -> Service:
        one = "/v1/captures/{id}"
        return Service(
            "/nebula",
            [
                Operation("POST", "/v1/captures", self._begin, rule=RULE),
                Operation("GET", one, self._read, rule=RULE),
                Operation("DELETE", one, self._end, rule=RULE),
            ],
            rules={RULE: "role:admin or role:member", RULE_ALL: "role:admin"},
        )

    async def _begin(self, call: Call) -> Answer:
        if call.context.dry_run:
            raise BadRequest("A capture changes nothing: there is nothing to plan.")
        asked = _asked(call)
        spots = self._spots(call.context, asked)
        notes = [f"{spot.title} is on no node" for spot in spots if not spot.host]
        down = self._down()
        notes += [f"{spot.title}: node {spot.host} is down" for spot in spots if spot.host in down]
        open_spots = [spot for spot in spots if spot.host and spot.host not in down]
        if not open_spots:
            raise Unavailable(f"There is no point to listen at: {'; '.join(notes)}.")
        hosts = list(dict.fromkeys(spot.host for spot in open_spots))
        capture = self._captures.begin(call.context.user_id, hosts)
        try:
            orders = {host: _order(capture, host, open_spots, asked) for host in hosts}
            answers = await self._questions.ask(hosts, Ask.CAPTURE, _ANSWER_WAIT_S, captures=orders)
            points = _points(capture, open_spots, answers)
        except BaseException:
            self._captures.end(capture)
            raise
        return Answer(201, {"capture": {"id": capture.id, "points": points, "notes": notes}})

    def _spots(self, context: RequestContext, asked: Asked) -> list[Spot]:
        project = None if context.allows(RULE_ALL, {}) else context.project_id
        if project is None and not context.allows(RULE_ALL, {}):
            raise Forbidden("Only who is logged in on a project can see its packets.")
        self._views.refresh()
        with self._database.read() as tx:
            spots = Sight(
                self._views.snapshot, project, lambda port: tx.execute(_PROJECT, {"port": port}).scalar()
            ).spots(asked.what)
        most = max((sum(1 for spot in spots if spot.host == host) for host in {spot.host for spot in spots}), default=0)
        if len(spots) > MOST_POINTS or most > MOST_POINTS_OF_A_NODE:
            raise BadRequest(
                f"These are {len(spots)} points, {most} of them on one node; at most {MOST_POINTS} and "
                f"{MOST_POINTS_OF_A_NODE} can be listened at: name single instances, ports or a path."
            )
        return spots

    def _down(self) -> set[str]:
        with self._database.read() as tx:
            return set(tx.execute(_DOWN).scalars())

    async def _read(self, call: Call) -> Answer:
        capture = self._captures.find(call.path["id"], call.context.user_id)
        content = await capture.take(wait_s_of(call))
        if not content:
            return Answer(204)
        return Answer(200, content, {"cache-control": "no-store"}, "application/octet-stream")

    def _end(self, call: Call) -> Answer:
        self._captures.end(self._captures.find(call.path["id"], call.context.user_id))
        return Answer(204)


def _asked(call: Call) -> Asked:
    try:
        asked = msgspec.json.decode(call.raw, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body does not say what to capture: {error}") from None
    if not 1 <= len(asked.what) <= MOST_POINTS:
        raise InvalidAttribute("what", f"1 to {MOST_POINTS} things")
    if not 1 <= asked.snaplen_bytes <= 262_144:
        raise InvalidAttribute("snaplen_bytes", "not in 1..262144")
    if not 1 <= asked.buffer_bytes <= 64 * 1024 * 1024:
        raise InvalidAttribute("buffer_bytes", "not in 1..67108864")
    return asked


def _order(capture: Capture, host: Host, spots: list[Spot], asked: Asked) -> CaptureOrder:
    points = tuple(
        ListenAt(index, spot.port.id if spot.port is not None else None, None if spot.vnis is None else _sorted(spot))
        for index, spot in enumerate(spots)
        if spot.host == host
    )
    return CaptureOrder(capture.id, points, asked.filter, asked.snaplen_bytes, asked.buffer_bytes)


def _sorted(spot: Spot) -> tuple[int, ...]:
    return tuple(sorted(spot.vnis or ()))


def _points(capture: Capture, spots: list[Spot], answers: list[NodeAnswer]) -> list[dict[str, object]]:
    """All points with what the nodes say of them. Raises BadRequest where a node refuses, or none listens."""
    for answer in answers:
        if answer.error:
            raise BadRequest(f"Node {answer.host}: {answer.error}")
    found = {item.index: item for answer in answers for item in answer.listening}
    told = [found.get(index) or Listening(index, error="the node did not answer") for index in range(len(spots))]
    if all(item.error for item in told):
        reasons = "; ".join(f"{spot.host}: {spot.title}: {item.error}" for spot, item in zip(spots, told, strict=True))
        raise Unavailable(f"There is no point to listen at: {reasons}.")
    capture.expect({spot.host for spot, item in zip(spots, told, strict=True) if not item.error})
    return [
        {
            "index": item.index,
            "host": spot.host,
            "name": _name(spot, item),
            "namespace": item.namespace,
            "device": item.device,
            "port_id": spot.port.id if spot.port is not None else None,
            "error": item.error,
        }
        for spot, item in zip(spots, told, strict=True)
    ]


def _name(spot: Spot, item: Listening) -> str:
    """``compute1: web eth0``: of routers, DHCP servers and the underlay the title says all."""
    plain = spot.port is None or spot.port.device_owner.startswith("network:") or not item.device
    return f"{spot.host}: {spot.title}" if plain else f"{spot.host}: {spot.title} {item.device}"
