"""The first administrator, roles and catalogue of an empty database.

Effects: one transaction, and only where no administrator is there yet.
"""

from __future__ import annotations

import uuid
from itertools import pairwise

from sqlalchemy import Table, insert, select, update

from nebula_controller.api.context import internal
from nebula_controller.api.policy import ADMIN_ROLE
from nebula_controller.identity.domains_api import DEFAULT_DOMAIN
from nebula_controller.identity.grants import SYSTEM_ID
from nebula_controller.identity.services_api import PUBLIC_URL
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.tables.identity import (
    assignments,
    domains,
    endpoints,
    implied_roles,
    projects,
    regions,
    roles,
    services,
    users,
)

ADMIN_USER = "admin"
ADMIN_PROJECT = "admin"
REGION = "RegionOne"
ROLES = (ADMIN_ROLE, "member", "reader")
"""Each implies the next; they are immutable, as Keystone makes them."""

SERVICES = (
    ("identity", "keystone", f"{PUBLIC_URL}/identity"),
    ("network", "neutron", f"{PUBLIC_URL}/network"),
    ("compute", "nova", f"{PUBLIC_URL}/compute/v2.1"),
    ("image", "glance", f"{PUBLIC_URL}/image"),
)


def has_admin(tx: Transaction) -> bool:
    """True when somebody has the role ``admin`` somewhere."""
    statement = select(assignments.c.role_id).join(roles, roles.c.id == assignments.c.role_id)
    return tx.execute(statement.where(roles.c.name == ADMIN_ROLE, roles.c.domain_id.is_(None))).first() is not None


def bootstrap(database: Database, password_hash: str) -> bool:
    """Make the user ``admin`` with this password and all that it needs. False (and no change) if there is an admin."""
    with database.write(internal("bootstrap")) as tx:
        if has_admin(tx):
            return False
        if tx.execute(select(domains.c.id).where(domains.c.id == DEFAULT_DOMAIN)).first() is None:
            values = {"id": DEFAULT_DOMAIN, "name": "Default", "description": "The default domain", "enabled": True}
            tx.execute(insert(domains).values(**values))
        role_ids = [_one(tx, roles, name=name) for name in ROLES]
        tx.execute(update(roles).where(roles.c.id.in_(role_ids)).values(options={"immutable": True}))
        for prior, implied in pairwise(role_ids):
            pair = {"prior_role_id": prior, "implied_role_id": implied}
            if tx.execute(select(implied_roles).filter_by(**pair)).first() is None:
                tx.execute(insert(implied_roles).values(**pair))
        project_id = _one(tx, projects, name=ADMIN_PROJECT, domain_id=DEFAULT_DOMAIN)
        user_id = _one(tx, users, name=ADMIN_USER, domain_id=DEFAULT_DOMAIN)
        tx.execute(users.update().where(users.c.id == user_id).values(password_hash=password_hash, enabled=True))
        for kind, target in (("project", project_id), ("system", SYSTEM_ID)):
            tx.execute(
                insert(assignments).values(
                    actor_kind="user",
                    actor_id=user_id,
                    target_kind=kind,
                    target_id=target,
                    role_id=role_ids[0],
                    inherited=False,
                )
            )
        _catalogue(tx)
    return True


def _catalogue(tx: Transaction) -> None:
    if tx.execute(select(regions.c.id).where(regions.c.id == REGION)).first() is None:
        tx.execute(insert(regions).values(id=REGION))
    for service_type, name, url in SERVICES:
        if tx.execute(select(services.c.id).where(services.c.type == service_type)).first() is not None:
            continue
        service_id = _one(tx, services, type=service_type, name=name)
        for interface in ("public", "internal", "admin"):
            _one(tx, endpoints, service_id=service_id, interface=interface, url=url, region_id=REGION)


def _one(tx: Transaction, table: Table, **columns: str) -> str:
    """The id of the row with these columns, made where there is none."""
    found = tx.execute(select(table.c.id).filter_by(**columns)).scalars().first()
    if found is not None:
        return str(found)
    made = uuid.uuid4().hex
    tx.execute(insert(table).values(id=made, **columns))
    return made
