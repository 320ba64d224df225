"""The OpenFlow registers, named once.

Pure data. Registers are zero when a packet enters a bridge, and lost when it goes through a patch port to another.
"""

from __future__ import annotations

PORT = "reg5"
"""Key of a port (``ids.port_key``): first of the sender, from table 73 on of the receiver. Neutron's reg5."""

NETWORK = "reg6"
"""Local VLAN of the packet's network on this node. Neutron's reg6."""

ORIGIN = "reg7"
"""Where the packet entered: 0, a port of this node; FROM_FABRIC, the tunnels or a provider bridge. Nebula's own."""

FROM_FABRIC = 0x1
"""Value of ORIGIN that forbids sending the packet back into a fabric (split horizon)."""

FLOOD_CHUNK = "reg8"
"""Which part of a long flood list comes next; 0, the first. Nebula's own."""

PROTECTION = "reg9"
"""How the port of ``PORT`` is protected: 0, not at all; STATEFUL; STATELESS. Nebula's own (Neutron: flows per port)."""

STATEFUL = 0x1
"""Port security, and groups whose connections conntrack follows."""

STATELESS = 0x3
"""Port security, and only groups that do without conntrack."""

SECURED = "0x1/0x1"
"""Match on PROTECTION: either of the two."""
