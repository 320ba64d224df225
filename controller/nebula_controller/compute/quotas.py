"""``/v2.1/os-quota-sets`` in Nova's shape: how many instances a project may have is not limited here.

Effects: HTTP answers, SQL. They are answered because clients that ask for a project's quotas (``openstack quota show``
without a service, Ansible's ``quota``) ask every one of the catalogue. A limit that nobody would keep is refused.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from nebula.errors import BadRequest, Forbidden
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.store.database import Database
from nebula_controller.store.tables.compute import servers

_UNLIMITED = -1
_RESOURCES = (
    "cores",
    "fixed_ips",
    "floating_ips",
    "injected_file_content_bytes",
    "injected_file_path_bytes",
    "injected_files",
    "instances",
    "key_pairs",
    "metadata_items",
    "ram",
    "security_group_rules",
    "security_groups",
    "server_group_members",
    "server_groups",
)
"""Of the first microversion, as the compute API reference lists them."""


def operations(database: Database) -> list[Operation]:
    """Show (also ``defaults`` and, with usage, ``detail``), set and reset."""
    return [
        Operation("GET", "/v2.1/os-quota-sets/{id}", _show),
        Operation("GET", "/v2.1/os-quota-sets/{id}/defaults", _show),
        Operation("GET", "/v2.1/os-quota-sets/{id}/detail", lambda call: _detail(call, database)),
        Operation("PUT", "/v2.1/os-quota-sets/{id}", _set),
        Operation("DELETE", "/v2.1/os-quota-sets/{id}", _reset),
    ]


def _show(call: Call) -> Answer:
    _check(call, "show", call.context.project_id == call.path["id"])
    return Answer(200, {"quota_set": {"id": call.path["id"], **dict.fromkeys(_RESOURCES, _UNLIMITED)}})


def _detail(call: Call, database: Database) -> Answer:
    """Only instances are used: they have neither cores nor memory of their own."""
    _check(call, "detail", call.context.project_id == call.path["id"])
    counted = select(func.count()).select_from(servers).where(servers.c.project_id == call.path["id"])
    with database.read() as tx:
        instances = tx.execute(counted).scalar_one()
    usage: dict[str, Any] = {
        name: {"limit": _UNLIMITED, "in_use": instances if name == "instances" else 0, "reserved": 0}
        for name in _RESOURCES
    }
    return Answer(200, {"quota_set": {"id": call.path["id"], **usage}})


def _set(call: Call) -> Answer:
    _check(call, "update")
    body = call.json()
    wanted: Any = body.get("quota_set") if isinstance(body, dict) else None
    if not isinstance(wanted, dict) or not wanted:
        raise BadRequest("Invalid input for field/attribute quota_set. It must be an object with limits.")
    limits = {name: value for name, value in wanted.items() if name not in ("force", "tenant_id")}
    for name, value in limits.items():
        if name not in _RESOURCES:
            raise BadRequest(f"Additional properties are not allowed ({name[:64]!r} was unexpected).")
        if value != _UNLIMITED:
            raise BadRequest(f"{name} is not limited here: only -1 can be set. Quotas are kept of the network service.")
    return Answer(200, {"quota_set": dict.fromkeys(_RESOURCES, _UNLIMITED)})


def _reset(call: Call) -> Answer:
    _check(call, "delete")
    return Answer(202)


def _check(call: Call, action: str, own: bool = False) -> None:
    if not (own or call.context.is_admin):
        raise Forbidden(f"Policy doesn't allow os_compute_api:os-quota-sets:{action} to be performed.")
