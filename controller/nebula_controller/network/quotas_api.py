"""``/v2.0/quotas``: limits and usage of projects. Effects: SQL in a transaction."""

from __future__ import annotations

from nebula.errors import BadRequest, Forbidden, InvalidAttribute, NotFound
from nebula.model import accept
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation, PlainHandler
from nebula_controller.network import quotas
from nebula_controller.store.database import Database, Transaction

_number = accept.integer(quotas.UNLIMITED, 2**31 - 1)


class Quotas:
    """A project sees its own limits; only an administrator sees others' and sets any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def operations(self) -> list[Operation]:
        """For the ``Service`` whose prefix is the network service's."""
        path = "/v2.0/quotas/{project_id}"
        return [
            Operation("GET", "/v2.0/quotas", self._list),
            Operation("GET", "/v2.0/quotas/project", _whose("project")),
            Operation("GET", "/v2.0/quotas/tenant", _whose("tenant")),
            Operation("GET", path, self._show),
            Operation("PUT", path, self._update),
            Operation("DELETE", path, self._delete),
            Operation("GET", f"{path}/default", self._default),
            Operation("GET", f"{path}/details", self._details),
            Operation("GET", f"{path}/details.json", self._details),
        ]

    def _list(self, call: Call) -> Answer:
        _require(call.context, "get_quota", "")
        with self._database.read() as tx:
            found = [
                {"project_id": project, "tenant_id": project, **quotas.limits(tx, project)}
                for project in quotas.limited_projects(tx)
            ]
        return Answer(200, {"quotas": found})

    def _show(self, call: Call) -> Answer:
        project = _project(call)
        with self._database.read() as tx:
            return Answer(200, {"quota": quotas.limits(tx, project)})

    def _default(self, call: Call) -> Answer:
        _project(call)
        return Answer(200, {"quota": dict.fromkeys(quotas.COUNTED, quotas.UNLIMITED)})

    def _details(self, call: Call) -> Answer:
        project = _project(call)
        with self._database.read() as tx:
            shown = {
                name: {"limit": limit, "used": quotas.used(tx, project, name), "reserved": 0}
                for name, limit in quotas.limits(tx, project).items()
            }
        return Answer(200, {"quota": shown})

    def _update(self, call: Call) -> Answer:
        _require(call.context, "update_quota", call.path["project_id"])
        project, (wanted, checked) = call.path["project_id"], _wanted(call.json())
        with self._database.write(call.context) as tx:
            if checked:
                _check_usage(tx, project, wanted)
            quotas.set_limits(tx, project, wanted)
            return Answer(200, {"quota": quotas.limits(tx, project)})

    def _delete(self, call: Call) -> Answer:
        _require(call.context, "delete_quota", call.path["project_id"])
        project = call.path["project_id"]
        with self._database.write(call.context, status=204) as tx:
            if not quotas.forget(tx, project):
                raise NotFound(
                    f"Quota for tenant {accept.shown(project)} could not be found.", type_name="TenantQuotaNotFound"
                )
        return Answer(204)


def _whose(word: str) -> PlainHandler:
    """Neutron's way to ask which project the token is for, by its new or its old word."""

    def answer(call: Call) -> Answer:
        if call.context.project_id is None:
            raise BadRequest("Tenant-id was missing from quota request.", type_name="QuotaMissingTenant")
        return Answer(200, {word: {f"{word}_id": call.context.project_id}})

    return answer


def _wanted(body: object) -> tuple[dict[str, int], bool]:
    """The limits that a request sets, and whether they must not be below what is used (``check_limit``)."""
    given = body.get("quota") if isinstance(body, dict) else None
    if not isinstance(given, dict):
        raise BadRequest("Unable to find 'quota' in request body", type_name="HTTPBadRequest")
    wanted, checked = {}, False
    for name, value in given.items():
        try:
            if name in ("check_limit", "force"):
                checked = bool(accept.boolean(value)) is (name == "check_limit")
            elif name in quotas.COUNTED:
                wanted[name] = int(str(_number(value)))
            elif name not in ("project_id", "tenant_id"):
                raise BadRequest(f"Unrecognized attribute(s) '{accept.shown(name)}'", type_name="HTTPBadRequest")
        except ValueError as error:
            raise InvalidAttribute(name, str(error)) from None
    return wanted, checked


def _check_usage(tx: Transaction, project: str, wanted: dict[str, int]) -> None:
    for name, limit in wanted.items():
        used = quotas.used(tx, project, name)
        if limit != quotas.UNLIMITED and used > limit:
            raise BadRequest(
                f"Quota limit {limit} for {name} must be greater than or equal to already used {used}",
                type_name="HTTPBadRequest",
            )


def _require(context: RequestContext, rule: str, project: str) -> None:
    if not context.allows(rule, {"project_id": project}):
        raise Forbidden("User does not have admin privileges: Only admin is authorized to access quotas.")


def _project(call: Call) -> str:
    """The project that is asked about; raises ``Forbidden`` for another project's."""
    project = call.path["project_id"]
    if project != call.context.project_id or not call.context.allows("get_own_quota", {"project_id": project}):
        _require(call.context, "get_quota", project)
    return project
