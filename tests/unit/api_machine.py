"""The machine that sends each call and compares its answer with ``api_model``; rules are in other modules.

Effects: the whole controller in this process, on a database in a temporary folder.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from uuid import UUID

import hypothesis.strategies as st
from api_model import (
    ASKERS,
    DHCP,
    EVERYBODY,
    FORBIDDEN,
    GATEWAY,
    Asker,
    Group,
    Port,
    Refusals,
    Rule,
    Share,
    World,
)
from api_network_client import Api
from hypothesis.stateful import RuleBasedStateMachine, invariant
from nebula_controller.api.context import Caller, internal
from nebula_controller.assembly import assemble
from nebula_controller.settings import Settings
from southbound_world import node_report

from nebula.errors import Unauthorized

MISSING = "00000000-0000-4000-8000-000000000000"
WRITERS = ["alice", "bob", "root"]
KINDS = ["networks", "subnets", "ports", "routers", "floatingips", "security_groups", "security_group_rules"]
DERIVED = {"revision_number", "updated_at", "port_details", "shared"}
"""What an answer shows of other objects, or what depends on who asks."""
DONE = {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}

asker = st.sampled_from([*WRITERS, *WRITERS, "ann"])
"""Also one who only reads."""
writer = st.sampled_from(WRITERS)
NONE_OF_THEM = 9
index = st.integers(0, NONE_OF_THEM)
match = st.sampled_from(["", "", "", "", "right", "wrong"])
Wish = tuple[str, int, int]
"""What a request says of addresses: how, which subnet, which of its hosts."""


class Names:
    """The token is the caller's name."""

    def authenticate(self, token: str) -> Caller:
        found = ASKERS.get(token)
        if found is None:
            raise Unauthorized("The request you have made requires authentication.")
        roles = {"reader"} | ({"member"} if found.writes else set()) | ({"admin"} if found.admin else set())
        return Caller(user_id=found.name, project_id=found.project, roles=frozenset(roles))


class Assembled(Api):
    """The whole controller, its database taken back to the start for each sequence."""

    def __init__(self, folder: Path) -> None:
        self.controller = assemble(folder, Settings(), "the secret of the nodes")
        self.database, self.application = self.controller.database, self.controller.application
        for route in self.application.routes:
            route.endpoint._authenticator = Names()  # type: ignore[attr-defined]
        self._start = sqlite3.connect(":memory:")
        self._file().backup(self._start)

    def rewind(self) -> None:
        self._start.backup(self._file())

    def _file(self) -> sqlite3.Connection:
        with self.database.read() as tx:
            found = tx.connection.connection.driver_connection
        assert isinstance(found, sqlite3.Connection)
        return found


@cache
def _assembled() -> tuple[Assembled, TemporaryDirectory[str]]:
    folder = TemporaryDirectory(prefix="nebula-model-")
    made = Assembled(Path(folder.name))
    made.loop = asyncio.new_event_loop()
    return made, folder


