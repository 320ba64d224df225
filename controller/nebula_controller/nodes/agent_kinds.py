"""The agents of Neutron that one nebula-agent stands for. Pure."""

from __future__ import annotations

import uuid
from typing import NamedTuple

_NAMESPACE = uuid.UUID("6b0ee1ba-52d1-5a5c-8f6a-2d7a3ad6f0e1")


class AgentKind(NamedTuple):
    """Neutron's names."""

    agent_type: str
    binary: str
    topic: str


OPEN_VSWITCH = AgentKind("Open vSwitch agent", "neutron-openvswitch-agent", "N/A")
DHCP_AGENT = AgentKind("DHCP agent", "neutron-dhcp-agent", "dhcp_agent")
L3_AGENT = AgentKind("L3 agent", "neutron-l3-agent", "l3_agent")


def agent_id(host: str, kind: AgentKind) -> str:
    """The same for the same node and kind, for ever."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind.agent_type}@{host}"))


def kinds(roles: list[str]) -> list[AgentKind]:
    """The agents of a node with these roles, by type."""
    return [DHCP_AGENT, L3_AGENT, OPEN_VSWITCH] if "network" in roles else [OPEN_VSWITCH]
