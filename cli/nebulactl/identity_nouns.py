"""Nouns of identity beyond projects, users and roles. Pure; titles and order are the openstack client's."""

from __future__ import annotations

from nebulactl.api import IDENTITY
from nebulactl.nouns import Column, Form, Noun, titled

_HIDDEN = frozenset({"links", "tags"})


def _plain(names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names.split())


GROUP = Noun(
    in_domain=True,
    name="group",
    path="/groups",
    service=IDENTITY,
    listed=(Column("ID", "id"), Column("Name", "name")),
    listed_more=(Column("Domain ID", "domain_id"), Column("Description", "description")),
    shown=_plain("description domain_id id name"),
    hidden=_HIDDEN,
)

SERVICE = Noun(
    name="service",
    path="/services",
    service=IDENTITY,
    listed=(Column("ID", "id"), Column("Name", "name"), Column("Type", "type")),
    listed_more=(Column("Description", "description"), Column("Enabled", "enabled")),
    shown=_plain("id name type enabled description"),
    hidden=_HIDDEN,
)

REGION = Noun(
    name="region",
    path="/regions",
    service=IDENTITY,
    listed=titled(Region="id", Parent_Region="parent_region_id", Description="description"),
    shown=titled(region="id") + _plain("description") + (Column("parent_region", "parent_region_id"),),
    name_attribute="id",
)

ENDPOINT = Noun(
    name="endpoint",
    path="/endpoints",
    service=IDENTITY,
    listed=titled(
        ID="id",
        Region="region_id",
        Service_Name="service_name",
        Service_Type="service_type",
        Enabled="enabled",
        Interface="interface",
        URL="url",
    ),
    shown=_plain("enabled id interface region region_id service_id url service_name service_type"),
)

_APPLICATION_CREDENTIAL = titled(
    ID="id",
    Name="name",
    Description="description",
    Project_ID="project_id",
    Roles="roles",
    Unrestricted="unrestricted",
    Access_Rules="access_rules",
    Expires_At="expires_at",
)

APPLICATION_CREDENTIAL = Noun(
    name="application credential",
    key="application_credential",
    path="/application_credentials",
    service=IDENTITY,
    listed=_APPLICATION_CREDENTIAL,
    shown=_APPLICATION_CREDENTIAL,
    forms={"roles": Form.NAMES},
)
"""Its path is below a user's."""

EC2 = Noun(
    name="EC2 credential",
    key="credential",
    path="/credentials/OS-EC2",
    service=IDENTITY,
    listed=titled(Access="access", Secret="secret", Project_ID="tenant_id", User_ID="user_id"),
    shown=(
        *_plain("access links"),
        Column("project_id", "tenant_id"),
        *_plain("secret trust_id user_id"),
    ),
    name_attribute="access",
)
"""Its path is below a user's."""

CREDENTIAL = Noun(
    name="credential",
    path="/credentials",
    service=IDENTITY,
    listed=titled(ID="id", Type="type", User_ID="user_id", Data="blob", Project_ID="project_id"),
    shown=_plain("blob id project_id type user_id"),
    name_attribute="id",
)

LIMIT = Noun(
    name="limit",
    path="/limits",
    service=IDENTITY,
    listed=titled(
        ID="id",
        Project_ID="project_id",
        Service_ID="service_id",
        Resource_Name="resource_name",
        Resource_Limit="resource_limit",
        Description="description",
        Region_ID="region_id",
    ),
    shown=_plain("description id project_id region_id resource_limit resource_name service_id"),
    name_attribute="id",
)

REGISTERED_LIMIT = Noun(
    name="registered limit",
    key="registered_limit",
    path="/registered_limits",
    service=IDENTITY,
    listed=titled(
        ID="id",
        Service_ID="service_id",
        Resource_Name="resource_name",
        Default_Limit="default_limit",
        Description="description",
        Region_ID="region_id",
    ),
    shown=_plain("default_limit description id region_id resource_name service_id"),
    name_attribute="id",
)

POLICY = Noun(
    name="policy",
    path="/policies",
    service=IDENTITY,
    listed=titled(ID="id", Type="type"),
    listed_more=titled(Rules="blob"),
    shown=(Column("id", "id"), Column("rules", "blob"), Column("type", "type")),
    name_attribute="id",
)