class Machine(RuleBasedStateMachine):
    """What the world holds is asked before each call, and told what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.api = _assembled()[0]
        self.api.rewind()
        numbers = itertools.count(1)
        self.patch = patch("uuid.uuid4", lambda: UUID(int=next(numbers) << 96, version=4))
        self.patch.start()  # equal choices have to make equal objects, or hypothesis cannot shrink
        self.world = World()
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}
        self.moved = True
        self.served = False
        for name in ("alice", "bob", "root"):  # asking for groups makes the default one
            self.api.get("/security-groups", name)
        self._learn_groups()

    def teardown(self) -> None:
        self.patch.stop()

    @invariant()
    def agree(self) -> None:
        """All objects as an administrator sees them are the world's, and what changed has another revision."""
        if not self.moved:
            return
        self.moved = False
        self._learn_groups()
        self._learn_dhcp()
        shown = {kind: self.api.get(f"/{kind.replace('_', '-')}", "root")[kind] for kind in KINDS}
        w = self.world
        assert _by_id(shown["networks"], lambda n: (n["project_id"], n["name"], set(n["subnets"]))) == {
            k: (n.project, n.name, set(w.subnets_of(k))) for k, n in w.networks.items()
        }
        assert _by_id(shown["subnets"], lambda s: (s["network_id"], s["cidr"], s["gateway_ip"])) == {
            k: (s.network, s.cidr, s.gateway) for k, s in w.subnets.items()
        }
        assert _by_id(
            shown["ports"],
            lambda p: (
                p["project_id"],
                p["network_id"],
                addresses_of(p),
                p["device_owner"],
                p["device_id"],
                set(p["security_groups"]),
            ),
        ) == {k: (p.project, p.network, p.fixed, p.owner, p.device, p.groups) for k, p in w.ports.items()}
        assert _by_id(shown["routers"], _gateway_of) == {
            k: None if r.gateway is None else (r.gateway, w.ports[str(w.gateway_port(k))].fixed)
            for k, r in w.routers.items()
        }
        assert _by_id(
            shown["floatingips"],
            lambda f: (f["floating_ip_address"], f["port_id"], f["fixed_ip_address"], f["router_id"]),
        ) == {k: (f.address, f.port, f.fixed, f.router) for k, f in w.floatingips.items()}
        assert _by_id(shown["security_groups"], lambda g: (g["project_id"], g["name"])) == {
            k: (g.project, g.name) for k, g in w.security_groups.items()
        }
        assert _by_id(shown["security_group_rules"], rule_of) == {
            k: (r.group, r.what) for k, r in w.security_group_rules.items()
        }
        addresses = [(where, address) for port in w.ports.values() for where, address in port.fixed]
        assert len(addresses) == len(set(addresses))
        self._check_revisions(shown)

    def _check_revisions(self, shown: dict[str, list[dict[str, Any]]]) -> None:
        now = {(kind, one["id"]): one for kind, many in shown.items() for one in many}
        for key, one in now.items():
            before = self.seen.get(key)
            if before is None:
                continue
            old, new = ({n: v for n, v in each.items() if n not in DERIVED} for each in (before, one))
            assert one["revision_number"] >= before["revision_number"], key
            if old != new and not {n for n in new if old[n] != new[n]} <= {"status", "availability_zones", "router_id"}:
                changed = {name: (old[name], new[name]) for name in new if old[name] != new[name]}
                assert one["revision_number"] > before["revision_number"], (key, changed)
        self.seen = now

    def _pick(self, kind: str, at: int) -> str:
        """One of those that are there, or none of them."""
        keys = list(getattr(self.world, kind))
        return keys[at % len(keys)] if keys and at < NONE_OF_THEM else MISSING

    def _external(self, at: int) -> str:
        """Mostly an external network."""
        keys = [key for key, network in self.world.networks.items() if network.external]
        return keys[at % len(keys)] if keys and at < NONE_OF_THEM - 2 else self._pick("networks", at)

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
    ) -> Any:
        """The decoded answer of a call that has succeeded; None of one that was refused, as it had to be.

        ``ways``: refusals that may be, beside success.
        """
        answer = self.api.call(method, path, body, token=who, headers=headers)
        self.moved = True  # a refusal that changed something would be seen
        told = (answer.status, answer.kind if answer.status >= 400 else "")
        if wrong or told in set(ways):
            assert told in wrong | set(ways), (method, path, body, who, headers, wrong, answer.raw)
            return None
        assert answer.status == DONE[method], (method, path, body, who, headers, answer.raw)
        return answer.json if answer.raw else {}

    def _revision(self, kind: str, key: str, matched: str) -> dict[str, str]:
        if not matched or key == MISSING:
            return {}
        now = self.api.get(f"/{kind.replace('_', '-')}/{key}?fields=revision_number", "root")
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
        path = f"/{kind.replace('_', '-')}/{key}"
        wrapped = None if body is None else {kind[:-1]: body}
        return self._call("PUT" if body else "DELETE", path, wrapped, who, wrong, headers=headers, ways=ways)

    def _remove(self, kind: str, key: str, who: str, wrong: Refusals, *, matched: str = "") -> bool:
        return self._change(kind, key, None, who, wrong, matched=matched) is not None

    def _wish(self, asker: Asker, network: str, wish: Wish, wrong: Refusals, port: str | None = None) -> dict[str, Any]:
        """What a request says of addresses; what is wrong with that is added to ``wrong``."""
        how, sub, host = wish
        subnets = sorted(self.world.subnets_of(network))
        if how == "none":
            return {"fixed_ips": []}
        if how in ("subnet", "address") and subnets:
            chosen = subnets[sub % len(subnets)]
            if how == "subnet":
                if not self.world.has_room(chosen, port):
                    wrong |= {(409, "IpAddressGenerationFailure")}
                return {"fixed_ips": [{"subnet_id": chosen}]}
            address = str(self.world.subnets[chosen].block.network_address + host)
            named = chosen if host % 2 else None
            wrong |= self.world.wrong_address(network, named, address, port)
            wrong |= set() if self.world.owns_network(asker, network) else {FORBIDDEN}
            return {"fixed_ips": [{"ip_address": address, **({"subnet_id": named} if named else {})}]}
        if port is None:
            wrong |= self.world.no_room(network)
        return {}

    def _check_addresses(self, made: dict[str, Any], how: str, port: str | None) -> None:
        """Free ones, one of each version where none was named."""
        fixed = addresses_of(made)
        own = self.world.ports[port].fixed if port else set()
        for where, address in fixed - own:
            assert address not in self.world.taken(where), made
            assert how == "address" or self.world.in_pool(where, address), made
        if how == "any":
            versions = sorted({s.version for s in self.world.subnets_of(made["network_id"]).values()})
            assert sorted(self.world.subnets[where].version for where, _ in fixed) == versions, made
        if how == "none":
            assert not fixed

    def _wrong_gateway(self, asker: Asker, network: str) -> Refusals:
        wrong = self.world.missing(asker, "networks", network)
        if wrong:
            return wrong
        if not self.world.networks[network].external:
            return {(400, "BadRequest")}
        return self.world.no_room(network)

    def _take_gateway(self, key: str, network: str | None) -> None:
        if network is None:
            return
        shown = self.api.get(f"/ports?device_id={key}&device_owner={GATEWAY}", "root")["ports"][0]
        self._check_addresses(shown, "any", None)
        self.world.ports[shown["id"]] = Port("", network, addresses_of(shown), GATEWAY, key)
        self.world.routers[key].gateway = network

    def _learn_gateways(self, network: str) -> None:
        """A new subnet may give its first address of a version to gateways."""
        for key, port in self.world.ports.items():
            if port.network == network and port.owner == GATEWAY:
                fixed = addresses_of(self.api.get(f"/ports/{key}", "root")["port"])
                assert fixed >= port.fixed
                versions = [self.world.subnets[where].version for where, _ in fixed]
                assert len(versions) == len(set(versions))
                port.fixed = fixed

    def _associate(self, made: dict[str, Any], port: str | None) -> None:
        floating = self.world.floatingips[made["id"]]
        if port is None:
            floating.port = floating.fixed = floating.router = None
            return
        ((where, address),) = [(w, a) for w, a in self.world.ports[port].fixed if ":" not in a]
        assert (made["port_id"], made["fixed_ip_address"]) == (port, address)
        assert made["router_id"] in self.world.routers_between(where, floating.network)
        floating.port, floating.fixed, floating.router = port, address, made["router_id"]

    def _share_of(self, network: str, target: str) -> str | None:
        shares = self.world.shares.items()
        return next((k for k, s in shares if (s.network, s.target) == (network, target)), None)

    def _learn_shares(self, network: str) -> None:
        """``shared`` of a network is a policy for everybody."""
        query = f"object_id={network}&action=access_as_shared&target_tenant=*"
        found = self.api.get(f"/rbac-policies?{query}", "root")["rbac_policies"]
        if (old := self._share_of(network, EVERYBODY)) is not None:
            del self.world.shares[old]
        for one in found:
            self.world.shares[one["id"]] = Share(one["project_id"], network, EVERYBODY)

    def serve(self) -> None:
        """A node comes up that serves DHCP and routes."""
        self.served = True
        self.api.controller.southbound.registry.report(internal("test"), node_report("n1", 1))

    def _learn_dhcp(self) -> None:
        """A network with DHCP on a subnet has one port of its server, with an address on each such subnet with room.

        Which addresses it has changes with the subnets; that is done within the call that changes them.
        """
        shown = self.api.get(f"/ports?device_owner={DHCP}", "root")["ports"]
        for key in [key for key, port in self.world.ports.items() if port.owner == DHCP]:
            del self.world.ports[key]
        for one in shown:
            project = self.world.networks[one["network_id"]].project
            assert one["project_id"] == project
            port = Port(project, one["network_id"], addresses_of(one), DHCP, one["device_id"])
            self.world.ports[one["id"]] = port
        having = [one["network_id"] for one in shown]
        assert len(having) == len(set(having))
        wanting = {subnet.network for key, subnet in self.world.subnets.items() if subnet.dhcp}
        assert set(having) <= (wanting if self.served else set())
        for key, subnet in self.world.subnets.items():
            served = any(where == key for one in shown for where, _ in addresses_of(one))
            assert served == (self.served and subnet.dhcp) or not self.world.has_room(key), (key, served)

    def _default_group(self, project: str) -> str:
        (found,) = [k for k, g in self.world.security_groups.items() if (g.project, g.name) == (project, "default")]
        return found

    def _owns_group(self, asker: Asker, key: str) -> bool:
        return asker.admin or self.world.security_groups[key].project == asker.project

    def _learn_groups(self, project: str = "") -> None:
        """New groups (also a project's default one, whenever it is first needed) come with their own rules."""
        for one in self.api.get("/security-groups", "root")["security_groups"]:
            if one["id"] not in self.world.security_groups:
                assert one["name"] == "default" or one["project_id"] == project, one
                self.world.security_groups[one["id"]] = Group(one["project_id"], one["name"])
        for one in self.api.get("/security-group-rules", "root")["security_group_rules"]:
            if one["id"] not in self.world.security_group_rules:
                group, what = rule_of(one)
                made = Rule(one["project_id"], group, what, one["remote_group_id"])
                self.world.security_group_rules[one["id"]] = made


def addresses_of(port: dict[str, Any]) -> set[tuple[str, str]]:
    return {(fixed["subnet_id"], fixed["ip_address"]) for fixed in port["fixed_ips"]}


def _gateway_of(router: dict[str, Any]) -> object:
    info = router["external_gateway_info"]
    if info is None:
        return None
    return info["network_id"], {(one["subnet_id"], one["ip_address"]) for one in info["external_fixed_ips"]}


def rule_of(one: dict[str, Any]) -> tuple[str, tuple[object, ...]]:
    names = ("direction", "ethertype", "protocol", "port_range_min", "remote_group_id")
    return one["security_group_id"], tuple(one[name] for name in names)


def _by_id(many: list[dict[str, Any]], what: Callable[[dict[str, Any]], object]) -> dict[str, object]:
    assert all(UUID(one["id"]) for one in many)
    return {one["id"]: what(one) for one in many}
