"""The nodes as Neutron's list of agents. Effects: the tables of the nodes.

A node runs one program; for the clients of Neutron it is an "Open vSwitch agent", and on a network node a "DHCP agent"
and an "L3 agent" too. Ids are derived from the node's name, so they survive everything. ``alive`` is the node's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from nebula.errors import Conflict, NotFound
from nebula.ids import BR_INT, Owner, OwnerKind
from nebula.model.port import DHCP, ROUTER_GATEWAY, ROUTER_INTERFACE
from nebula.view.capability import missing
from nebula_controller.nodes.agent_kinds import DHCP_AGENT, OPEN_VSWITCH, AgentKind, agent_id, kinds
from nebula_controller.scheduler import clear_node
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.network import ports
from nebula_controller.store.tables.nodes import agent_settings, nodes, router_placements

_COUNT_PORTS = select(ports.c.host, ports.c.device_owner, func.count()).where(ports.c.host != "")
_COUNT_PORTS = _COUNT_PORTS.group_by(ports.c.host, ports.c.device_owner)
_COUNT_ROUTERS = select(router_placements.c.host, func.count()).group_by(router_placements.c.host)
_NODES = select(nodes).order_by(nodes.c.host)
_SETTINGS = select(agent_settings)


def agents(tx: Transaction) -> list[dict[str, Any]]:
    """All agents, by node and type, with the fields that Neutron shows."""
    devices: dict[str, dict[str, int]] = defaultdict(dict)
    for host, device_owner, count in tx.execute(_COUNT_PORTS):
        devices[host][device_owner] = count
    routers: dict[str, int] = {host: count for host, count in tx.execute(_COUNT_ROUTERS)}  # noqa: C416 (typed)
    settings = {row["agent_id"]: row for row in tx.execute(_SETTINGS).mappings()}
    found = []
    for node in tx.execute(_NODES).mappings():
        for kind in kinds(node["roles"]):
            identity = agent_id(node["host"], kind)
            configurations = _configurations(kind, node, devices[node["host"]], routers.get(node["host"], 0))
            found.append(_shown(identity, kind, node, settings.get(identity), configurations))
    return found


def agent(tx: Transaction, identity: str) -> dict[str, Any]:
    """One agent; raises ``NotFound``."""
    for row in agents(tx):
        if row["id"] == identity:
            return row
    raise NotFound(f"Agent {identity} could not be found.", type_name="AgentNotFound")


def set_agent(tx: Transaction, identity: str, given: Mapping[str, object]) -> None:
    """Enable, disable, describe (null: not at all). A disabled DHCP or L3 agent gets nothing new; what it has stays."""
    known = agent(tx, identity)
    wanted = {"admin_state_up": known["admin_state_up"], "description": known["description"], **given}
    values = {**wanted, "description": wanted["description"] or ""}
    this = agent_settings.c.agent_id == identity
    if not tx.execute(update(agent_settings).where(this).values(values)).rowcount:
        tx.execute(insert(agent_settings), {"agent_id": identity, "host": known["host"], **values})
    tx.touch(Owner(OwnerKind.NODE, known["host"]))


def delete_agent(tx: Transaction, identity: str) -> None:
    """Forget the agent's node, with all its agents; its routers and DHCP servers go to other nodes.

    Raises ``Conflict`` while the node is up: it would be back with its next heartbeat.
    """
    known = agent(tx, identity)
    host = known["host"]
    if known["alive"]:
        raise Conflict(
            f"Agent {identity} on {host} is alive. Stop nebula-agent there, wait until it is shown as down, and try "
            "again.",
            type_name="AgentInUse",
        )
    tx.execute(delete(nodes).where(nodes.c.host == bindparam("node")), {"node": host})
    tx.touch(Owner(OwnerKind.NODE, host))
    clear_node(tx, host)


def _configurations(kind: AgentKind, node: Any, devices: dict[str, int], routers: int) -> dict[str, Any]:
    if kind is OPEN_VSWITCH:
        return {
            "arp_responder_enabled": True,
            "bridge_mappings": node["bridge_mappings"],
            "capabilities": node["capabilities"],
            "lacks": {str(part): text for part, text in missing(node["capabilities"]).items()},
            "datapath_type": node["datapath_type"],
            "devices": sum(devices.values()),
            "integration_bridge": BR_INT,
            "l2_population": True,
            "tunnel_types": ["vxlan"],
            "tunneling_ip": node["vtep_ip"],
            "underlay_mtu": node["underlay_mtu_bytes"],
            "version": node["version"],
        }
    if kind is DHCP_AGENT:
        return {"dhcp_driver": "dnsmasq", "dhcp_lease_duration": 86400, "networks": devices.get(DHCP, 0)}
    return {
        "agent_mode": "legacy",
        "ex_gw_ports": devices.get(ROUTER_GATEWAY, 0),
        "floating_ips": 0,
        "interfaces": devices.get(ROUTER_INTERFACE, 0),
        "routers": routers,
    }


def _shown(identity: str, kind: AgentKind, node: Any, settings: Any, configurations: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": identity,
        "agent_type": kind.agent_type,
        "binary": kind.binary,
        "topic": kind.topic,
        "host": node["host"],
        "availability_zone": "nova" if kind is not OPEN_VSWITCH else None,
        "admin_state_up": settings["admin_state_up"] if settings else True,
        "description": (settings["description"] or None) if settings else None,
        "alive": not node["down"],
        "created_at": _neutron_time(node["created_at"]),
        "started_at": _neutron_time(node["started_at"]),
        "heartbeat_timestamp": datetime.fromtimestamp(node["heartbeat_at"], UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "resources_synced": None,
        "configurations": configurations,
    }


def _neutron_time(rfc3339: str) -> str:
    return rfc3339[:19].replace("T", " ")
