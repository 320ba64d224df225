"""``/compute/v2.1`` in Nova's shape, and ``/image`` in Glance's as far as the ``openstack`` client needs it.

Effects: HTTP answers, SQL. Everybody may say on which node an instance shall be, and sees where it is: Nova keeps that
for administrators, but here looking into the nodes is the point.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, and_, or_, select

from nebula.errors import BadRequest, InvalidAttribute, NebulaError, NotFound
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.compute import attributes, quotas, static
from nebula_controller.compute import servers as instances
from nebula_controller.compute.servers import Server
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.compute import servers

MOST_LISTED = 1000
"""Nova's ``max_limit``: the rest is on the next page."""

STATUSES = {"ACTIVE", "BUILD", "ERROR"}


def nova_shape(error: NebulaError) -> object:
    """Nova's ``{"badRequest": {"code": 400, "message": ...}}``."""
    names = {
        400: "badRequest",
        401: "unauthorized",
        403: "forbidden",
        404: "itemNotFound",
        405: "badMethod",
        409: "conflictingRequest",
        413: "overLimit",
        503: "serviceUnavailable",
    }
    return {names.get(error.status, "computeFault"): {"code": error.status, "message": error.message}}


def compute_services(database: Database) -> list[Service]:
    """Both services, for ``create_application``."""
    api = Servers(database)
    compute = [
        Operation("GET", "", _compute_versions, open=True),
        Operation("GET", "/", _compute_versions, open=True),
        Operation("GET", "/v2.1", _compute_version, open=True),
        Operation("GET", "/v2.1/", _compute_version, open=True),
        Operation("GET", "/v2.1/flavors", _flavors, rule="os_compute_api:flavors"),
        Operation("GET", "/v2.1/flavors/detail", _flavors, rule="os_compute_api:flavors"),
        Operation("GET", "/v2.1/flavors/{id}", _flavor, rule="os_compute_api:flavors"),
        Operation("GET", "/v2.1/flavors/{id}/os-extra_specs", _extra_specs, rule="os_compute_api:flavors"),
        Operation("POST", "/v2.1/servers", api.create),
        Operation("GET", "/v2.1/servers", api.list_brief),
        Operation("GET", "/v2.1/servers/detail", api.list_detail),
        Operation("GET", "/v2.1/servers/{id}", api.show),
        Operation("PUT", "/v2.1/servers/{id}", api.update),
        Operation("DELETE", "/v2.1/servers/{id}", api.delete),
        Operation("GET", "/v2.1/os-server-groups", _server_groups, rule="os_compute_api:os-server-groups:index"),
        *quotas.operations(database),
    ]
    image = [
        Operation("GET", "", _image_versions, open=True),
        Operation("GET", "/", _image_versions, open=True),
        Operation("GET", "/v2/images", _images, rule="get_images"),
        Operation("GET", "/v2/images/{id}", _image, rule="get_image"),
    ]
    return [Service("/compute", compute, nova_shape, RULES), Service("/image", image, nova_shape)]


_SERVERS, _MEMBER, _READER = "os_compute_api:servers", "rule:project_member_or_admin", "rule:project_reader_or_admin"
RULES = {
    "project_member_or_admin": "role:admin or (role:member and project_id:%(project_id)s)",
    "project_reader_or_admin": "role:admin or (role:reader and project_id:%(project_id)s)",
    **{f"{_SERVERS}:{verb}": _MEMBER for verb in ("create", "update", "delete")},
    **{f"{_SERVERS}:{verb}": _READER for verb in ("index", "detail", "show")},
    **{f"{_SERVERS}:{verb}:get_all_tenants": "role:admin" for verb in ("index", "detail")},
    "os_compute_api:flavors": "@",
    "os_compute_api:os-server-groups:index": _READER,
    "get_image": "@",
    "get_images": "@",
}
"""Nova's and Glance's defaults, as far as there are calls."""


