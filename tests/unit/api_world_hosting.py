"""Of the model of the network API: which nodes there are, and which networks and routers they have. Pure."""

from __future__ import annotations

from api_records import DHCP, DHCP_AGENT, FORBIDDEN, L3_AGENT, Asker, Refusals
from api_world_routing import Routing


class Hosting(Routing):
    """The controller chooses nodes, an administrator moves by hand."""

    def able(self, agent_type: str) -> set[str]:
        """The nodes that get something new to do: they are up, and their agent is enabled."""
        return {host for host, node in self.nodes.items() if node.up and agent_type not in node.disabled}

    def servers(self, network: str) -> dict[str, str]:
        """The ports of the network's DHCP servers, by node; "" is one that waits for a node."""
        return {p.host: k for k, p in self.ports.items() if (p.owner, p.network) == (DHCP, network)}

    def dhcp_subnets(self, network: str) -> set[str]:
        return {key for key, subnet in self.subnets_of(network).items() if subnet.dhcp}

    def forget_node(self, host: str) -> None:
        """What it had waits, but for a network that another node serves too."""
        del self.nodes[host]
        for router in self.routers.values():
            router.host = None if router.host == host else router.host
        for network in self.networks:
            self.stop_serving(network, host)

    def stop_serving(self, network: str, host: str) -> None:
        """The last server's port stays, with its addresses."""
        servers = self.servers(network)
        if host in servers and len(servers) > 1:
            self.drop_port(servers[host])
        elif host in servers:
            self.ports[servers[host]].host = ""

    def wrong_server(self, asker: Asker, network: str, agent: tuple[str, str] | None) -> Refusals:
        """What is wrong with giving the network to this agent (its node and type)."""
        if not asker.admin:
            return {FORBIDDEN}
        if network not in self.networks:
            return {(404, "NetworkNotFound")}
        wrong = self._wrong_agent(agent, DHCP_AGENT, "InvalidDHCPAgent")
        servers, subnets = self.servers(network), self.dhcp_subnets(network)
        if wrong or agent is None or agent[0] in servers:
            return wrong or {(409, "NetworkHostedByDHCPAgent")}
        if not subnets:
            return {(409, "Conflict")}
        having = {where for where, _ in self.ports[servers[""]].fixed} if "" in servers else set()
        room = all(self.has_room(subnet) for subnet in subnets - having)
        return set() if room else {(409, "IpAddressGenerationFailure")}

    def wrong_router_host(self, asker: Asker, router: str, agent: tuple[str, str] | None) -> Refusals:
        """The same of a router; where it is already it may go."""
        if not asker.admin:
            return {FORBIDDEN}
        if router not in self.routers:
            return {(404, "RouterNotFound")}
        wrong = self._wrong_agent(agent, L3_AGENT, "InvalidL3Agent")
        if wrong or agent is None:
            return wrong
        return set() if self.routers[router].host in (None, agent[0]) else {(409, "RouterHostedByL3Agent")}

    def _wrong_agent(self, agent: tuple[str, str] | None, agent_type: str, error: str) -> Refusals:
        """It is not there, of another type, or disabled."""
        if agent is None:
            return {(404, "AgentNotFound")}
        fits = agent[1] == agent_type and agent_type not in self.nodes[agent[0]].disabled
        return set() if fits else {(404, error)}
