"""How much of each resource a project may have, and has. Effects: SQL in a transaction.

A project without a limit of its own has none (-1). A limit is asked about when something is made in the project's name:
by the API's create, and for ports also where a server or a router makes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Table, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from nebula.errors import Conflict
from nebula.model import registry
from nebula_controller.store.database import Transaction
from nebula_controller.store.metadata import table
from nebula_controller.store.tables.quotas import quotas

UNLIMITED = -1
PORT = "port"

COUNTED: Mapping[str, Table] = {
    resource.singular: table(resource)
    for resource in sorted(registry.of("network"), key=lambda resource: resource.singular)
    if resource.limited
}
"""Each resource that has a limit, under the API's name of one."""

_limits_of = select(quotas.c.resource, quotas.c.limit).where(quotas.c.project_id == bindparam("project"))
_limit_of = select(quotas.c.limit).where(
    quotas.c.project_id == bindparam("project"), quotas.c.resource == bindparam("counted")
)
_limited = select(quotas.c.project_id).distinct().order_by(quotas.c.project_id)
_new = insert(quotas)
_set = _new.on_conflict_do_update(index_elements=["project_id", "resource"], set_={"limit": _new.excluded.limit})
_forget = delete(quotas).where(quotas.c.project_id == bindparam("project"))
_used = {
    name: select(func.count()).select_from(table).where(table.c.project_id == bindparam("project"))
    for name, table in COUNTED.items()
}


def limits(tx: Transaction, project_id: str) -> dict[str, int]:
    """The limit of every resource."""
    own = {name: limit for name, limit in tx.execute(_limits_of, {"project": project_id}) if name in COUNTED}
    return {**dict.fromkeys(COUNTED, UNLIMITED), **own}


def used(tx: Transaction, project_id: str, resource: str) -> int:
    """How many the project has."""
    return int(tx.execute(_used[resource], {"project": project_id}).scalar_one())


def limited_projects(tx: Transaction) -> list[str]:
    """The projects with limits of their own."""
    return [str(project) for project in tx.execute(_limited).scalars()]


def set_limits(tx: Transaction, project_id: str, wanted: Mapping[str, int]) -> None:
    """Give the project these limits; others stay."""
    if wanted:
        rows = [{"project_id": project_id, "resource": name, "limit": limit} for name, limit in wanted.items()]
        tx.execute(_set, rows)


def forget(tx: Transaction, project_id: str) -> bool:
    """Back to the defaults; False where it had them."""
    return tx.execute(_forget, {"project": project_id}).rowcount > 0


def check(tx: Transaction, resource: str, projects: Iterable[str]) -> None:
    """One more for each of these projects is to be made; raises Neutron's ``OverQuota``."""
    for project, more in Counter(projects).items():
        limit = tx.execute(_limit_of, {"project": project, "counted": resource}).scalar_one_or_none()
        if limit is not None and limit != UNLIMITED and used(tx, project, resource) + more > limit:
            raise Conflict(f"Quota exceeded for resources: ['{resource}'].", type_name="OverQuota")
