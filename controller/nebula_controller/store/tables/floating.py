"""Tables of floating IPs and of port forwardings."""

from __future__ import annotations

from sqlalchemy import Column, Index, String

from nebula.model.floating_ip import FLOATING_IP, PORT_FORWARDING
from nebula_controller.store.metadata import table_of

floating_ips = table_of(
    FLOATING_IP,
    Index("ix_floating_ips_router_id_port_id", "router_id", "port_id"),
)
"""IPv4 addresses of an external network for inner ports.

``floating_port_id`` is the port (owner ``network:floatingip``, bound nowhere, status ``N/A``) that keeps the address.
``port_id``, ``fixed_ip_address`` (one of that port's) and ``router_id`` are all NULL while it is associated with
nothing; with port forwardings ``router_id`` alone is set. The router has its gateway on ``floating_network_id``.

1:1 NAT on the router ``router_id``: rows with ``port_id``. The status that the API shows is no column: it is that of
the router's gateway port, as the router's node reports it.
"""

port_forwardings = table_of(PORT_FORWARDING, Column("internal_ip_address", String(64), nullable=False))
"""Ports of a floating IP that lead to ports of inner addresses, on the router ``floating_ips.router_id``.

``protocol`` is ``tcp``, ``udp``, ``sctp`` or ``dccp``. External and internal ranges (first to last, both included) are
of one size, or the internal one is a single port. Of one floating IP and protocol, no two external ranges overlap.
"""
