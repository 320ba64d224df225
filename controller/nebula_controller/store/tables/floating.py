"""Tables of floating IPs and of port forwardings."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from nebula_controller.store.metadata import metadata, nameless
from nebula_controller.store.tables.qos import qos_policy_id

floating_ips = Table(
    "floating_ips",
    metadata,
    *nameless(),
    Column("floating_network_id", String(36), ForeignKey("networks.id", ondelete="RESTRICT"), nullable=False),
    Column("floating_ip_address", String(64), nullable=False, index=True),
    Column("floating_port_id", String(36), ForeignKey("ports.id", ondelete="RESTRICT"), nullable=False, unique=True),
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="RESTRICT"), index=True),
    Column("fixed_ip_address", String(64)),
    Column("router_id", String(36), ForeignKey("routers.id", ondelete="RESTRICT"), index=True),
    qos_policy_id(),
    Column("dns_name", String(255), nullable=False),
    Column("dns_domain", String(255), nullable=False),
    UniqueConstraint("floating_network_id", "port_id", "fixed_ip_address"),
    Index("ix_floating_ips_router_id_port_id", "router_id", "port_id"),
)
"""IPv4 addresses of an external network for inner ports.

``floating_port_id`` is the port (owner ``network:floatingip``, bound nowhere, status ``N/A``) that keeps the address.
``port_id``, ``fixed_ip_address`` (one of that port's) and ``router_id`` are all NULL while it is associated with
nothing; with port forwardings ``router_id`` alone is set. The router has its gateway on ``floating_network_id``.

1:1 NAT on the router ``router_id``: rows with ``port_id``. The status that the API shows is no column: it is that of
the router's gateway port, as the router's node reports it.
"""

port_forwardings = Table(
    "port_forwardings",
    metadata,
    *nameless(),
    Column("floating_ip_id", String(36), ForeignKey("floating_ips.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("protocol", String(40), nullable=False),
    Column("external_first", Integer, nullable=False),
    Column("external_last", Integer, nullable=False),
    Column("internal_port_id", String(36), ForeignKey("ports.id", ondelete="RESTRICT"), nullable=False, index=True),
    Column("internal_ip_address", String(64), nullable=False),
    Column("internal_first", Integer, nullable=False),
    Column("internal_last", Integer, nullable=False),
)
"""Ports of a floating IP that lead to ports of inner addresses, on the router ``floating_ips.router_id``.

``protocol`` is ``tcp``, ``udp``, ``sctp`` or ``dccp``. External and internal ranges (first to last, both included) are
of one size, or the internal one is a single port. Of one floating IP and protocol, no two external ranges overlap.
"""
