"""What the world is told of what came to be beside a call's answer: default groups, DHCP's ports, gateways' addresses.

It is not taken as it comes: what may be, and has to be, is asserted.
"""

from __future__ import annotations

from typing import Any

from api_machine import Machine, addresses_of
from api_records import DHCP, DHCP_AGENT, EVERYBODY, GATEWAY, SHARED_TYPES, Group, Node, Port, Rule, Share
from nebula_controller.api.context import internal
from southbound_world import node_report

Shown = list[dict[str, Any]]


class Learning(Machine):
    """The world follows the controller where the choice is the controller's."""

    def __init__(self) -> None:
        super().__init__()
        self.without: set[tuple[str, str]] = set()
        """DHCP servers' ports and subnets on which they got no address; one that is free later they may not have."""
        for who in ("alice", "bob", "root"):  # asking for groups makes the default one
            self.api.get("/security-groups", who)
        self._learn_groups()

    def serve(self, host: str = "n1") -> None:
        """A node comes up that serves DHCP and routes."""
        self.world.nodes.setdefault(host, Node()).up = True
        self.api.controller.southbound.registry.report(internal("test"), node_report(host, int(host[1:])))

    def _learn_port(self, shown: dict[str, Any], project: str, owner: str, device: str) -> Port:
        port = Port(project, shown["network_id"], addresses_of(shown), owner, device, mac=shown["mac_address"])
        self.world.ports[shown["id"]] = port
        return port

    def _take_gateway(self, key: str, network: str | None, how: str) -> None:
        if network is None:
            return
        shown = self.api.get(f"/ports?device_id={key}&device_owner={GATEWAY}", "root")["ports"][0]
        self._check_addresses(shown, how, None)
        self._learn_port(shown, "", GATEWAY, key)
        self.world.routers[key].gateway = network

    def _learn_gateways(self, subnet: str) -> None:
        """A new subnet gives an address to gateways that have none of its version, where there is room for it."""
        made = self.world.subnets[subnet]
        for key, port in self.world.ports.items():
            if port.network != made.network or port.owner != GATEWAY:
                continue
            had = [self.world.subnets[where] for where, _ in port.fixed]
            wants = not made.auto and not any(s.version == made.version and not s.auto for s in had)
            wants = wants and self.world.has_room(subnet) and not self.world.clashes(port.device, [made.cidr], key)
            shown = addresses_of(self.api.get(f"/ports/{key}", "root")["port"])
            assert shown >= port.fixed and [where for where, _ in shown - port.fixed] == [subnet] * wants, shown
            port.fixed = shown

    def _learn_shares(self, kind: str, key: str) -> None:
        """``shared`` of an object is a policy for everybody."""
        query = f"object_id={key}&action=access_as_shared&target_tenant=*"
        found = self.api.get(f"/rbac-policies?{query}", "root")["rbac_policies"]
        if (old := self.world.share_of(key, EVERYBODY)) is not None:
            del self.world.shares[old]
        for one in found:
            assert one["object_type"] == SHARED_TYPES[kind]
            self.world.shares[one["id"]] = Share(one["project_id"], kind, key, EVERYBODY)

    def _learn_dhcp(self, ports: Shown) -> None:
        """A network with DHCP on a subnet has one port of its server, with an address on each such subnet with room.

        Which addresses it has changes with the subnets; that is done within the call that changes them. A server stays
        on its node; one without waits for a node. Of those that were given to several nodes each has a port.
        """
        shown = [port for port in ports if port["device_owner"] == DHCP]
        before = {network: set(self.world.servers(network)) for network in self.world.networks}
        for key in [key for key, port in self.world.ports.items() if port.owner == DHCP]:
            del self.world.ports[key]
        for one in shown:
            project = self.world.networks[one["network_id"]].project
            assert one["project_id"] == project
            self._learn_port(one, project, DHCP, one["device_id"]).host = one["binding:host_id"]
            assert self.world.self_made(one["network_id"], one["mac_address"]) <= addresses_of(one)
        assert sum(len(self.world.servers(network)) for network in self.world.networks) == len(shown)
        lacking: set[tuple[str, str]] = set()
        for network in self.world.networks:
            lacking |= self._check_servers(network, before[network])
        self.given, self.without = None, lacking

    def _check_servers(self, network: str, before: set[str]) -> set[tuple[str, str]]:
        """``before``: nodes that served the network, "" for a server that waited. Returns who lacks which subnet."""
        servers, subnets = self.world.servers(network), self.world.dhcp_subnets(network)
        now, able = set(servers), self.world.able(DHCP_AGENT)
        full = not any(self.world.has_room(subnet) for subnet in subnets)
        chosen = [{host} for host in able]
        if self.given is not None and self.given[0] == network:
            assert now == before | {self.given[1]}
        elif not subnets:
            assert now == set()
        elif before - {""}:
            assert now == before
        elif before:
            assert now == before or now in chosen
        else:
            assert now in chosen or (now == set() and (full or not able)), (network, now)
        lacking = set()
        for port in servers.values():
            having = {where for where, _ in self.world.ports[port].fixed}
            assert having <= subnets, (network, having)
            lacking |= {(port, subnet) for subnet in subnets - having}
        assert not any(self.world.has_room(subnet) for _, subnet in lacking - self.without), lacking
        return lacking

    def _default_group(self, project: str) -> str:
        (found,) = [k for k, g in self.world.security_groups.items() if (g.project, g.name) == (project, "default")]
        return found

    def _learn_groups(self, project: str = "") -> None:
        """New groups (also a project's default one, whenever it is first needed) come with their own rules."""
        groups = self.api.get("/security-groups", "root")["security_groups"]
        self._learn_these_groups(groups, self.api.get("/security-group-rules", "root")["security_group_rules"], project)

    def _learn_these_groups(self, groups: Shown, rules: Shown, project: str = "") -> None:
        for one in groups:
            if one["id"] not in self.world.security_groups:
                assert one["name"] == "default" or one["project_id"] == project, one
                self.world.security_groups[one["id"]] = Group(one["project_id"], one["name"])
        for one in rules:
            if one["id"] not in self.world.security_group_rules:
                group, what = rule_of(one)
                made = Rule(one["project_id"], group, what, one["remote_group_id"], one["remote_address_group_id"])
                self.world.security_group_rules[one["id"]] = made


def rule_of(one: dict[str, Any]) -> tuple[str, tuple[object, ...]]:
    names = ("direction", "ethertype", "protocol", "port_range_min", "remote_group_id", "remote_address_group_id")
    return one["security_group_id"], tuple(one[name] for name in names)
