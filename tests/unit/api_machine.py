"""The machine that sends each call and compares its answer with ``api_model``; rules are in other modules.

Effects: those of ``api_service``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch
from uuid import UUID

import hypothesis.strategies as st
from api_model import World
from api_records import ASKERS, FORBIDDEN, Asker, Refusals, name_of, path_of
from api_service import assembled
from hypothesis.stateful import RuleBasedStateMachine

MISSING = "00000000-0000-4000-8000-000000000000"
WRITERS = ["alice", "bob", "root"]
DONE = {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}

asker = st.sampled_from([*WRITERS, *WRITERS, "ann"])
"""Also one who only reads."""
writer = st.sampled_from(WRITERS)
NONE_OF_THEM = 9
index = st.integers(0, NONE_OF_THEM)
match = st.sampled_from(["", "", "", "", "right", "wrong"])
Wish = tuple[str, int, int]
"""What a request says of addresses: how, which subnet, which of its hosts."""


class Machine(RuleBasedStateMachine):
    """What the world holds is asked before each call, and told what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.api = assembled()[0]
        self.api.rewind()
        numbers = itertools.count(1)
        self.patch = patch("uuid.uuid4", lambda: UUID(int=next(numbers) << 96, version=4))
        self.patch.start()  # equal choices have to make equal objects, or hypothesis cannot shrink
        self.world = World()
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}
        self.moved = True
        self.given: tuple[str, str] | None = None
        """A network that an administrator has just given to a node's DHCP agent too."""

    def teardown(self) -> None:
        self.patch.stop()

    def _pick(self, kind: str, at: int | str, who: str) -> str:
        """One of those that are there, every other time of the asker's project; or none of them. An id stays itself."""
        if isinstance(at, str):
            return at
        things = getattr(self.world, kind)
        own = [key for key, each in things.items() if each.project == ASKERS[who].project] if at % 2 == 0 else []
        keys = own or list(things)
        return keys[at // 2 % len(keys)] if keys and at < NONE_OF_THEM else MISSING

    def _pick_or_none(self, kind: str, at: int | str | None, who: str) -> str | None:
        """The same, where something is wanted and there are any."""
        return None if at is None or not getattr(self.world, kind) else self._pick(kind, at, who)

    def _external(self, at: int | str, who: str) -> str:
        """Mostly an external network."""
        if isinstance(at, str):
            return at
        keys = [key for key, network in self.world.networks.items() if network.external]
        return keys[at % len(keys)] if keys and at < NONE_OF_THEM - 2 else self._pick("networks", at, who)

    def _call(
        self,
        method: str,
        path: str,
        body: object,
        who: str,
        wrong: Refusals,
        *,
        headers: dict[str, str] | None = None,
        ways: Iterable[tuple[int, str]] = (),
        nothing: bool = False,
    ) -> Any:
        """The decoded answer of a call that has succeeded; None of one that was refused, as it had to be.

        ``ways``: refusals that may be, beside success. ``nothing``: the answer has to say null.
        """
        answer = self.api.call(method, path, body, token=who, headers=headers)
        self.moved |= answer.status < 400 and method != "GET"  # a refusal that changed something is seen with the next
        told = (answer.status, answer.kind if answer.status >= 400 else "")
        if wrong or told in set(ways):
            assert told in wrong | set(ways), (method, path, body, who, headers, wrong, answer.raw)
            return None
        assert answer.status == DONE[method], (method, path, body, who, headers, answer.raw)
        assert not nothing or answer.json is None
        return answer.json if answer.raw and not nothing else {}

    def _revision(self, kind: str, key: str, matched: str) -> dict[str, str]:
        if not matched or key == MISSING:
            return {}
        now = self.api.get(f"/{path_of(kind)}/{key}?fields=revision_number", "root")
        number = next(iter(now.values()))["revision_number"]
        return {"if-match": f"revision_number={number + (matched == 'wrong')}"}

    def _change(
        self,
        kind: str,
        key: str,
        body: dict[str, Any] | None,
        who: str,
        wrong: Refusals,
        *,
        matched: str = "",
        ways: Iterable[tuple[int, str]] = (),
    ) -> Any:
        """PUT of some attributes, DELETE where they are None; with ``If-Match``, ``right`` or ``wrong``."""
        headers = self._revision(kind, key, matched)
        if headers and matched == "wrong":
            wrong = wrong | {(412, "RevisionNumberConstraintFailed")}
        path = f"/{path_of(kind)}/{key}"
        wrapped = None if body is None else {name_of(kind): body}
        return self._call("PUT" if body else "DELETE", path, wrapped, who, wrong, headers=headers, ways=ways)

    def _remove(self, kind: str, key: str, who: str, wrong: Refusals, *, matched: str = "") -> bool:
        return self._change(kind, key, None, who, wrong, matched=matched) is not None

    def _wish(self, asker: Asker, network: str, wish: Wish, wrong: Refusals, port: str | None = None) -> Any:
        """The ``fixed_ips`` that a request names, None for none; what is wrong with them is added to ``wrong``."""
        how, sub, host = wish
        subnets = sorted(self.world.subnets_of(network))
        if how == "none":
            return []
        if how in ("subnet", "address") and subnets:
            chosen = subnets[sub % len(subnets)]
            if how == "subnet":
                if not self.world.has_room(chosen, port):
                    wrong |= {(409, "IpAddressGenerationFailure")}
                return [{"subnet_id": chosen}]
            address = str(self.world.subnets[chosen].block.network_address + host)
            named = chosen if host % 2 else None
            wrong |= self.world.wrong_address(network, named, address, port)
            wrong |= set() if self.world.owns_network(asker, network) else {FORBIDDEN}
            return [{"ip_address": address, **({"subnet_id": named} if named else {})}]
        if port is None:
            wrong |= self.world.no_room(network)
        return None

    def _check_addresses(self, made: dict[str, Any], how: str, port: str | None) -> None:
        """Those that the port makes itself, and free ones: one of each version where none was named."""
        fixed, network = addresses_of(made), made["network_id"]
        itself = self.world.self_made(network, made["mac_address"])
        assert itself <= fixed, made
        own = self.world.ports[port].fixed if port else set()
        for where, address in fixed - own - itself:
            assert address not in self.world.taken(where), made
            assert how == "address" or self.world.in_pool(where, address), made
        if how == "any":
            versions = sorted({s.version for s in self.world.subnets_of(network).values() if not s.auto})
            assert sorted(self.world.subnets[where].version for where, _ in fixed - itself) == versions, made
        if how == "none":
            assert fixed == itself


def addresses_of(port: dict[str, Any]) -> set[tuple[str, str]]:
    return {(fixed["subnet_id"], fixed["ip_address"]) for fixed in port["fixed_ips"]}