class Servers:
    """``/v2.1/servers``. A project sees its own; an administrator all with ``all_tenants``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, call: Call) -> Answer:
        """202, as Nova: the ports are not wired yet."""
        wanted = attributes.parse(call.json())
        _require(call, "os_compute_api:servers:create")
        if call.context.project_id is None:
            raise BadRequest("The token is not scoped to a project.")
        with self._database.write(call.context, status=202) as tx:
            server_id = instances.create(tx, call.context, wanted)
        url = _base(call)
        made = {"id": server_id, "links": _links(url, server_id), "OS-DCF:diskConfig": "MANUAL", "security_groups": []}
        return Answer(202, {"server": made}, {"location": f"{url}/servers/{server_id}"})

    def show(self, call: Call) -> Answer:
        """By id."""
        with self._database.read() as tx:
            server = self._one(tx, call, "show")
        return Answer(200, {"server": _shown(server, _base(call))})

    def list_brief(self, call: Call) -> Answer:
        """Ids and names."""
        return self._list(
            call,
            "os_compute_api:servers:index",
            lambda server, url: {"id": server.id, "name": server.name, "links": _links(url, server.id)},
        )

    def list_detail(self, call: Call) -> Answer:
        """All of it."""
        return self._list(call, "os_compute_api:servers:detail", _shown)

    def update(self, call: Call) -> Answer:
        """The name."""
        values = dict(attributes.wrapped(call.json()))
        if values.keys() != {"name"}:
            raise InvalidAttribute("server", "only 'name' can be changed")
        name = attributes.name(values["name"])
        with self._database.write(call.context) as tx:
            server = self._one(tx, call, "update")
            if server.name != name:
                instances.change(tx, server.id, {"name": name})
            return Answer(200, {"server": _shown(instances.show(tx, call.context, server.id), _base(call))})

    def delete(self, call: Call) -> Answer:
        """204, as Nova."""
        with self._database.write(call.context, status=204) as tx:
            instances.remove(tx, self._one(tx, call, "delete").id)
        return Answer(204)

    def _one(self, tx: Transaction, call: Call, verb: str) -> Server:
        """The instance that is called for; raises ``NotFound``, and ``Forbidden`` where the policy does not let."""
        server = instances.show(tx, call.context, call.path["id"])
        target = {"project_id": server.project_id, "user_id": server.user_id}
        call.context.require(f"os_compute_api:servers:{verb}", target)
        return server

    def _list(self, call: Call, rule: str, shape: Callable[[Server, str], dict[str, Any]]) -> Answer:
        query = dict(call.query)
        limit = _limit(query.get("limit"))
        _require(call, rule)
        statement, url = _selected(call, rule, query), _base(call)
        with self._database.read() as tx:
            marker = query.get("marker")
            if marker is not None:
                after = instances.show(tx, call.context, marker)
                older = and_(servers.c.created_at == after.created_at, servers.c.id < after.id)
                statement = statement.where(or_(servers.c.created_at < after.created_at, older))
            rows = tx.execute(statement.limit(limit + 1)).mappings().all()
            found = instances.complete(tx, rows[:limit])
        wanted = query.get("status", "").upper()
        body: dict[str, Any] = {"servers": [shape(s, url) for s in found if not wanted or s.status == wanted]}
        if len(rows) > limit:
            following = "&".join(f"{k}={v}" for k, v in {"limit": str(limit), "marker": found[-1].id}.items())
            body["servers_links"] = [{"rel": "next", "href": f"{call.url}?{following}"}]
        return Answer(200, body)


def _require(call: Call, rule: str) -> None:
    """For what is done to no single instance: judged by the caller's own project."""
    call.context.require(rule, {"project_id": call.context.project_id, "user_id": call.context.user_id})


def _selected(call: Call, rule: str, query: dict[str, str]) -> Select[Any]:
    """The newest first, as Nova; ``name`` and the others narrow it down, what we do not know narrows nothing."""
    statement = select(servers).order_by(servers.c.created_at.desc(), servers.c.id.desc())
    everyone = any(query.get(key, "").lower() in ("1", "true") for key in ("all_tenants", "all_projects"))
    if everyone:
        _require(call, f"{rule}:get_all_tenants")
    if not everyone:
        statement = statement.where(servers.c.project_id == (call.context.project_id or ""))
    elif project := query.get("project_id") or query.get("tenant_id"):
        statement = statement.where(servers.c.project_id == project)
    if "name" in query:
        statement = statement.where(
            servers.c.name.contains(query["name"].removeprefix("^").removesuffix("$"), autoescape=True)
        )
    for key, column in (("host", servers.c.host), ("user_id", servers.c.user_id), ("uuid", servers.c.id)):
        if key in query:
            statement = statement.where(column == query[key])
    if query.get("deleted", "false").lower() in ("1", "true"):
        statement = statement.where(servers.c.id.is_(None))
    return statement


