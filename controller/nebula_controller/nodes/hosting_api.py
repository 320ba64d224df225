"""Which agent serves a network or has a router, and moving them by hand: Neutron's two schedulers. Effects: HTTP, SQL.

For administrators. What is taken from its agent waits: the next change of it, or a node that comes up, places it anew.
"""

from __future__ import annotations

from typing import Any

from nebula.errors import BadRequest, Conflict, InvalidAttribute, NotFound
from nebula.model import accept
from nebula_controller import scheduler
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.network import rows
from nebula_controller.network.networks_api import Networks
from nebula_controller.network.routers_api import Routers
from nebula_controller.nodes.agent_kinds import DHCP_AGENT, L3_AGENT, agent_id
from nebula_controller.nodes.agents import agent, agents
from nebula_controller.store.database import Database, Transaction

_NOTHING = b"null"
"""Neutron's body where there is nothing to say: clients decode it."""


class Hosting:
    """The operations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._networks = Networks(database)
        self._routers = Routers(database)

    def operations(self) -> list[Operation]:
        """For the service of the agents."""
        dhcp, l3 = "/v2.0/agents/{id}/dhcp-networks", "/v2.0/agents/{id}/l3-routers"
        return [
            Operation("GET", dhcp, self._served_networks),
            Operation("POST", dhcp, self._add_network),
            Operation("DELETE", f"{dhcp}/{{network_id}}", self._remove_network),
            Operation("GET", l3, self._routers_there),
            Operation("POST", l3, self._add_router),
            Operation("DELETE", f"{l3}/{{router_id}}", self._remove_router),
            Operation("GET", "/v2.0/networks/{id}/dhcp-agents", self._dhcp_agents),
            Operation("GET", "/v2.0/routers/{id}/l3-agents", self._l3_agents),
        ]

    def _dhcp_agents(self, call: Call) -> Answer:
        call.context.require("get_dhcp-agents", {})
        with self._database.read() as tx:
            network = rows.network(tx, call.path["id"])
            wanted = {agent_id(host, DHCP_AGENT) for host in scheduler.dhcp_hosts(tx, network.id)}
            return Answer(200, {"agents": [row for row in agents(tx) if row["id"] in wanted]})

    def _l3_agents(self, call: Call) -> Answer:
        call.context.require("get_l3-agents", {})
        with self._database.read() as tx:
            host = scheduler.router_host(tx, rows.router(tx, call.path["id"]).id)
            wanted = None if host is None else agent_id(host, L3_AGENT)
            return Answer(200, {"agents": [row for row in agents(tx) if row["id"] == wanted]})

    def _served_networks(self, call: Call) -> Answer:
        call.context.require("get_dhcp-networks", {})
        with self._database.read() as tx:
            known = agent(tx, call.path["id"])
            there = scheduler.dhcp_networks(tx, known["host"]) if known["agent_type"] == DHCP_AGENT.agent_type else []
            return Answer(200, {"networks": self._networks.fetch_all(tx, call.context, there)})

    def _routers_there(self, call: Call) -> Answer:
        call.context.require("get_l3-routers", {})
        with self._database.read() as tx:
            known = agent(tx, call.path["id"])
            there = scheduler.routers_on(tx, known["host"]) if known["agent_type"] == L3_AGENT.agent_type else []
            return Answer(200, {"routers": self._routers.fetch_all(tx, call.context, there)})

    def _add_network(self, call: Call) -> Answer:
        call.context.require("create_dhcp-network", {})
        network_id = _given(call, "network_id")
        with self._database.write(call.context, status=201) as tx:
            network = rows.network(tx, network_id)
            known = agent(tx, call.path["id"])
            if known["agent_type"] != DHCP_AGENT.agent_type or not known["admin_state_up"]:
                raise NotFound(
                    f"Agent {known['id']} is not a valid DHCP Agent or has been disabled.", type_name="InvalidDHCPAgent"
                )
            if known["host"] in scheduler.dhcp_hosts(tx, network.id):
                raise Conflict(
                    f"The network {network.id} has been already hosted by the DHCP Agent {known['id']}.",
                    type_name="NetworkHostedByDHCPAgent",
                )
            scheduler.add_dhcp_host(tx, network.id, known["host"])
        return Answer(201, _NOTHING)

    def _remove_network(self, call: Call) -> Answer:
        call.context.require("delete_dhcp-network", {})
        with self._database.write(call.context, status=204) as tx:
            known, network_id = agent(tx, call.path["id"]), call.path["network_id"]
            is_dhcp = known["agent_type"] == DHCP_AGENT.agent_type
            if not is_dhcp or known["host"] not in scheduler.dhcp_hosts(tx, network_id):
                raise Conflict(
                    f"The network {network_id[:100]} is not hosted by the DHCP Agent {known['id']}.",
                    type_name="NetworkNotHostedByDhcpAgent",
                )
            scheduler.remove_dhcp_host(tx, network_id, known["host"])
        return Answer(204)

    def _add_router(self, call: Call) -> Answer:
        call.context.require("create_l3-router", {})
        router_id = _given(call, "router_id")
        with self._database.write(call.context, status=201) as tx:
            router = rows.router(tx, router_id)
            known = agent(tx, call.path["id"])
            if not _suits(tx, router.id, known):
                raise NotFound(
                    f"Agent {known['id']} is not a L3 Agent or has been disabled, or its node lacks the physical "
                    "network of the router's gateway.",
                    type_name="InvalidL3Agent",
                )
            host = scheduler.router_host(tx, router.id)
            if host not in (None, known["host"]):
                raise Conflict(
                    f"The router {router.id} has been already hosted by the L3 Agent {agent_id(str(host), L3_AGENT)}.",
                    type_name="RouterHostedByL3Agent",
                )
            if host is None:
                scheduler.add_router_host(tx, router.id, known["host"])
        return Answer(201, _NOTHING)

    def _remove_router(self, call: Call) -> Answer:
        call.context.require("delete_l3-router", {})
        with self._database.write(call.context, status=204) as tx:
            known, router_id = agent(tx, call.path["id"]), call.path["router_id"]
            is_l3 = known["agent_type"] == L3_AGENT.agent_type
            if not is_l3 or known["host"] != scheduler.router_host(tx, router_id):
                raise Conflict(
                    f"The router {router_id[:100]} is not hosted by L3 agent {known['id']}.",
                    type_name="RouterNotHostedByL3Agent",
                )
            scheduler.remove_router_host(tx, router_id)
        return Answer(204)


def _suits(tx: Transaction, router_id: str, known: dict[str, Any]) -> bool:
    is_l3 = known["agent_type"] == L3_AGENT.agent_type and known["admin_state_up"]
    return is_l3 and scheduler.can_host_router(tx, router_id, known["host"])


def _given(call: Call, name: str) -> str:
    body = call.json()
    if not isinstance(body, dict) or set(body) != {name}:
        raise BadRequest(f"Unable to find '{name}' in request body", type_name="HTTPBadRequest")
    try:
        return str(accept.identifier(body[name]))
    except ValueError as error:
        raise InvalidAttribute(name, str(error)) from None
