"""Random calls about nodes and their agents: which serve networks and have routers, moved by hand."""

from __future__ import annotations

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import MISSING, NONE_OF_THEM, index
from api_records import AGENT_TYPES, ASKERS, DHCP, DHCP_AGENT, FORBIDDEN, GATEWAY, INTERFACE, L3_AGENT, Refusals
from hypothesis.stateful import invariant, precondition, rule
from nebula_controller.api.context import internal
from nebula_controller.nodes.registry import shut_out

from nebula.ids import Host

who = st.sampled_from(["root", "root", "root", "root", "alice"])
UNKNOWN = (404, "AgentNotFound")


class Agents(Agreement):
    """Every rule is one call, or a node that comes or goes."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: dict[str, tuple[str, str]] = {}
        """Nodes and types, by id; a node that comes back has the same."""
        self.placed_all = False
        """After a change of the nodes nothing waits that a node could have."""

    @invariant()
    def agree(self) -> None:
        moved = self.moved
        super().agree()
        if moved:
            self._agree_on_agents()
            self._agree_on_routers()
            self.placed_all = False

    @rule(host=st.sampled_from(["n1", "n2", "n3"]), up=st.sampled_from([True, True, False]))
    def come_or_go(self, host: str, up: bool) -> None:
        """A node reports itself, or is down."""
        if up:
            known = self.world.nodes.get(host)
            self.placed_all = known is None or not known.up  # else it is one more heartbeat
            self.serve(host)
        elif host in self.world.nodes:
            with self.api.controller.database.write(internal("test")) as tx:
                shut_out(tx, Host(host))
            self.world.nodes[host].up = False
        self.moved = True

    @rule(who=who, at=index, body=st.sampled_from([True, True, False, "", "words", None]))
    def set_agent(self, who: str, at: int, body: bool | str | None) -> None:
        """Enable or disable it, or describe it."""
        key, wrong = self._agent(who, at)
        named = {"admin_state_up" if isinstance(body, bool) else "description": body}
        answer = self._call("PUT", f"/agents/{key}", {"agent": named}, who, wrong)
        if answer:
            host, agent_type = self.agents[key]
            node = self.world.nodes[host]
            if isinstance(body, bool):
                node.disabled = node.disabled - {agent_type} if body else node.disabled | {agent_type}
            else:
                node.words[agent_type] = body or None
            self.placed_all = True

    @rule(who=who, at=index)
    def delete_agent(self, who: str, at: int) -> None:
        """With its node, unless that is up."""
        key, wrong = self._agent(who, at)
        if not wrong and self.world.nodes[self.agents[key][0]].up:
            wrong = {(409, "AgentInUse")}
        if self._call("DELETE", f"/agents/{key}", None, who, wrong) is not None:
            self.world.forget_node(self.agents[key][0])
            self.placed_all = True

    @rule(who=who, at=index)
    def look_at_agents(self, who: str, at: int) -> None:
        """An administrator sees them, and what they have; others see none."""
        key, wrong = self._agent(who, at)
        self._call("GET", f"/agents/{key}", None, who, wrong)
        forbidden = set() if ASKERS[who].admin else {FORBIDDEN}
        for below in ("networks", "routers"):
            path = f"/agents/{key}/{'dhcp' if below == 'networks' else 'l3'}-{below}"
            answer = self._call("GET", path, None, who, forbidden or wrong)
            if answer and below == "networks":
                host, kind = self.agents[key]
                served = {network for network in self.world.networks if host in self.world.servers(network)}
                assert {one["id"] for one in answer["networks"]} == (served if kind == DHCP_AGENT else set())
        listed = {one["id"] for one in self.api.get("/agents", who)["agents"]}
        assert listed == {one for one, (host, _) in self.agents.items() if host in self.world.nodes and not forbidden}

    @precondition(lambda self: self.world.networks)
    @rule(who=who, at=index, network=index, add=st.booleans())
    def move_network(self, who: str, at: int, network: int | str, add: bool) -> None:
        (key, missing), chosen = self._agent(who, at, DHCP_AGENT), self._pick("networks", network, who)
        path, agent = f"/agents/{key}/dhcp-networks", None if missing else self.agents[key]
        if add:
            wrong = self.world.wrong_server(ASKERS[who], chosen, None if missing else self.agents[key])
            if self._call("POST", path, {"network_id": chosen}, who, wrong, nothing=True) is not None and agent:
                waiting = self.world.servers(chosen).get("")
                if waiting is not None:
                    self.world.ports[waiting].host = agent[0]
                self.given = (chosen, agent[0])
        else:
            known = agent is not None and agent[1] == DHCP_AGENT and agent[0] in self.world.servers(chosen)
            wrong = set() if known else missing or {(409, "NetworkNotHostedByDhcpAgent")}
            wrong = wrong if ASKERS[who].admin else {FORBIDDEN}
            if self._call("DELETE", f"{path}/{chosen}", None, who, wrong) is not None and agent is not None:
                self.world.stop_serving(chosen, agent[0])
                servers = {host for host in self.world.servers(chosen) if host}
                assert self._hosts(f"/networks/{chosen}/dhcp-agents") == servers

    @precondition(lambda self: self.world.routers)
    @rule(who=who, at=index, router=index, add=st.booleans())
    def move_router(self, who: str, at: int, router: int, add: bool) -> None:
        (key, missing), chosen = self._agent(who, at, L3_AGENT), self._pick("routers", router, who)
        path, agent = f"/agents/{key}/l3-routers", None if missing else self.agents[key]
        if add:
            wrong = self.world.wrong_router_host(ASKERS[who], chosen, agent)
            if self._call("POST", path, {"router_id": chosen}, who, wrong, nothing=True) is not None and agent:
                self.world.routers[chosen].host = agent[0]
        else:
            known = chosen in self.world.routers and agent == (self.world.routers[chosen].host, L3_AGENT)
            wrong = set() if known else missing or {(409, "RouterNotHostedByL3Agent")}
            wrong = wrong if ASKERS[who].admin else {FORBIDDEN}
            if self._call("DELETE", f"{path}/{chosen}", None, who, wrong) is not None:
                self.world.routers[chosen].host = None
                assert self._hosts(f"/routers/{chosen}/l3-agents") == set()

    def _agent(self, who: str, at: int, kind: str = "") -> tuple[str, Refusals]:
        """The id of one, mostly of this type, or of none; and that it is not there for the asker."""
        there = [key for key, (host, _) in self.agents.items() if host in self.world.nodes]
        fitting = [key for key in there if kind == self.agents[key][1]] if at < 6 else []
        chosen = fitting or there
        if not chosen or at == NONE_OF_THEM:
            return next((key for key in self.agents if key not in there), MISSING), {UNKNOWN}
        return chosen[at % len(chosen)], set() if ASKERS[who].admin else {UNKNOWN}

    def _hosts(self, path: str) -> set[str]:
        return {agent["host"] for agent in self.api.get(path, "root")["agents"]}

    def _agree_on_agents(self) -> None:
        shown = self.api.get("/agents", "root")["agents"]
        for one in shown:
            assert self.agents.setdefault(one["id"], (one["host"], one["agent_type"])) == (
                one["host"],
                one["agent_type"],
            )
        assert {self.agents[one["id"]]: (one["alive"], one["admin_state_up"], one["description"]) for one in shown} == {
            (host, kind): (node.up, kind not in node.disabled, node.words.get(kind))
            for host, node in self.world.nodes.items()
            for kind in AGENT_TYPES
        }
        for one in shown:
            if one["agent_type"] == DHCP_AGENT:
                served = {network for network in self.world.networks if one["host"] in self.world.servers(network)}
                assert one["configurations"]["networks"] == len(served)
        if self.placed_all and self.world.able(DHCP_AGENT):
            waiting = [network for network in self.world.networks if "" in self.world.servers(network)]
            assert waiting == []

    def _agree_on_routers(self) -> None:
        """A router that is nowhere may come to a node with any change of it; what is somewhere stays."""
        able, there = self.world.able(L3_AGENT), {}
        for key, (host, kind) in self.agents.items():
            if kind == L3_AGENT and host in self.world.nodes:
                there |= {r["id"]: host for r in self.api.get(f"/agents/{key}/l3-routers", "root")["routers"]}
        for key, router in self.world.routers.items():
            now = there.pop(key, None)
            if router.host is None:
                assert now is None or now in able
            elif router.host == "":
                assert now in able if able else now is None
            else:
                assert now == router.host
            router.host = now
            assert now is not None or not (self.placed_all and able)
        assert there == {}
        for key, port in self.world.ports.items():
            if port.owner in (INTERFACE, GATEWAY):
                bound = self.seen["ports", key]["binding:host_id"]
                assert bound == (self.world.routers[port.device].host or ""), key
            elif port.owner == DHCP:
                assert self.seen["ports", key]["binding:host_id"] == port.host
