"""Every route but identity's, walked as every kind of caller; ``python tests/unit/policy_routes.py`` writes the table.

Effects: a database in a temporary folder, whose writes are rolled back while the routes are walked, so that all callers
meet the same objects; as a program also ``docs/policy.md``.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from nebula_controller.api.context import Caller, internal
from nebula_controller.api.endpoint import Endpoint, Operation
from nebula_controller.assembly import assemble
from nebula_controller.settings import Settings
from nebula_controller.store.database import Origin, Transaction
from southbound_world import node_report

from nebula.errors import Unauthorized

DOCUMENT = Path(__file__).parents[2] / "docs" / "policy.md"
BEGIN, END = "<!-- routes: begin -->", "<!-- routes: end -->"
RULES_BEGIN, RULES_END = "<!-- rules: begin -->", "<!-- rules: end -->"
_ALL = frozenset({"admin", "member", "reader"})
CALLERS = {
    "nobody": None,
    "other project": Caller(user_id="bob", project_id="q", roles=frozenset({"member", "reader"})),
    "reader": Caller(user_id="carol", project_id="p", roles=frozenset({"reader"})),
    "member": Caller(user_id="alice", project_id="p", roles=frozenset({"member", "reader"})),
    "admin": Caller(user_id="root", project_id="admin", roles=_ALL),
    "system reader": Caller(user_id="emil", system_scope=True, roles=frozenset({"reader"})),
    "system admin": Caller(user_id="root", system_scope=True, roles=_ALL),
}
HEAD = "| route | " + " | ".join(CALLERS) + " |\n|---|" + "---|" * len(CALLERS)
NETWORK, SERVERS = "/network/v2.0", "/compute/v2.1/servers"


class Names:
    """The token is the caller's name in ``CALLERS``."""

    def authenticate(self, token: str) -> Caller:
        caller = CALLERS.get(token)
        if caller is None:
            raise Unauthorized("The request you have made requires authentication.")
        return caller


