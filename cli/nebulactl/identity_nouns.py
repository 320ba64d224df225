"""Nouns of identity beyond projects, users and roles. Pure; titles and order are the openstack client's."""

from __future__ import annotations

from nebulactl.api import IDENTITY
from nebulactl.nouns import Column, Form, Noun, titled


def _plain(names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names.split())


GROUP = Noun(in_domain=True, declared="identity:GROUP")

SERVICE = Noun(declared="identity:SERVICE")

REGION = Noun(
    declared="identity:REGION",
    renamed={"id": "region", "parent_region_id": "parent_region"},
)

ENDPOINT = Noun(declared="identity:ENDPOINT")

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
    declared="identity:LIMIT",
    unknown=frozenset({"domain_id"}),
)

REGISTERED_LIMIT = Noun(
    declared="identity:REGISTERED_LIMIT",
)

POLICY = Noun(
    declared="identity:POLICY",
    renamed={"blob": "rules"},
)
