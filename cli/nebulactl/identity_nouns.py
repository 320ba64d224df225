"""Nouns of identity beyond projects, users and roles. Pure; titles and order are the openstack client's."""

from __future__ import annotations

from nebulactl.api import IDENTITY
from nebulactl.nouns import Column, Noun, titled

_HIDDEN = frozenset({"links", "tags"})


def _plain(names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names.split())


DOMAIN = Noun(
    name="domain",
    path="/domains",
    service=IDENTITY,
    columns=(
        Column("ID", "id"),
        Column("Name", "name"),
        Column("Enabled", "enabled"),
        Column("Description", "description"),
    ),
    fields=_plain("id name enabled description options"),
    hidden=_HIDDEN,
)

GROUP = Noun(
    name="group",
    path="/groups",
    service=IDENTITY,
    columns=(Column("ID", "id"), Column("Name", "name")),
    long_columns=(Column("Domain ID", "domain_id"), Column("Description", "description")),
    fields=_plain("description domain_id id name"),
    hidden=_HIDDEN,
)

SERVICE = Noun(
    name="service",
    path="/services",
    service=IDENTITY,
    columns=(Column("ID", "id"), Column("Name", "name"), Column("Type", "type")),
    long_columns=(Column("Description", "description"), Column("Enabled", "enabled")),
    fields=_plain("id name type enabled description"),
    hidden=_HIDDEN,
)

REGION = Noun(
    name="region",
    path="/regions",
    service=IDENTITY,
    columns=titled(Region="id", Parent_Region="parent_region_id", Description="description"),
    fields=titled(region="id") + _plain("description") + (Column("parent_region", "parent_region_id"),),
    name_attribute="id",
)

ENDPOINT = Noun(
    name="endpoint",
    path="/endpoints",
    service=IDENTITY,
    columns=titled(
        ID="id",
        Region="region_id",
        Service_Name="service_name",
        Service_Type="service_type",
        Enabled="enabled",
        Interface="interface",
        URL="url",
    ),
    fields=_plain("enabled id interface region region_id service_id url service_name service_type"),
)
