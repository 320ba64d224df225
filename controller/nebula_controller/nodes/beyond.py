"""What changing calls may ask for by headers: ``X-Nebula-Wait: SECONDS`` and ``X-Nebula-Plan: true``.

Effects: waits for the nodes; a read of the whole database inside a dry run's transaction.

A plan is the call itself, carried out in a transaction that is rolled back: just before that, the views that the nodes
would get are projected. Each node whose view would change is then asked what it would do with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import select

from nebula.errors import Forbidden, InvalidAttribute
from nebula.ids import Host, Owner
from nebula.view import codec
from nebula.view.project import project
from nebula.view.question import Ask
from nebula.view.records import NodeView
from nebula_controller.api.context import Caller
from nebula_controller.api.endpoint import Wishes
from nebula_controller.nodes import rows
from nebula_controller.nodes.questions import Questions
from nebula_controller.nodes.realised import Realised
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.nodes import nodes
from nebula_controller.watch import Views

WAIT, REALISED, PLAN = "x-nebula-wait", "x-nebula-realised", "x-nebula-plan"
MOST_WAIT_S = 60.0
_ANSWERS_WAIT_S = 10.0
_DOWN = select(nodes.c.host).where(nodes.c.down)


class Rehearsal(msgspec.Struct, frozen=True):
    """What a call would change: objects (True: only concerned), and the views that all nodes would have."""

    objects: dict[Owner, bool]
    views: dict[Host, NodeView]
    down: tuple[Host, ...]


class BeyondTheAnswer:
    """For ``create_application``."""

    def __init__(self, database: Database, views: Views, realised: Realised, questions: Questions) -> None:
        self._database = database
        self._views = views
        self._realised = realised
        self._questions = questions
        database.at_rehearsal(self._rehearse)

    def wishes(self, headers: Mapping[str, str]) -> Wishes:
        """Raises InvalidAttribute."""
        return Wishes(_wait_s(headers.get(WAIT, "0")), _true(headers.get(PLAN, "false")))

    async def waited(self, wait_s: float) -> Mapping[str, str]:
        return {REALISED: await self._realised.settled(wait_s)}

    async def planned(self, found: object, caller: Caller | None) -> object:
        """Raises Forbidden for who may not see what is on the nodes."""
        if caller is None or not caller.is_admin:
            raise Forbidden("A plan names objects of all projects: it is for administrators.")
        rehearsal = found if isinstance(found, Rehearsal) else Rehearsal({}, {}, ())
        views = {host: view for host, view in sorted(rehearsal.views.items()) if self._is_news(host, view)}
        asked = [host for host in views if host not in rehearsal.down]
        answers = await self._questions.ask(asked, Ask.PLAN, _ANSWERS_WAIT_S, views=views)
        return {
            "objects": [
                {"kind": owner.kind, "id": owner.id, "related": related} for owner, related in rehearsal.objects.items()
            ],
            "nodes": [
                {"host": answer.host, "error": answer.error, "differences": answer.differences} for answer in answers
            ],
            "silent": sorted(set(asked) - {answer.host for answer in answers}),
            "down": sorted(set(rehearsal.down) & views.keys()),
        }

    def _is_news(self, host: Host, view: NodeView) -> bool:
        now = self._views.current(host)
        return now is None or codec.etag(view) != now.etag

    def _rehearse(self, tx: Transaction) -> Rehearsal:
        """Everything is read anew, as the transaction sees it: the snapshot in memory is of what is committed."""
        snapshot = rows.load(tx, self._database.epoch)
        views = {host: project(snapshot, host) for host in snapshot.nodes}
        down = tuple(Host(host) for host in tx.execute(_DOWN).scalars())
        return Rehearsal({owner: tx.is_related(owner) for owner in sorted(tx.touched)}, views, down)


def _wait_s(text: str) -> float:
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MOST_WAIT_S:
        raise InvalidAttribute("X-Nebula-Wait", f"not a number of seconds in 0..{MOST_WAIT_S:.0f}")
    return wait_s


def _true(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidAttribute("X-Nebula-Plan", "neither true nor false")
    return text.lower() == "true"