def _limit(text: str | None) -> int:
    if text is None:
        return MOST_LISTED
    if not (text.isascii() and text.isdigit()):
        raise InvalidAttribute("limit", "not a number")
    return min(int(text[:9]), MOST_LISTED) or MOST_LISTED


def _shown(server: Server, url: str) -> dict[str, Any]:
    addresses: dict[str, list[dict[str, Any]]] = {}
    for address in server.addresses:
        addresses.setdefault(address.network_name, []).append(
            {
                "addr": address.ip_address,
                "version": ipaddress.ip_address(address.ip_address).version,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": address.mac_address,
            }
        )
    shown: dict[str, Any] = {
        "id": server.id,
        "name": server.name,
        "status": server.status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "host": server.host,
        "OS-EXT-SRV-ATTR:host": server.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server.id}",
        "hostId": "",
        "OS-EXT-AZ:availability_zone": "nova",
        "OS-EXT-STS:power_state": 1 if server.status == "ACTIVE" else 0,
        "OS-EXT-STS:task_state": "spawning" if server.status == "BUILD" else None,
        "OS-EXT-STS:vm_state": {"BUILD": "building", "ACTIVE": "active", "ERROR": "error"}[server.status],
        "OS-SRV-USG:launched_at": server.launched_at[:-1] if server.launched_at else None,
        "OS-SRV-USG:terminated_at": None,
        "OS-DCF:diskConfig": "MANUAL",
        "created": server.created_at,
        "updated": server.updated_at,
        "addresses": addresses,
        "accessIPv4": "",
        "accessIPv6": "",
        "metadata": server.metadata,
        "flavor": {"id": static.FLAVOR_ID, "links": [{"rel": "bookmark", "href": f"{url}/flavors/{static.FLAVOR_ID}"}]},
        "image": {"id": static.IMAGE_ID, "links": []},
        "key_name": None,
        "config_drive": "",
        "progress": 100 if server.status == "ACTIVE" else 0,
        "os-extended-volumes:volumes_attached": [],
        "links": _links(url, server.id),
    }
    if server.port_errors:
        shown["fault"] = {"code": 500, "message": "; ".join(server.port_errors)[:255], "created": server.updated_at}
    return shown


def _links(url: str, server_id: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": f"{url}/servers/{server_id}"}]


def _base(call: Call) -> str:
    return call.url.split("/compute", 1)[0] + "/compute/v2.1"


def _compute_versions(call: Call) -> Answer:
    return Answer(300, {"versions": [static.compute_version(_base(call))]})


def _compute_version(call: Call) -> Answer:
    return Answer(200, {"version": static.compute_version(_base(call))})


def _flavors(call: Call) -> Answer:
    return Answer(200, {"flavors": [static.flavor(_base(call))]})


def _extra_specs(_call: Call) -> Answer:
    return Answer(200, {"extra_specs": {}})


def _flavor(call: Call) -> Answer:
    if call.path["id"] != static.FLAVOR_ID:
        raise NotFound(f"Flavor {call.path['id'][:64]} could not be found.")
    return Answer(200, {"flavor": static.flavor(_base(call))})


def _server_groups(_call: Call) -> Answer:
    """There are none; who clears a project away asks."""
    return Answer(200, {"server_groups": []})


def _image_versions(call: Call) -> Answer:
    return Answer(300, static.image_versions(call.url.rstrip("/")))


def _images(call: Call) -> Answer:
    found = [static.image()] if static.is_listed(call.query) else []
    return Answer(200, {"images": found, "first": "/v2/images", "schema": "/v2/schemas/images"})


def _image(call: Call) -> Answer:
    if call.path["id"] != static.IMAGE_ID:
        raise NotFound(f"Image {call.path['id'][:64]} could not be found.")
    return Answer(200, static.image())
