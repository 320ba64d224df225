"""Tables of Identity v3.

Pure declarations. A project or user name is unique in its domain, as in Keystone. Times are seconds since the
epoch. ``extra`` is a JSON object of the attributes that Keystone stores without knowing them (``email``...).

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

from nebula_controller.store.metadata import json_object, metadata

_ID = 64
_NAME = 255
_ACTOR_KIND = CheckConstraint("actor_kind IN ('user', 'group')", name="actor_kind")
_TARGET_KIND = CheckConstraint("target_kind IN ('project', 'domain', 'system')", name="target_kind")


def _tokens_valid_after() -> Column[float]:
    return Column("tokens_valid_after", Float, nullable=False, server_default="0")


domains = Table(
    "domains",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("name", String(_NAME), nullable=False, unique=True),
    Column("description", Text, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    _tokens_valid_after(),
    json_object("options"),
    json_object("extra"),
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("domain_id", ForeignKey("domains.id"), nullable=False),
    Column("parent_id", ForeignKey("projects.id"), nullable=True, index=True),
    Column("name", String(_NAME), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    _tokens_valid_after(),
    json_object("options"),
    json_object("extra"),
    UniqueConstraint("domain_id", "name"),
)

project_tags = Table(
    "project_tags",
    metadata,
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
)

users = Table(
    "users",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("domain_id", ForeignKey("domains.id"), nullable=False),
    Column("name", String(_NAME), nullable=False),
    Column("description", Text, nullable=True),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("default_project_id", String(_ID), nullable=True),
    Column("password_hash", String(128), nullable=True),
    Column("password_changed_at", Float, nullable=True),
    Column("password_expires_at", Float, nullable=True),
    Column("failed_logins", Integer, nullable=False, server_default="0"),
    Column("failed_at", Float, nullable=True),
    _tokens_valid_after(),
    json_object("options"),
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

groups = Table(
    "groups",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("domain_id", ForeignKey("domains.id"), nullable=False),
    Column("name", String(_NAME), nullable=False),
    Column("description", Text, nullable=False, default=""),
    json_object("extra"),
    UniqueConstraint("domain_id", "name"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
)

roles = Table(
    "roles",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("domain_id", ForeignKey("domains.id"), nullable=True),
    Column("name", String(_NAME), nullable=False),
    Column("description", Text, nullable=True),
    json_object("options"),
    json_object("extra"),
)
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

regions = Table(
    "regions",
    metadata,
    Column("id", String(_NAME), primary_key=True),
    Column("parent_region_id", ForeignKey("regions.id"), nullable=True),
    Column("description", Text, nullable=False, default=""),
    json_object("extra"),
)

services = Table(
    "services",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("type", String(_NAME), nullable=False),
    Column("name", String(_NAME), nullable=True),
    Column("description", Text, nullable=True),
    Column("enabled", Boolean, nullable=False, default=True),
    json_object("extra"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("service_id", ForeignKey("services.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=True),
    Column("interface", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    json_object("extra"),
)

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

policies = Table(
    "policies",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("type", String(_NAME), nullable=False),
    Column("blob", Text, nullable=False),
    json_object("extra"),
)

registered_limits = Table(
    "registered_limits",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("service_id", ForeignKey("services.id"), nullable=False, index=True),
    Column("region_id", ForeignKey("regions.id"), nullable=True, index=True),
    Column("resource_name", String(_NAME), nullable=False),
    Column("default_limit", Integer, nullable=False),
    Column("description", Text, nullable=True),
)

limits = Table(
    "limits",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("registered_limit_id", ForeignKey("registered_limits.id"), nullable=False, index=True),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("domain_id", ForeignKey("domains.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("resource_limit", Integer, nullable=False),
    Column("description", Text, nullable=True),
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
