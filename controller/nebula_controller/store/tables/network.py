"""Tables of the Neutron resources.

Column names are the record's field names in ``nebula.model``; JSON columns hold what is only read and written whole.
Times are Neutron's (``2026-11-22T10:51:09Z``). Addresses are in canonical text (RFC 5952) where they are shown, and
packed (4 or 16 bytes, big-endian, so that they sort) where they are searched.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from nebula_controller.store.metadata import json_list, json_object, metadata, standard
from nebula_controller.store.tables.qos import qos_policy_id

networks = Table(
    "networks",
    metadata,
    *standard(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("external", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("network_type", String(16), nullable=False),
    Column("physical_network", String(64)),
    Column("segmentation_id", Integer),
    qos_policy_id(),
    Column("dns_domain", String(255), nullable=False),
    json_list("availability_zone_hints"),
    UniqueConstraint("network_type", "segmentation_id"),
)
"""``network_type`` is ``vxlan`` (``segmentation_id`` is the VNI) or ``flat`` (``physical_network`` is set)."""

Index(
    "uq_networks_flat_physical_network",
    networks.c.physical_network,
    unique=True,
    sqlite_where=networks.c.network_type == "flat",
)

free_segments = Table(
    "free_segments",
    metadata,
    Column("network_type", String(16), primary_key=True),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)
"""Ranges of VNIs (``network_type`` ``vxlan``) of the configured range that no network has: the lowest goes first."""

subnets = Table(
    "subnets",
    metadata,
    *standard(),
    Column("network_id", String(36), ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("subnetpool_id", String(36), ForeignKey("subnet_pools.id", ondelete="RESTRICT"), index=True),
    Column("gateway_ip", String(64)),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("ipv6_ra_mode", String(16)),
    Column("ipv6_address_mode", String(16)),
    json_list("dns_nameservers"),
    json_list("host_routes"),
    json_list("service_types"),
    Column("dns_publish_fixed_ip", Boolean, nullable=False),
)
"""``host_routes`` is a list of {"destination", "nexthop"}."""

allocation_pools = Table(
    "allocation_pools",
    metadata,
    Column("subnet_id", String(36), ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("start", String(64), nullable=False),
    Column("end", String(64), nullable=False),
)

free_addresses = Table(
    "free_addresses",
    metadata,
    Column("subnet_id", String(36), ForeignKey("subnets.id", ondelete="CASCADE"), primary_key=True),
    Column("first", LargeBinary(16), primary_key=True),
    Column("last", LargeBinary(16), nullable=False),
)
"""Ranges of packed addresses inside the allocation pools that no port has: allocation takes the lowest address."""

ports = Table(
    "ports",
    metadata,
    *standard(),
    Column("key", String(8), nullable=False, unique=True),
    Column("network_id", String(36), ForeignKey("networks.id", ondelete="RESTRICT"), nullable=False),
    Column("mac_address", String(17), nullable=False, index=True),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("device_id", String(255), nullable=False, index=True),
    Column("device_owner", String(255), nullable=False, index=True),
    Column("host", String(255), nullable=False, index=True),
    Column("vif_type", String(64), nullable=False),
    Column("vnic_type", String(64), nullable=False),
    json_object("vif_details"),
    json_object("profile"),
    Column("port_security_enabled", Boolean, nullable=False),
    json_list("allowed_address_pairs"),
    json_list("extra_dhcp_opts"),
    qos_policy_id(),
    Column("dns_name", String(255), nullable=False),
    Column("status_error", Text, nullable=False, server_default=""),
    UniqueConstraint("network_id", "mac_address"),
    Index("ix_ports_network_id_device_owner", "network_id", "device_owner"),
)
"""``key``: first 8 hexadecimal digits of the id (``ids.port_key``). ``host``: ``binding:host_id``, "" when unbound."""

fixed_ips = Table(
    "fixed_ips",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("subnet_id", String(36), ForeignKey("subnets.id", ondelete="RESTRICT"), nullable=False),
    Column("ip_address", String(64), nullable=False, index=True),
    UniqueConstraint("subnet_id", "ip_address"),
)
"""The addresses of ports, in the order in which the API shows them (``position`` 0, 1...)."""

routers = Table(
    "routers",
    metadata,
    *standard(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("gateway_port_id", String(36), ForeignKey("ports.id", ondelete="RESTRICT"), unique=True),
    Column("gateway_network_id", String(36), ForeignKey("networks.id", ondelete="RESTRICT"), index=True),
    Column("enable_snat", Boolean, nullable=False),
    qos_policy_id("gateway_qos_policy_id"),
    json_list("routes"),
    json_list("availability_zone_hints"),
)
"""``gateway_port_id`` is NULL without a gateway; ``routes`` is a list of {"destination", "nexthop"}."""

router_ports = Table(
    "router_ports",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="RESTRICT"), primary_key=True),
    Column("router_id", String(36), ForeignKey("routers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("port_type", String(64), nullable=False),
)
"""Ports of routers; ``port_type`` is ``network:router_interface`` or ``network:router_gateway``."""
