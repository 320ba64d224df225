"""A controller's southbound side in one process: a real database in a folder, clocks that tests turn, HTTP without
sockets. Rows of the network service are written straight into its tables, and touched as that service does."""

from __future__ import annotations

import asyncio
import functools
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
from nebula_controller.api.application import create_application
from nebula_controller.api.context import Caller, internal
from nebula_controller.compute.api import compute_services
from nebula_controller.network import addresses, rows
from nebula_controller.network.service import network_service
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.nodes.southbound import Southbound
from nebula_controller.store.database import Database, Transaction

from nebula.errors import Unauthorized
from nebula.ids import Host, Owner, OwnerKind, PortId
from nebula.model.network import Network
from nebula.model.port import Port
from nebula.model.subnet import Subnet
from nebula.view.records import FixedIp
from nebula.view.report import NodeReport, Plug, Role

SECRET = b"s3cret"
BEARER = {"Authorization": "Bearer s3cret"}
ADMIN = {"X-Auth-Token": "admin"}
MEMBER = {"X-Auth-Token": "member"}
OTHER = {"X-Auth-Token": "other"}
BOTH = (Role.NETWORK, Role.COMPUTE)


class Tokens:
    """An authenticator whose tokens are names."""

    def authenticate(self, token: str) -> Caller:
        callers = {
            "admin": Caller(user_id="u-admin", project_id="p-admin", roles=frozenset({"admin"})),
            "member": Caller(user_id="u-member", project_id="p-member", roles=frozenset({"member", "reader"})),
            "other": Caller(user_id="u-other", project_id="p-other", roles=frozenset({"member", "reader"})),
        }
        if token not in callers:
            raise Unauthorized("The request you have made requires authentication.")
        return callers[token]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@functools.cache
def empty_database() -> bytes:
    """A new database, made once: making 30 tables takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nebula.sqlite"
        Database(path).close()
        return path.read_bytes()


class World:
    """Everything in one place. ``restart`` is a new controller on the same database."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "nebula.sqlite"
        self.path.write_bytes(empty_database())
        self.monotonic = Clock(100.0)
        self.wall = Clock(1_800_000_000.0)
        self._start()

    def _start(self) -> None:
        self.database = Database(self.path)
        self.southbound = Southbound(self.database, node_secret=SECRET, monotonic_s=self.monotonic, wall_s=self.wall)
        network = network_service(self.database, NetworkSettings())
        services = [network, *self.southbound.services(), *compute_services(self.database)]
        self.app = create_application(Tokens(), services, beyond=self.southbound.beyond)

    def restart(self) -> None:
        self.database.close()
        self._start()

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://nebula", timeout=10)

    def call(self, method: str, path: str, body: object = None, *, expect: int | None = None, **options: Any) -> Any:
        """One call, as the administrator unless ``headers`` say otherwise; the decoded body of the answer."""
        response = asyncio.run(self._call(method, path, body, **options))
        if expect is not None:
            assert response.status_code == expect, response.text
        return response.json() if response.content else None

    def status_of(self, method: str, path: str, body: object = None, **options: Any) -> int:
        """The status of a call's answer."""
        return asyncio.run(self._call(method, path, body, **options)).status_code

    async def _call(self, method: str, path: str, body: object, **options: Any) -> httpx.Response:
        options.setdefault("headers", ADMIN)
        content = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        async with self.client() as client:
            return await client.request(method, path, content=content, **options)

    def made(self, plural: str, headers: dict[str, str] = ADMIN, **values: Any) -> Any:
        """An object of the network service, made through its API."""
        singular = plural.removesuffix("s")
        return self.call("POST", f"/network/v2.0/{plural}", {singular: values}, expect=201, headers=headers)[singular]

    def later(self, seconds: float) -> None:
        self.monotonic.now_s += seconds
        self.wall.now_s += seconds

    def node(self, host: str, number: int, roles: tuple[Role, ...] = BOTH, **more: Any) -> NodeReport:
        """Register (or report) a node with tunnel address 10.0.0.<number>."""
        report = node_report(host, number, roles, **more)
        self.southbound.registry.report(internal("test"), report)
        return report

    def network(self, **more: Any) -> str:
        network = Network(id=str(uuid.uuid4()), name="n", network_type="vxlan", mtu=1450, project_id="p-member")
        network = msgspec.structs.replace(network, **{"segmentation_id": int(network.id[:4], 16) + 1, **more})
        with self.database.write(internal("test")) as tx:
            rows.NETWORKS.insert(tx, network)
            tx.touch(Owner(OwnerKind.NETWORK, network.id))
        return network.id

    def subnet(self, network: str, cidr: str, *, enable_dhcp: bool = False) -> str:
        subnet = Subnet(
            id=str(uuid.uuid4()), network_id=network, name="s", cidr=cidr, ip_version=4, enable_dhcp=enable_dhcp
        )
        with self.database.write(internal("test")) as tx:
            rows.SUBNETS.insert(tx, subnet)
            tx.touch(Owner(OwnerKind.SUBNET, subnet.id), Owner(OwnerKind.NETWORK, network))
        return subnet.id

    def port(self, network: str, host: str = "", ips: Sequence[FixedIp] = (), **more: Any) -> str:
        with self.database.write(internal("test")) as tx:
            return self.port_in(tx, network, host, ips, **more)

    def port_in(self, tx: Transaction, network: str, host: str = "", ips: Sequence[FixedIp] = (), **more: Any) -> str:
        identity = str(uuid.uuid4())
        mac_address = "fa:16:3e:" + ":".join(identity[i : i + 2] for i in (0, 2, 4))
        port = Port(id=identity, network_id=network, mac_address=mac_address, project_id="p-member")
        rows.PORTS.insert(tx, msgspec.structs.replace(port, host=host, **more))
        for position, ip in enumerate(ips):
            tx.execute(
                addresses._insert,
                {"port_id": identity, "position": position, "subnet_id": ip.subnet_id, "ip_address": ip.ip_address},
            )
        tx.touch(Owner(OwnerKind.PORT, identity), Owner(OwnerKind.NETWORK, network))
        return identity

    def change_port(self, port: str, **more: Any) -> None:
        with self.database.write(internal("test")) as tx:
            old = rows.port(tx, port)
            rows.PORTS.save(tx, old, msgspec.structs.replace(old, **more))
            tx.touch(Owner(OwnerKind.PORT, port), Owner(OwnerKind.NETWORK, old.network_id))

    def delete_port(self, port: str) -> None:
        with self.database.write(internal("test")) as tx:
            old = rows.port(tx, port)
            rows.PORTS.delete(tx, port)
            tx.touch(Owner(OwnerKind.PORT, port), Owner(OwnerKind.NETWORK, old.network_id))

    def show_port(self, port: str) -> Port:
        with self.database.read() as tx:
            return rows.port(tx, port)


def node_report(host: str, number: int, roles: tuple[Role, ...] = BOTH, **more: Any) -> NodeReport:
    report = NodeReport(
        host=Host(host),
        version="0.1",
        started_at="2026-11-22T10:00:00Z",
        datapath_type="netdev",
        vtep_ip=f"10.0.0.{number}",
        underlay_mtu_bytes=1500,
        roles=roles,
        bridge_mappings={"physnet1": "br-ex"} if Role.NETWORK in roles else {},
    )
    return msgspec.structs.replace(report, **more)


def plug(port: str) -> Plug:
    return Plug(PortId(port), f"tap{port[:11]}")
