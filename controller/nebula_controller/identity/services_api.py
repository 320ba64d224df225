"""Regions, services and endpoints, and the catalogue that tokens carry.

Effects: the database. A URL may hold ``$(public_url)s``, which becomes the address under which the client reaches
the controller, and ``$(project_id)s`` or ``$(tenant_id)s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, func, select

from nebula.errors import Forbidden
from nebula.model.identity import ENDPOINT, REGION, SERVICE
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.identity.site import PREFIX
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import endpoints, services

PUBLIC_URL = "$(public_url)s"


class Regions(Collection):
    """``/v3/regions``."""

    resource = REGION

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """An id is made where none is given."""
        values = super().before_create(tx, principal, values)
        return {name: value for name, value in values.items() if name != "id" or value}

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """The parent may not be the region itself."""
        if values.get("parent_region_id") == row.id:
            raise Forbidden(f"Region {row.id} cannot be its own parent.")
        return super().before_update(tx, principal, row, values)


class Services(Collection):
    """``/v3/services``. Endpoints go with their service; registered limits keep it."""

    resource = SERVICE

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """Attributes that were never set are left out."""
        shown = super().show_row(row, v3_url)
        return {
            name: value for name, value in shown.items() if value is not None or name not in {"name", "description"}
        }


class Endpoints(Collection):
    """``/v3/endpoints``."""

    resource = ENDPOINT

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """``region`` is the old word for ``region_id``."""
        return super().before_create(tx, principal, _placed(values))

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """As for creation."""
        return super().before_update(tx, principal, row, _placed(values))

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """Our own address stands in the URL as the client sees it."""
        shown = super().show_row(row, v3_url)
        url = row["url"].replace(PUBLIC_URL, v3_url.removesuffix(f"{PREFIX}/v3"))
        return {**shown, "url": url, "region": row["region_id"]}


def _placed(values: Values) -> Values:
    region = values.pop("region", None)
    return values if region is None or values.get("region_id") is not None else {**values, "region_id": region}


_CATALOGUE = (
    select(
        services.c.id,
        services.c.type,
        func.coalesce(services.c.name, "").label("name"),
        endpoints.c.id.label("endpoint_id"),
        endpoints.c.interface,
        endpoints.c.region_id,
        endpoints.c.url,
    )
    .join(endpoints, endpoints.c.service_id == services.c.id)
    .where(services.c.enabled, endpoints.c.enabled)
    .order_by(services.c.type, services.c.id, endpoints.c.interface, endpoints.c.id)
)


def catalogue(tx: Transaction, base_url: str, project_id: str | None) -> list[Values]:
    """What a token's ``catalog`` holds. An endpoint that needs a project is left out where there is none."""
    entries: dict[str, Values] = {}
    for row in tx.execute(_CATALOGUE):
        url = _url(row.url, base_url, project_id)
        if url is None:
            continue
        entry = entries.setdefault(row.id, {"id": row.id, "type": row.type, "name": row.name, "endpoints": []})
        entry["endpoints"].append(
            {
                "id": row.endpoint_id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": url,
            }
        )
    return list(entries.values())


def _url(template: str, base_url: str, project_id: str | None) -> str | None:
    url = template.replace(PUBLIC_URL, base_url)
    for name in ("$(project_id)s", "$(tenant_id)s", "%(project_id)s", "%(tenant_id)s"):
        if name in url:
            if project_id is None:
                return None
            url = url.replace(name, project_id)
    return url
