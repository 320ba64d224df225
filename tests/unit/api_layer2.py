"""Random calls about networks, who shares them, subnets and ports."""

from __future__ import annotations

import ipaddress
from typing import Any

import hypothesis.strategies as st
from api_machine import Machine, Wish, addresses_of, asker, index, match, writer
from api_model import ASKERS, DHCP, EVERYBODY, FORBIDDEN, INTERFACE, SERVICES, Network, Port, Refusals, Share, Subnet
from hypothesis.stateful import precondition, rule

INNER = ["10.0.0.0/29", "10.0.0.0/28", "10.0.1.0/30", "10.0.2.0/24", "fd00::/125"]
OUTER = ["203.0.113.0/29", "203.0.113.8/30", "203.0.112.0/23", "fd01::/64"]


class Layer2(Machine):
    """Every rule is one call."""

    # Networks.

    @rule(who=asker, external=st.booleans(), shared=st.booleans(), count=st.integers(1, 3))
    def create_networks(self, who: str, external: bool, shared: bool, count: int) -> None:
        asker, body = ASKERS[who], {"name": f"net-{who}"}
        wrong = set() if asker.writes else {FORBIDDEN}
        for name, wished in (("router:external", external), ("shared", shared)):
            if wished and (asker.admin or count == 1):
                body[name] = wished  # type: ignore[assignment]
                wrong |= set() if asker.admin else {FORBIDDEN}
        wrong |= self.world.over("network", asker.project, count)
        sent = {"networks": [body] * count} if count > 1 else {"network": body}
        answer = self._call("POST", "/networks", sent, who, wrong)
        for made in [] if answer is None else answer["networks"] if count > 1 else [answer["network"]]:
            self.world.networks[made["id"]] = Network(asker.project, made["name"], bool(body.get("router:external")))
            if "shared" in body:
                self._learn_shares(made["id"])

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, name=st.sampled_from(["a", "b"]), shared=st.none() | st.booleans(), matched=match)
    def update_network(self, who: str, at: int, name: str, shared: bool | None, matched: str) -> None:
        key, asker, body = self._pick("networks", at), ASKERS[who], {"name": name}
        wrong = self.world.unchangeable(asker, "networks", key)
        if shared is not None:
            body["shared"] = shared  # type: ignore[assignment]
            wrong |= set() if asker.admin or (404, "NetworkNotFound") in wrong else {FORBIDDEN}
            star = self._share_of(key, EVERYBODY)
            if not shared and star is not None and self.world.share_needed(star):
                wrong |= {(409, "InvalidSharedSetting")}
        answer = self._change("networks", key, body, who, wrong, matched=matched)
        if answer:
            self.world.networks[key].name = name
            if shared is not None:
                self._learn_shares(key)

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, matched=match)
    def delete_network(self, who: str, at: int, matched: str) -> None:
        key = self._pick("networks", at)
        wrong = self.world.unchangeable(ASKERS[who], "networks", key)
        if not wrong and self.world.holds_network(key):
            wrong = {(409, "NetworkInUse")}
        if self._remove("networks", key, who, wrong, matched=matched):
            self.world.drop_network(key)

    @precondition(lambda self: self.world.networks)
    @rule(who=writer, at=index, towards=st.sampled_from(["p-alice", "p-bob", EVERYBODY]))
    def share(self, who: str, at: int, towards: str) -> None:
        key, asker = self._pick("networks", at), ASKERS[who]
        wrong: Refusals = set()
        if key not in self.world.networks or not self.world.owns_network(asker, key):
            wrong |= {(400, "InvalidInput")}
        if towards == EVERYBODY and not asker.admin:
            wrong |= {FORBIDDEN}
        if self._share_of(key, towards) is not None:
            wrong |= {(409, "DuplicateRbacPolicy")}
        body = {"object_type": "network", "object_id": key, "action": "access_as_shared", "target_tenant": towards}
        answer = self._call("POST", "/rbac-policies", {"rbac_policy": body}, who, wrong)
        if answer:
            self.world.shares[answer["rbac_policy"]["id"]] = Share(asker.project, key, towards)

    @precondition(lambda self: self.world.shares)
    @rule(who=writer, at=index)
    def unshare(self, who: str, at: int) -> None:
        key = self._pick("shares", at)
        wrong = self.world.unchangeable(ASKERS[who], "shares", key)
        if not wrong and self.world.share_needed(key):
            wrong = {(409, "RbacPolicyInUse")}
        if self._call("DELETE", f"/rbac-policies/{key}", None, who, wrong) is not None:
            del self.world.shares[key]

    # Subnets.

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, block=index, gateway=st.sampled_from(["first", "last", "none", "in-pool"]))
    def create_subnet(self, who: str, at: int, block: int, gateway: str) -> None:
        key, asker = self._pick("networks", at), ASKERS[who]
        network = self.world.networks.get(key)
        cidrs = OUTER if network is not None and network.external else INNER
        cidr = ipaddress.ip_network(cidrs[block % len(cidrs)])
        hosts = [cidr.network_address + n for n in (1, 2, 3, cidr.num_addresses - 2)]
        wish: dict[str, Any] = {
            "first": {},
            "last": {"gateway_ip": str(hosts[3])},
            "none": {"gateway_ip": None, "enable_dhcp": False},
            "in-pool": {"gateway_ip": str(hosts[1]), "allocation_pools": [_pool(hosts[0], hosts[1])]},
        }[gateway]
        wrong = self.world.missing(asker, "networks", key)
        if not wrong:
            wrong |= set() if self.world.owns_network(asker, key) else {FORBIDDEN}
            if any(cidr.overlaps(s.block) for s in self.world.subnets_of(key).values() if s.version == cidr.version):
                wrong |= {(400, "InvalidInput")}
            wrong |= {(409, "GatewayConflictWithAllocationPools")} if gateway == "in-pool" else set()
        wrong |= self.world.over("subnet", asker.project) | (set() if asker.writes else {FORBIDDEN})
        body = {"network_id": key, "cidr": str(cidr), "ip_version": cidr.version, **wish}
        answer = self._call("POST", "/subnets", {"subnet": body}, who, wrong)
        if answer:
            made = answer["subnet"]
            pools = made["allocation_pools"]
            if gateway != "last" or len(pools) == 1:
                assert made["gateway_ip"] == wish.get("gateway_ip", str(hosts[0]))
            pool = (pools[0]["start"], pools[-1]["end"])
            subnet = Subnet(asker.project, key, str(cidr), made["gateway_ip"], pool, dhcp=gateway != "none")
            self.world.subnets[made["id"]] = subnet
            self._learn_gateways(key)

    @precondition(lambda self: self.world.subnets)
    @rule(who=asker, at=index, matched=match, gateway=st.sampled_from(["none", "first", "keep"]))
    def update_subnet(self, who: str, at: int, matched: str, gateway: str) -> None:
        key = self._pick("subnets", at)
        wrong = self.world.unchangeable(ASKERS[who], "subnets", key)
        body: dict[str, Any] = {"name": f"by-{who}", "description": gateway}
        subnet = self.world.subnets.get(key)
        if gateway != "keep" and subnet is not None:
            new = None if gateway == "none" else str(subnet.block.network_address + 1)
            body["gateway_ip"] = new
            if not wrong and new != subnet.gateway:
                held = {address for p in self.world.ports.values() if p.owner == INTERFACE for _, address in p.fixed}
                wrong |= {(409, "GatewayIpInUse")} if subnet.gateway in held & self.world.taken(key) else set()
                inside = new is not None and self.world.in_pool(key, new)
                wrong |= {(409, "GatewayConflictWithAllocationPools")} if inside else set()
        answer = self._change("subnets", key, body, who, wrong, matched=matched)
        if answer and subnet is not None:
            subnet.gateway = answer["subnet"]["gateway_ip"]
            assert "gateway_ip" not in body or body["gateway_ip"] == subnet.gateway

    @precondition(lambda self: self.world.subnets)
    @rule(who=asker, at=index, matched=match)
    def delete_subnet(self, who: str, at: int, matched: str) -> None:
        key = self._pick("subnets", at)
        wrong = self.world.unchangeable(ASKERS[who], "subnets", key)
        if not wrong and self.world.holds_subnet(key):
            wrong = {(409, "SubnetInUse")}
        if self._remove("subnets", key, who, wrong, matched=matched):
            del self.world.subnets[key]

    # Ports.

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, wish=st.tuples(st.sampled_from(["any", "none", "subnet", "address"]), index, index))
    def create_port(self, who: str, at: int, wish: Wish) -> None:
        key, asker = self._pick("networks", at), ASKERS[who]
        wrong = self.world.missing(asker, "networks", key)
        wrong |= self.world.over("port", asker.project) | (set() if asker.writes else {FORBIDDEN})
        body: dict[str, Any] = {"network_id": key, "device_owner": "compute:nova", "device_id": "vm"}
        if key in self.world.networks:
            body |= self._wish(asker, key, wish, wrong)
        answer = self._call("POST", "/ports", {"port": body}, who, wrong)
        if answer:
            made = answer["port"]
            self._learn_groups()
            port = Port(asker.project, key, addresses_of(made), made["device_owner"], made["device_id"])
            port.groups = {self._default_group(asker.project)}
            self._check_addresses(made, wish[0], None)
            self.world.ports[made["id"]] = port

    @precondition(lambda self: self.world.ports)
    @rule(
        who=asker,
        at=index,
        wish=st.tuples(st.sampled_from(["keep", "none", "subnet", "address"]), index, index),
        matched=match,
    )
    def update_port(self, who: str, at: int, wish: Wish, matched: str) -> None:
        key, asker = self._pick("ports", at), ASKERS[who]
        port = self.world.ports.get(key)
        if port is not None and port.owner in SERVICES | {DHCP}:
            wish = ("keep", 0, 0)
        wrong = self.world.unchangeable(asker, "ports", key)
        body: dict[str, Any] = {"name": "-".join(map(str, wish))}
        if port is not None and wish[0] != "keep":
            body |= self._wish(asker, port.network, wish, wrong, key)
        answer = self._change("ports", key, body, who, wrong, matched=matched)
        if answer and port is not None:
            if wish[0] != "keep":
                self._check_addresses(answer["port"], wish[0], key)
            port.fixed = addresses_of(answer["port"])
            self.world.let_go(key, {address for _, address in port.fixed})

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, group=index)
    def change_groups(self, who: str, at: int, group: int) -> None:
        key, asker = self._pick("ports", at), ASKERS[who]
        port, chosen = self.world.ports.get(key), self._pick("security_groups", group)
        if port is not None and port.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(asker, "ports", key)
        if port is not None and not wrong and port.groups != {chosen}:  # what it has already it may have
            wrong = self.world.missing(asker, "security_groups", chosen)
        answer = self._change("ports", key, {"security_groups": [chosen]}, who, wrong)
        if answer and port is not None:
            port.groups = {chosen}

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, matched=match)
    def delete_port(self, who: str, at: int, matched: str) -> None:
        key = self._pick("ports", at)
        wrong = self.world.unchangeable(ASKERS[who], "ports", key, delete=True)
        if not wrong and self.world.ports[key].owner in SERVICES:
            wrong = {(409, "ServicePortInUse")}
        if self._remove("ports", key, who, wrong, matched=matched):
            self.world.drop_port(key)


def _pool(first: object, last: object) -> dict[str, str]:
    return {"start": str(first), "end": str(last)}
