"""Tables of subnet pools. Pure declaration."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from nebula.model.subnet_pool import SUBNET_POOL
from nebula_controller.store.metadata import metadata, table_of

subnet_pools = table_of(SUBNET_POOL)

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
