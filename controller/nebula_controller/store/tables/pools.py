"""Tables of subnet pools and address scopes. Pure declaration."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from nebula_controller.store.metadata import json_list, metadata, standard

address_scopes = Table(
    "address_scopes",
    metadata,
    *standard(),
    Column("ip_version", Integer, nullable=False),
)

subnet_pools = Table(
    "subnet_pools",
    metadata,
    *standard(),
    json_list("prefixes"),
    Column("ip_version", Integer, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("default_quota", Integer),
    Column("address_scope_id", String(36), ForeignKey("address_scopes.id", ondelete="RESTRICT"), index=True),
    Column("is_default", Boolean, nullable=False),
)

Index(
    "uq_subnet_pools_default_of_version",
    subnet_pools.c.ip_version,
    unique=True,
    sqlite_where=subnet_pools.c.is_default.is_(True),
)

free_prefixes = Table(
    "free_prefixes",
    metadata,
    Column("subnetpool_id", String(36), ForeignKey("subnet_pools.id", ondelete="CASCADE"), primary_key=True),
    Column("first", LargeBinary(16), primary_key=True),
    Column("prefixlen", Integer, nullable=False),
    Index("ix_free_prefixes_subnetpool_id_prefixlen", "subnetpool_id", "prefixlen", "first"),
)
"""The blocks of a pool that no subnet has, as large as can be: packed first address and length."""
