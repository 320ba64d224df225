"""Tables of Identity v3.

Those of objects follow from their declarations (``nebula.model``); they stand here where code asks for their columns.
Times are seconds since the epoch. ``extra`` is a JSON object of the attributes that Keystone stores without knowing
them (``email``...).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from nebula.model.credential import APPLICATION_CREDENTIAL, CREDENTIAL
from nebula.model.identity import (
    DOMAIN,
    ENDPOINT,
    GROUP,
    LIMIT,
    PROJECT,
    REGION,
    REGISTERED_LIMIT,
    ROLE,
    SERVICE,
    USER,
)
from nebula.model.identity_standard import ID_LENGTH
from nebula_controller.store.metadata import metadata, table_of

_ID = ID_LENGTH
_NAME = 255
_ACTOR_KIND = CheckConstraint("actor_kind IN ('user', 'group')", name="actor_kind")
_TARGET_KIND = CheckConstraint("target_kind IN ('project', 'domain', 'system')", name="target_kind")


domains = table_of(DOMAIN)

projects = table_of(PROJECT)

project_tags = Table(
    "project_tags",
    metadata,
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
)

users = table_of(USER)

password_history = Table(
    "password_history",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Float, primary_key=True),
    Column("password_hash", String(128), nullable=False),
)
"""Former passwords; rows are made only where a rule against using them again is set."""

groups = table_of(GROUP)

group_members = Table(
    "group_members",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
)

roles = table_of(ROLE)
Index("ix_roles_name_domain_id", roles.c.name, roles.c.domain_id, unique=True)
Index("ix_roles_global_name", roles.c.name, unique=True, sqlite_where=roles.c.domain_id.is_(None))

implied_roles = Table(
    "implied_roles",
    metadata,
    Column("prior_role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("implied_role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
)

assignments = Table(
    "assignments",
    metadata,
    Column("actor_kind", String(5), primary_key=True),
    Column("actor_id", String(_ID), primary_key=True),
    Column("target_kind", String(7), primary_key=True),
    Column("target_id", String(_ID), primary_key=True),
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("inherited", Boolean, primary_key=True),
    Index("ix_assignments_target_kind_target_id", "target_kind", "target_id"),
    _ACTOR_KIND,
    _TARGET_KIND,
)
"""Who has which role where. ``target_id`` is ``all`` for the system. An inherited one holds below its target."""

regions = table_of(REGION)

services = table_of(SERVICE)

endpoints = table_of(ENDPOINT)

revocations = Table(
    "revocations",
    metadata,
    Column("audit_id", String(32), primary_key=True),
    Column("expires_at", Float, nullable=False, index=True),
)
"""Tokens that were given back before their time, by audit id; a row goes when its token would have expired."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
"""Tokens of the UUID provider only: each has its row, under its hash, until it expires. Fernet tokens have none."""

application_credentials = table_of(APPLICATION_CREDENTIAL)

application_credential_roles = Table(
    "application_credential_roles",
    metadata,
    Column("application_credential_id", ForeignKey("application_credentials.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, index=True),
)

credentials = table_of(CREDENTIAL)
"""``sealed_blob`` is encrypted with the credential keys."""

registered_limits = table_of(REGISTERED_LIMIT)

limits = table_of(LIMIT, CheckConstraint("(project_id IS NULL) <> (domain_id IS NULL)", name="one_holder"))

directory_names = Table(
    "directory_names",
    metadata,
    Column("public_id", String(_ID), primary_key=True),
    Column("domain_id", ForeignKey("domains.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(5), nullable=False),
    Column("local_id", String(_NAME), nullable=False),
    UniqueConstraint("domain_id", "kind", "local_id"),
)
"""Users and groups of LDAP directories, under the id by which the API knows them (Keystone's ``id_mapping``)."""
