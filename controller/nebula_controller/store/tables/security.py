"""Tables of security groups and address groups.

How the rest of a port's protection is stored: ``ports.port_security_enabled`` (0: no anti-spoofing and no groups, all
passes), and ``ports.allowed_address_pairs``, a JSON column of [{"ip_address", "mac_address"}, ...] whose ``ip_address``
is an address or a CIDR in canonical text and whose ``mac_address`` is always there (the port's own where the user named
none). Ports whose ``device_owner`` starts with ``network:`` have ``port_security_enabled`` 0 and no groups.

A port that has port security and no group in ``port_security_groups`` gets nothing in and nothing out but what every
port may do (its DHCP, ARP and neighbour discovery).
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from nebula.model.security_group import ADDRESS_GROUP, SECURITY_GROUP, SECURITY_GROUP_RULE
from nebula_controller.store.metadata import metadata, table_of

security_groups = table_of(SECURITY_GROUP)
"""``is_default``: the group ``default`` of its project, of which there is one."""

Index(
    "uq_security_groups_default_project_id",
    security_groups.c.project_id,
    unique=True,
    sqlite_where=security_groups.c.is_default.is_(True),
)

address_groups = table_of(ADDRESS_GROUP)
"""Named sets of addresses that rules can name as their remote side."""

address_group_addresses = Table(
    "address_group_addresses",
    metadata,
    Column("address_group_id", String(36), ForeignKey("address_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("address", String(64), primary_key=True),
)
"""``address``: a CIDR in canonical text (``10.0.0.1/32``, ``2001:db8::/64``)."""

security_group_rules = table_of(SECURITY_GROUP_RULE)
"""``direction`` is ``ingress`` or ``egress``, ``ethertype`` ``IPv4`` or ``IPv6``.

``protocol`` is as the user wrote it (``tcp``, ``6``); ``protocol_number`` what it means, with the ethertype in mind
(``icmp`` of IPv6 is 58), NULL for any. ``port_range_min`` and ``port_range_max`` are both set or both NULL (any port)
for TCP, UDP, SCTP, DCCP and UDP-Lite; for ICMP and ICMPv6 they are type and code, and the code alone may be NULL.

At most one of ``remote_ip_prefix``, ``remote_group_id`` and ``remote_address_group_id`` is set; none: anybody.
``remote_ip_prefix`` may have host bits; ``normalized_cidr`` is the same without them, in canonical text.
"""

port_security_groups = Table(
    "port_security_groups",
    metadata,
    Column("port_id", String(36), ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", String(36), ForeignKey("security_groups.id", ondelete="RESTRICT"), primary_key=True, index=True),
)
"""The groups of ports: the port's ``security_groups``, and the members that rules mean by ``remote_group_id``."""
