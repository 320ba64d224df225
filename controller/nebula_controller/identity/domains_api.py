"""Domains: the walls between sets of projects, users and groups.

Effects: the database. Deleting a domain deletes all that is in it, so it has to be disabled first (Keystone).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, select, update

from nebula.errors import Forbidden
from nebula.model.identity import DOMAIN
from nebula_controller.identity import grants
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.identity.policy import Target
from nebula_controller.store.database import Transaction
from nebula_controller.store.metadata import metadata
from nebula_controller.store.tables.identity import domains, groups, projects, users

DEFAULT_DOMAIN = "default"


class Domains(Collection):
    """``/v3/domains``."""

    resource = DOMAIN

    def target(self, row: Row[Any]) -> Target:
        """A domain's reader may see the domain itself."""
        return Target(domain_id=row.id)

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """Disabling voids the tokens of its users and on its projects for good."""
        if values.get("enabled") is False and row.enabled:
            values["tokens_valid_after"] = self.site.clock()
        return super().before_update(tx, principal, row, values)

    def of_domain(self, domain_id: str) -> list[ColumnElement[bool]]:
        """The domain itself."""
        return [domains.c.id == domain_id]

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Delete what is in it; Forbidden while it is enabled, and for the default domain always."""
        if row.id == DEFAULT_DOMAIN:
            raise Forbidden("Cannot delete the default domain, it is required to always exist.")
        if row.enabled:
            raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
        for kind, actors in (("user", users), ("group", groups)):
            grants.drop_of_actors(tx, kind, select(actors.c.id).where(actors.c.domain_id == row.id))
        grants.drop_on_targets(tx, "project", select(projects.c.id).where(projects.c.domain_id == row.id))
        grants.drop_on_targets(tx, "domain", select(domains.c.id).where(domains.c.id == row.id))
        tx.execute(update(projects).where(projects.c.domain_id == row.id).values(parent_id=None))
        for inside in reversed(metadata.sorted_tables):  # what refers to others before these
            if any(key.column is domains.c.id for key in inside.foreign_keys):
                tx.execute(delete(inside).where(inside.c.domain_id == row.id))

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """With the fields that clients of today expect and we do not use."""
        return {**super().show_row(row, v3_url), "tags": []}