class Walk:
    """The assembled controller with one object of each kind, which belong to the project of *reader* and *member*."""

    def __init__(self, folder: Path) -> None:
        self.controller = assemble(folder, Settings(), "the secret of the nodes")
        self.application = self.controller.application
        self.operations: list[tuple[str, Operation]] = []
        for route in self.application.routes:
            endpoint = route.endpoint  # type: ignore[attr-defined]
            assert isinstance(endpoint, Endpoint)
            endpoint._authenticator = Names()
            self.policy = endpoint._policy
            path = route.path  # type: ignore[attr-defined]
            self.operations += [(path, operation) for operation in endpoint._operations.values()]
        self.ids: dict[str, str] = {}
        self.bodies: dict[tuple[str, str], object] = {}
        self.controller.southbound.registry.report(internal("test"), node_report("n1", 1))
        self._fill()

    def call(self, method: str, path: str, body: object, caller: str) -> httpx.Response:
        """One call in this process."""
        headers = {} if caller == "nobody" else {"x-auth-token": caller}
        return self.send(method, path, None if body is None else msgspec.json.encode(body), headers)

    def send(self, method: str, path: str, content: str | bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """Whatever it is, as it is."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://nebula") as client:
                return await client.request(method, path, content=content, headers=headers)

        return asyncio.run(send())

    def make(self, plural: str, caller: str = "member", **values: object) -> str:
        """The id of a new object; how it was made is how each caller makes one."""
        singular = plural.rsplit("/", 1)[-1].replace("-", "_")
        singular = f"{singular[:-3]}y" if singular.endswith("ies") else singular[:-1]
        given = {name.replace("__", ":"): value for name, value in values.items()}
        body = {singular: given}
        reply = self.call("POST", f"{NETWORK}/{plural}", body, caller)
        assert reply.status_code == 201, (plural, reply.text)
        self.bodies["POST", f"{NETWORK}/{plural}"] = body
        found = str(reply.json()[singular]["id"])
        self.ids[f"{NETWORK}/{plural}"] = found
        tags = f"{NETWORK}/{plural}/{found}/tags"
        assert self.call("PUT", tags, {"tags": ["red"]}, "admin").status_code in (200, 404)
        return found

    def _fill(self) -> None:
        outer = self.make("networks", "admin", name="public", router__external=True)
        self.make("subnets", "admin", network_id=outer, cidr="203.0.113.0/24", ip_version=4)
        network = self.make("networks", name="net")
        subnet = self.make("subnets", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        other = self.make("subnets", network_id=network, cidr="10.0.1.0/24", ip_version=4)
        self.bodies["POST", f"{NETWORK}/subnets"] = {
            "subnet": {"network_id": network, "cidr": "10.0.2.0/24", "ip_version": 4}
        }
        port = self.make("ports", network_id=network)
        router = self.make("routers", external_gateway_info={"network_id": outer})
        self._put(f"routers/{router}/add_router_interface", {"subnet_id": subnet}, do=True)
        self.bodies["PUT", f"{NETWORK}/routers/{router}/add_router_interface"] = {"subnet_id": other}
        self._put(f"routers/{router}/remove_router_interface", {"subnet_id": subnet})
        for verb in ("add", "remove"):
            self._put(f"routers/{router}/{verb}_extraroutes", {"router": {"routes": []}})
        group = self.make("security-groups", name="web")
        self.make("security-group-rules", security_group_id=group, direction="ingress")
        addresses = self.make("address-groups", name="a", addresses=["10.0.0.1"])
        for verb, address in (("add", "10.0.0.2"), ("remove", "10.0.0.1")):
            self._put(f"address-groups/{addresses}/{verb}_addresses", {"address_group": {"addresses": [address]}})
        pool = self.make("subnetpools", name="pool", prefixes=["10.8.0.0/16"])
        for verb, prefix in (("add", "10.9.0.0/16"), ("remove", "10.8.0.0/17")):
            self._put(f"subnetpools/{pool}/{verb}_prefixes", {"prefixes": [prefix]})
        self._put(f"subnetpools/{pool}/onboard_network_subnets", {"network_id": network})
        self.make("address-scopes", name="scope", ip_version=4)
        floating = self.make("floatingips", floating_network_id=outer)
        self.ids[f"{NETWORK}/floatingips/{{floatingip_id}}"] = floating
        forwarding = {"protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": port}
        forwarding["internal_ip_address"] = self.call("GET", f"{NETWORK}/ports/{port}", None, "admin").json()["port"][
            "fixed_ips"
        ][0]["ip_address"]
        self.make(f"floatingips/{floating}/port_forwardings", **forwarding)
        self.bodies["POST", f"{NETWORK}/floatingips/{floating}/port_forwardings"] = {
            "port_forwarding": {**forwarding, "external_port": 81, "internal_port": 81}
        }
        self._share(network)
        self._limit_quality()
        self._fill_beside(network, router)

    def _share(self, network: str) -> None:
        shared = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
        self.make("rbac-policies", **shared, target_tenant="r")
        self.bodies["POST", f"{NETWORK}/rbac-policies"] = {"rbac_policy": {**shared, "target_tenant": "s"}}

    def _limit_quality(self) -> None:
        policy = self.make("qos/policies", "admin", name="gold", project_id="p")
        self.bodies["POST", f"{NETWORK}/qos/policies"] = {"policy": {"name": "silver"}}
        self.ids[f"{NETWORK}/qos/policies/{{policy_id}}"] = policy
        for kind, values in (
            ("bandwidth_limit", {"max_kbps": 1000}),
            ("dscp_marking", {"dscp_mark": 10}),
            ("minimum_bandwidth", {"min_kbps": 10}),
            ("minimum_packet_rate", {"min_kpps": 10}),
        ):
            key = self.make(f"qos/policies/{policy}/{kind}_rules", "admin", **values)
            self.ids[f"{NETWORK}/qos/alias_{kind}_rules"] = key
            self.bodies["PUT", f"{NETWORK}/qos/alias_{kind}_rules/{key}"] = {f"alias_{kind}_rule": {}}

    def _fill_beside(self, network: str, router: str) -> None:
        """Servers, agents, quotas and what else is no resource of the network API."""
        server = {"server": {"name": "vm", "networks": [{"uuid": network}]}}
        reply = self.call("POST", SERVERS, server, "member")
        self.bodies["POST", SERVERS] = server
        assert reply.status_code == 202, reply.text
        self.ids[SERVERS] = str(reply.json()["server"]["id"])
        self.bodies["PUT", f"{SERVERS}/{self.ids[SERVERS]}"] = {"server": {"name": "vm"}}
        self.ids["/compute/v2.1/flavors"] = self._first("/compute/v2.1/flavors", "flavors")
        self.ids["/image/v2/images"] = self._first("/image/v2/images", "images")
        agents = self.call("GET", f"{NETWORK}/agents", None, "admin").json()["agents"]
        of_type = {agent["agent_type"]: agent["id"] for agent in agents}
        self.ids[f"{NETWORK}/agents"] = of_type["DHCP agent"]
        self.bodies["POST", f"{NETWORK}/agents/{of_type['DHCP agent']}/dhcp-networks"] = {"network_id": network}
        self.ids[f"{NETWORK}/agents/{{l3}}"] = of_type["L3 agent"]
        self.bodies["POST", f"{NETWORK}/agents/{of_type['L3 agent']}/l3-routers"] = {"router_id": router}
        self._put("quotas/p", {"quota": {"network": 5}})
        assert self.call("PUT", f"{NETWORK}/quotas/p", {"quota": {"network": 5}}, "admin").status_code == 200
        self.bodies["POST", "/nebula/v1/traces"] = {"from": self.ids[SERVERS], "to": "192.0.2.1", "wait_s": 0.01}
        self.bodies["POST", "/nebula/v1/questions"] = {"ask": "audit", "hosts": [], "wait_s": 0}
        self.ids[f"{NETWORK}/network-ip-availabilities"] = network
        self.ids[f"{NETWORK}/networks"] = network

    def _put(self, path: str, body: object, *, do: bool = False) -> None:
        self.bodies["PUT", f"{NETWORK}/{path}"] = body
        if do:
            assert self.call("PUT", f"{NETWORK}/{path}", body, "member").status_code == 200

    def _first(self, path: str, plural: str) -> str:
        return str(self.call("GET", path, None, "member").json()[plural][0]["id"])

    def rows(self) -> list[str]:
        """The table's rows, in the order of the paths."""
        with self.nothing_is_kept():
            return [
                self._row(path, operation)
                for path, operation in sorted(self.operations, key=lambda item: (item[0], item[1].method))
                if not path.startswith("/identity")
            ]

    def _row(self, path: str, operation: Operation) -> str:
        cells = [self.answer(path, operation, caller) for caller in CALLERS]
        return f"| `{operation.method} {path}` | " + " | ".join(cells) + " |"

    def answer(self, path: str, operation: Operation, caller: str) -> str:
        """``yes`` for whatever has passed the policy: also 409; else the status."""
        place = self.place(path)
        method = operation.method
        reply = self.call(method, place, self.body(method, place), caller)
        assert reply.status_code < 500, (method, place, caller, reply.text)
        if operation.open:
            return "node" if reply.status_code == 401 else "open"
        if reply.status_code == 200 and method == "GET" and _holds_nothing(reply.json()):
            return "none"
        return "yes" if reply.status_code < 400 or reply.status_code == 409 else str(reply.status_code)

    def place(self, path: str) -> str:
        """The path with the ids of the objects that are there."""
        for known in ("floatingips/{floatingip_id}", "qos/policies/{policy_id}"):
            if known in path:
                path = path.replace(known, f"{known.partition('/{')[0]}/{self.ids[f'{NETWORK}/{known}']}")
        if "/l3-routers" in path:
            path = path.replace("{id}", self.ids[f"{NETWORK}/agents/{{l3}}"])
        before, braces, after = path.partition("/{id}")
        if braces:
            path = f"{before}/{self.ids.get(before, 'none')}{after}"
        named = {"project_id": "p", "alias": "router", "tag": "red", "rule_type": "dscp_marking"}
        path = re.sub(r"\{(\w+)\}", lambda found: named.get(found[1], "none"), path)
        return f"{path}?object=none" if path == "/nebula/v1/calls" else path

    def body(self, method: str, place: str) -> object:
        """One with which the call is right, where that is known."""
        if (method, place) in self.bodies:
            return self.bodies[method, place]
        if method not in ("PUT", "POST"):
            return None
        if place.endswith("/tags"):
            return {"tags": ["red"]}
        if "/tags/" in place:
            return None
        plural = place.split("/")[-2].replace("-", "_")
        return {f"{plural[:-3]}y" if plural.endswith("ies") else plural[:-1]: {}}

    @contextmanager
    def nothing_is_kept(self) -> Iterator[None]:
        """Every call finds the same objects: what it wrote is rolled back."""
        database = self.controller.database

        @contextmanager
        def write(context: Origin, *, status: int = 200) -> Iterator[Transaction]:
            del status
            with database._transaction(immediate=True):
                try:
                    yield Transaction(database._connection, context)
                finally:
                    database._connection.rollback()

        database.write = write  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            del database.write  # type: ignore[method-assign]


def _holds_nothing(body: Any) -> bool:
    """A list without any object."""
    return isinstance(body, dict) and len(body) == 1 and next(iter(body.values())) == []


def rules(walk: Walk) -> list[str]:
    """The rules that are not everybody's, in order of their names."""
    return [f"| `{name}` | `{text}` |" for name, text in sorted(walk.policy.texts.items()) if text not in ("@", "")]


def documented(begin: str, end: str) -> list[str]:
    """The rows that the document has."""
    lines = DOCUMENT.read_text().partition(begin)[2].partition(end)[0].strip().splitlines()
    return lines[2:]


def main() -> None:
    """Write the tables of the document anew."""
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(Path(folder))
        tables = [
            (BEGIN, END, [HEAD, *walk.rows()]),
            (RULES_BEGIN, RULES_END, ["| rule | who |\n|---|---|", *rules(walk)]),
        ]
        walk.controller.close()
    text = DOCUMENT.read_text()
    for begin, end, lines in tables:
        before, _, rest = text.partition(begin)
        text = "\n".join([f"{before}{begin}", *lines, f"{end}{rest.partition(end)[2]}"])
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
