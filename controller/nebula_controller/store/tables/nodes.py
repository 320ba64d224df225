"""Tables of the nodes: who they are, what is placed on them, what they said that they did.

Pure declarations. Times are RFC 3339 in UTC with milliseconds, except ``heartbeat_at`` (seconds since the epoch).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from nebula_controller.store.metadata import json_list, json_object, metadata

nodes = Table(
    "nodes",
    metadata,
    Column("host", String(64), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("datapath_type", String(16), nullable=False),
    Column("vtep_ip", String(64), nullable=False, unique=True),
    Column("underlay_mtu_bytes", Integer, nullable=False),
    json_list("roles"),
    json_object("bridge_mappings"),
    json_list("capabilities"),
    Column("heartbeat_at", Float, nullable=False),
    Column("down", Boolean, nullable=False),
    Column("shut_out", Boolean, nullable=False),
)
"""The newest report of each node. ``heartbeat_at`` is written now and then; ``down`` when the node goes down or up.

``shut_out``: revoked, and not heard since. It is no peer of the others' tunnels.
"""

agent_settings = Table(
    "agent_settings",
    metadata,
    Column("agent_id", String(36), primary_key=True),
    Column("host", String(64), ForeignKey("nodes.host", ondelete="CASCADE"), nullable=False, index=True),
    Column("admin_state_up", Boolean, nullable=False),
    Column("description", String(255), nullable=False),
)
"""What an administrator set on one of a node's agents; no row, nothing set."""

router_placements = Table(
    "router_placements",
    metadata,
    Column("router_id", String(36), ForeignKey("routers.id", ondelete="CASCADE"), primary_key=True),
    Column("host", String(64), nullable=False, index=True),
)
"""The node that each scheduled router is on."""

port_reports = Table(
    "port_reports",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("host", String(64), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("error", Text, nullable=False),
)
"""What a node last said of a port: the port's status while the node is up."""

receipts = Table(
    "receipts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", String(64), nullable=False),
    Column("epoch", String(36), nullable=False),
    Column("from_revision", Integer, nullable=False),
    Column("to_revision", Integer, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("alarm", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("changes", LargeBinary, nullable=False),
    Index("ix_receipts_host_id", "host", "id"),
    Index("ix_receipts_reason_id", "reason", "id"),
    sqlite_autoincrement=True,
)
"""One pass of an agent that changed something. ``changes`` is a JSON list of ``ChangeRecord``."""

receipt_requests = Table(
    "receipt_requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("receipt_id", Integer, ForeignKey("receipts.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("positions", LargeBinary, nullable=False),
)
"""Which changes of a receipt a request caused: a JSON list of positions in ``receipts.changes``, from 0."""

node_memberships = Table(
    "node_memberships",
    metadata,
    Column("host", String(64), primary_key=True),
    Column("membership", String(36), nullable=False),
    Column("joined_at", String(32), nullable=False),
    Column("token_id", String(8), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", String(32)),
    Column("signed_by", String(64)),
)
"""Each host that has joined. Only certificates of this ``membership`` count, and none once it is revoked.

``expires_at`` (seconds since the epoch) is that of its newest certificate. ``signed_by``: the key identifier of the
authority of the one that it showed last.
"""

join_tokens = Table(
    "join_tokens",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("host", String(64)),
    Column("description", String(255), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", String(32)),
    Column("used_by", String(64)),
)
"""One-time tokens by which nodes join. ``host``: only that one may use it. ``secret_hash``: SHA-256, hexadecimal."""
