"""Tables of Identity v3.

Those of objects have a column for each attribute of their declaration (``nebula.model.identity``) that is stored, and
what is added here. A project or user name is unique in its domain, as in Keystone. Times are seconds since the epoch.
``extra`` is a JSON object of the attributes that Keystone stores without knowing them (``email``...).

``tokens_valid_after``: a token issued before it is void (a changed password, a disabled user, project or
domain); with it, tokens need no rows of their own.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from nebula.model.identity import (
    DOMAIN,
    ENDPOINT,
    GROUP,
    ID_LENGTH,
    LIMIT,
    POLICY,
    PROJECT,
    REGION,
    REGISTERED_LIMIT,
    ROLE,
    SERVICE,
    USER,
)
from nebula_controller.store.metadata import json_object, metadata, table_of

_ID = ID_LENGTH
_NAME = 255
_ACTOR_KIND = CheckConstraint("actor_kind IN ('user', 'group')", name="actor_kind")
_TARGET_KIND = CheckConstraint("target_kind IN ('project', 'domain', 'system')", name="target_kind")


def _tokens_valid_after() -> Column[float]:
    return Column("tokens_valid_after", Float, nullable=False, server_default="0")


domains = table_of(DOMAIN, _tokens_valid_after(), "options", json_object("extra"))

projects = table_of(
    PROJECT, _tokens_valid_after(), "options", json_object("extra"), UniqueConstraint("domain_id", "name")
)

project_tags = Table(
    "project_tags",
    metadata,
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
)

users = table_of(
    USER,
    Column("password_hash", String(128), nullable=True),
    Column("password_changed_at", Float, nullable=True),
    Column("password_expires_at", Float, nullable=True),
    Column("failed_logins", Integer, nullable=False, server_default="0"),
    Column("failed_at", Float, nullable=True),
    _tokens_valid_after(),
    "options",
    json_object("extra"),
    UniqueConstraint("domain_id", "name"),
)

password_history = Table(
    "password_history",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Float, primary_key=True),
    Column("password_hash", String(128), nullable=False),
)
"""Former passwords; rows are made only where a rule against using them again is set."""

groups = table_of(GROUP, json_object("extra"), UniqueConstraint("domain_id", "name"))

group_members = Table(
    "group_members",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
)

roles = table_of(ROLE, json_object("extra"))
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

regions = table_of(REGION, json_object("extra"))

services = table_of(SERVICE, json_object("extra"))

endpoints = table_of(ENDPOINT, json_object("extra"))

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

application_credentials = Table(
    "application_credentials",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(_NAME), nullable=False),
    Column("description", Text, nullable=True),
    Column("secret_hash", String(128), nullable=False),
    Column("unrestricted", Boolean, nullable=False, default=False),
    Column("expires_at", Float, nullable=True),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("user_id", "name"),
)
"""A password of a program: its user's rights on one project, or some of them."""

application_credential_roles = Table(
    "application_credential_roles",
    metadata,
    Column("application_credential_id", ForeignKey("application_credentials.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, index=True),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("type", String(_NAME), nullable=False),
    Column("sealed_blob", LargeBinary, nullable=False),
    json_object("extra"),
)
"""Secrets that have to be read back (EC2 keys); ``sealed_blob`` is encrypted with the credential keys."""

policies = table_of(POLICY, json_object("extra"))

registered_limits = table_of(REGISTERED_LIMIT)

limits = table_of(
    LIMIT,
    "id",
    Column("registered_limit_id", ForeignKey("registered_limits.id"), nullable=False, index=True),
    "project_id",
    "domain_id",
    "resource_limit",
    "description",
    CheckConstraint("(project_id IS NULL) <> (domain_id IS NULL)", name="one_holder"),
)
"""A project's or domain's own limit, in place of the registered one. Unique by its holder and registered limit."""

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
