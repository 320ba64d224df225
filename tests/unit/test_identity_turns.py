"""Who waits for a password's check: a flood keeps nobody else out, and waiting is bounded."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from identity_cloud import ADMIN_PASSWORD, Cloud
from nebula_controller.identity import turns
from nebula_controller.identity.turns import Turns

from nebula.errors import Unavailable

FLOOD = 30


def order(*callers: tuple[str, str], places: int = 2) -> list[str]:
    """The names in the order in which they had their turns, having come all at once."""
    had: list[str] = []

    async def one(queue: Turns, source: str, name: str) -> None:
        async with queue.turn(source, name):
            had.append(name)
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        queue = Turns(places)
        await asyncio.gather(*[one(queue, *caller) for caller in callers])

    asyncio.run(all_of_them())
    return had


def test_one_of_each_in_turn() -> None:
    """Whoever comes last behind a flood of another name, or from another place, is among the first."""
    flood = [("far", "admin")] * FLOOD
    assert order(*flood, ("far", "alice")).index("alice") < 4
    made_up = [("far", f"nobody-{number}") for number in range(FLOOD)]
    assert order(*made_up, ("near", "admin")).index("admin") <= turns.SHARES + 2
    assert order(*flood) == ["admin"] * FLOOD


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one kind; others still find a place."""
    monkeypatch.setattr(turns, "MOST_WAITING", 3)
    with pytest.raises(Unavailable):
        order(*[("far", "admin")] * 6)
    assert len(order(*[("far", "admin")] * 5, ("near", "admin"))) == 6


def test_who_gives_up_takes_no_turn() -> None:
    """Neither while it waits nor when its turn has just come: the place goes on to the next."""

    async def scene() -> list[str]:
        queue, had = Turns(1), []

        async def one(name: str) -> None:
            async with queue.turn("", name):
                had.append(name)

        async with queue.turn("", "first"):
            waiting, chosen, last = [asyncio.create_task(one(name)) for name in ("a", "b", "c")]
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.sleep(0)
        chosen.cancel()
        await asyncio.gather(waiting, chosen, last, return_exceptions=True)
        await one("after")
        return had

    assert asyncio.run(scene()) == ["c", "after"]


def test_a_login_behind_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator's login, that comes last, is answered before the last wrong ones; too many are 503."""
    monkeypatch.setattr(turns, "MOST_WAITING", FLOOD - 2)
    cloud = Cloud(tmp_path)
    answered: list[str] = []

    def login(name: str, password: str) -> bytes:
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        return json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}).encode()

    async def one(who: str, name: str, password: str) -> int:
        reply = await cloud._exchange("POST", "/identity/v3/auth/tokens", [], login(name, password))
        answered.append(who)
        if reply.status == 503:
            assert reply.headers["retry-after"] == "1"
        return reply.status

    async def all_of_them() -> list[int]:
        flood = [one("flood", "mallory", "wrong") for _ in range(FLOOD + 2)]
        return await asyncio.gather(*flood, one("admin", "admin", ADMIN_PASSWORD))

    try:
        statuses = asyncio.run(all_of_them())
    finally:
        cloud.close()
    assert statuses == [401] * FLOOD + [503] * 2 + [201]
    assert answered.index("admin") < FLOOD // 2
