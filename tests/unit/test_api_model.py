"""Random calls of several projects against the controller and against ``api_model``: both agree on every answer.

``make model RUNS=1000`` (or ``NEBULA_MODEL_RUNS``) says how many sequences; each starts with an empty database.
"""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
from api_layer2 import Layer2
from api_machine import KINDS, addresses_of, asker, index, match
from api_model import ASKERS, DHCP, FLOATING, FORBIDDEN, INTERFACE, SERVICES, Floating, Port, Refusals, Router
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, precondition, rule

RUNS = int(os.environ.get("NEBULA_MODEL_RUNS", "25"))
STEPS = 40


class NetworkApi(Layer2):
    """All calls."""

    @initialize(outer=st.integers(0, 2), inner=st.integers(0, 2), also_bob=st.booleans(), served=st.booleans())
    def begin(self, outer: int, inner: int, also_bob: bool, served: bool) -> None:
        """A way out and a network behind a router, so that most calls have something to be about; maybe a node."""
        if served:
            self.serve()
        self.create_networks("root", external=True, shared=False, count=1)
        self.create_subnet("root", 0, outer, "first")
        self.agree()
        for who in ("alice", "bob") if also_bob else ("alice",):
            self.create_networks(who, external=False, shared=False, count=1)
            at = len(self.world.networks) - 1
            self.create_subnet(who, at, inner, "first")
            self.agree()
            self.create_router(who, gateway=True, at=0)
            self.agree()
            self.add_subnet(who, len(self.world.routers) - 1, len(self.world.subnets) - 1)
            self.agree()
            self.create_port(who, at, ("any", 0, 0))

    # Routers.

    @rule(who=asker, gateway=st.booleans(), at=index)
    def create_router(self, who: str, gateway: bool, at: int) -> None:
        asker, body = ASKERS[who], {"name": f"router-{who}"}
        wrong = set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("router", asker.project)
        network = self._external(at) if gateway else None
        if network is not None:
            body["external_gateway_info"] = {"network_id": network}  # type: ignore[assignment]
            wrong |= self._wrong_gateway(asker, network)
        answer = self._call("POST", "/routers", {"router": body}, who, wrong)
        if answer:
            key = answer["router"]["id"]
            self.world.routers[key] = Router(asker.project)
            self._take_gateway(key, network)

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, network=index, clear=st.booleans(), matched=match)
    def set_gateway(self, who: str, at: int, network: int, clear: bool, matched: str) -> None:
        key, asker = self._pick("routers", at), ASKERS[who]
        wrong = self.world.unchangeable(asker, "routers", key)
        chosen = None if clear else self._external(network)
        router = self.world.routers.get(key)
        ways: Refusals = set()
        if router is not None and not wrong:
            if chosen is not None and chosen != router.gateway:
                wrong |= self._wrong_gateway(asker, chosen)
                if chosen in self.world.networks:
                    blocks = {s.cidr for s in self.world.subnets_of(chosen).values()}
                    old = self.world.gateway_port(key)
                    if self.world.clashes(key, blocks, old):  # which of the subnets it gets is not ours to say
                        ways |= {(400, "BadRequest")}
            if chosen != router.gateway and self.world.floating_through(key):
                wrong |= {(409, "RouterExternalGatewayInUseByFloatingIp")}
        info = None if chosen is None else {"network_id": chosen}
        answer = self._change("routers", key, {"external_gateway_info": info}, who, wrong, matched=matched, ways=ways)
        if answer and router is not None and chosen != router.gateway:
            old = self.world.gateway_port(key)
            if old is not None:
                self.world.drop_port(old)
            router.gateway = None
            self._take_gateway(key, chosen)

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, sub=index)
    def add_subnet(self, who: str, at: int, sub: int) -> None:
        key, chosen, asker = self._pick("routers", at), self._pick("subnets", sub), ASKERS[who]
        subnet = self.world.subnets.get(chosen)
        if subnet is not None and subnet.version == 6:
            return
        wrong = self.world.unchangeable(asker, "routers", key)
        if not wrong:
            wrong = self.world.missing(asker, "subnets", chosen)
        if not wrong and subnet is not None:
            if self.world.clashes(key, [subnet.cidr]):
                wrong |= {(400, "BadRequest")}
            if subnet.gateway is None:
                wrong |= {(400, "BadRequest")}
            elif subnet.gateway in self.world.taken(chosen):
                wrong |= {(409, "IpAddressAlreadyAllocated")}
            wrong |= self.world.over("port", self.world.routers[key].project)
        path = f"/routers/{key}/add_router_interface"
        answer = self._call("PUT", path, {"subnet_id": chosen}, who, wrong)
        if answer and subnet is not None:
            fixed = {(chosen, str(subnet.gateway))}
            port = Port(self.world.routers[key].project, subnet.network, fixed, INTERFACE, key)
            self.world.ports[answer["port_id"]] = port

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, number=index)
    def add_port(self, who: str, at: int, number: int) -> None:
        key, chosen, asker = self._pick("routers", at), self._pick("ports", number), ASKERS[who]
        port = self.world.ports.get(chosen)
        wrong = self.world.unchangeable(asker, "routers", key)
        if not wrong and (port is None or not (asker.admin or port.project == asker.project)):
            wrong = {(404, "PortNotFound")}
        if not wrong and port is not None:
            blocks = [self.world.subnets[where].cidr for where, _ in port.fixed]
            if port.device:
                wrong |= {(409, "PortInUse")}
            if not blocks or sum("." in cidr for cidr in blocks) > 1:
                wrong |= {(400, "BadRequest")}
            if self.world.clashes(key, blocks):
                wrong |= {(400, "BadRequest")}
        path = f"/routers/{key}/add_router_interface"
        answer = self._call("PUT", path, {"port_id": chosen}, who, wrong)
        if answer and port is not None:
            port.owner, port.device, port.groups = INTERFACE, key, set()

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, number=index)
    def free_port(self, who: str, at: int, number: int) -> None:
        """A port without a device, for routers."""
        key = self._pick("ports", number)
        port = self.world.ports.get(key)
        if port is None or port.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(ASKERS[who], "ports", key)
        body = {"device_id": "", "device_owner": ""}
        if self._change("ports", key, body, who, wrong):
            port.owner, port.device = "", ""

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, sub=index, by_port=st.booleans())
    def remove_interface(self, who: str, at: int, sub: int, by_port: bool) -> None:
        key, asker = self._pick("routers", at), ASKERS[who]
        wrong = self.world.unchangeable(asker, "routers", key)
        own = self.world.interfaces(key)
        if by_port:
            chosen = sorted(own)[sub % len(own)] if own else self._pick("ports", sub)
            body, found = {"port_id": chosen}, own.get(chosen)
            gone = set(found.fixed) if found else set()
            unknown = (404, "RouterInterfaceNotFound")
        else:
            subnets = sorted({where for port in own.values() for where, _ in port.fixed})
            chosen = subnets[sub % len(subnets)] if subnets else self._pick("subnets", sub)
            body = {"subnet_id": chosen}
            found = next((p for p in own.values() if any(where == chosen for where, _ in p.fixed)), None)
            gone = {(where, address) for where, address in found.fixed if where == chosen} if found else set()
            unknown = (404, "RouterInterfaceNotFoundForSubnet")
        if not wrong and found is None:
            wrong = {unknown, (404, "PortNotFound"), (404, "SubnetNotFound")}
        elif not wrong and any(self.world.floating_through(key, where) for where, _ in gone):
            wrong = {(409, "RouterInterfaceInUseByFloatingIP")}
        if self._call("PUT", f"/routers/{key}/remove_router_interface", body, who, wrong) and found is not None:
            found.fixed -= gone
            if not found.fixed:
                self.world.drop_port(next(k for k, p in own.items() if p is found))

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, matched=match)
    def delete_router(self, who: str, at: int, matched: str) -> None:
        key = self._pick("routers", at)
        wrong = self.world.unchangeable(ASKERS[who], "routers", key)
        if not wrong and self.world.interfaces(key):
            wrong = {(409, "RouterInUse")}
        if self._remove("routers", key, who, wrong, matched=matched):
            gateway = self.world.gateway_port(key)
            if gateway is not None:
                self.world.drop_port(gateway)
            del self.world.routers[key]

    # Floating IPs.

    @rule(who=asker, at=index, number=st.none() | index)
    def create_floating(self, who: str, at: int, number: int | None) -> None:
        key, asker = self._external(at), ASKERS[who]
        wrong = self.world.missing(asker, "networks", key)
        wrong |= set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("floatingip", asker.project)
        body = {"floating_network_id": key}
        if key in self.world.networks:
            versions = {subnet.version for subnet in self.world.subnets_of(key).values()}
            wrong |= set() if 4 in versions and self.world.networks[key].external else {(400, "BadRequest")}
            wrong |= self.world.no_room(key)
            if number is not None:
                body["port_id"] = self._pick("ports", number)
                draft = Floating(asker.project, key, "")
                wrong |= self.world.wrong_association(asker, draft, None, body["port_id"])
        answer = self._call("POST", "/floatingips", {"floatingip": body}, who, wrong)
        if answer:
            made = answer["floatingip"]
            shown = self.api.get(f"/ports?device_id={made['id']}", "root")["ports"][0]
            self._check_addresses(shown, "any", None)
            self.world.ports[shown["id"]] = Port("", key, addresses_of(shown), FLOATING, made["id"])
            self.world.floatingips[made["id"]] = Floating(asker.project, key, made["floating_ip_address"])
            self._associate(made, body.get("port_id"))

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index, number=st.none() | index, matched=match)
    def associate(self, who: str, at: int, number: int | None, matched: str) -> None:
        key, asker = self._pick("floatingips", at), ASKERS[who]
        port = None if number is None else self._pick("ports", number)
        wrong = self.world.unchangeable(asker, "floatingips", key)
        if not wrong and port is not None:
            wrong = self.world.wrong_association(asker, self.world.floatingips[key], key, port)
        answer = self._change("floatingips", key, {"port_id": port}, who, wrong, matched=matched)
        if answer:
            self._associate(answer["floatingip"], port)

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index, matched=match)
    def delete_floating(self, who: str, at: int, matched: str) -> None:
        key = self._pick("floatingips", at)
        wrong = self.world.unchangeable(ASKERS[who], "floatingips", key)
        if self._remove("floatingips", key, who, wrong, matched=matched):
            self.world.drop_floating(key)

    # Security groups.

    @rule(who=asker, name=st.sampled_from(["web", "web", "default"]))
    def create_group(self, who: str, name: str) -> None:
        asker = ASKERS[who]
        wrong = set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("security_group", asker.project)
        wrong |= {(409, "SecurityGroupDefaultAlreadyExists")} if name == "default" else set()
        if self._call("POST", "/security-groups", {"security_group": {"name": name}}, who, wrong):
            self._learn_groups(asker.project)

    @rule(who=asker, at=index, name=st.sampled_from(["a", "b", "default"]), matched=match)
    def rename_group(self, who: str, at: int, name: str, matched: str) -> None:
        key = self._pick("security_groups", at)
        wrong = self.world.unchangeable(ASKERS[who], "security_groups", key)
        if not wrong:
            old = self.world.security_groups[key].name
            wrong |= {(409, "SecurityGroupCannotUpdateDefault")} if old == "default" and name != old else set()
            wrong |= {(409, "SecurityGroupDefaultAlreadyExists")} if old != "default" and name == "default" else set()
        if self._change("security_groups", key, {"name": name}, who, wrong, matched=matched):
            self.world.security_groups[key].name = name

    @rule(who=asker, at=index, matched=match)
    def delete_group(self, who: str, at: int, matched: str) -> None:
        key, asker = self._pick("security_groups", at), ASKERS[who]
        wrong = self.world.unchangeable(asker, "security_groups", key)
        if not wrong:
            used = any(key in port.groups for port in self.world.ports.values())
            wrong |= {(409, "SecurityGroupInUse")} if used else set()
            if self.world.security_groups[key].name == "default" and not asker.admin:
                wrong |= {(409, "SecurityGroupCannotRemoveDefault")}
        if self._remove("security_groups", key, who, wrong, matched=matched):
            self.world.drop_group(key)

    @rule(
        who=asker,
        at=index,
        direction=st.sampled_from(["ingress", "egress"]),
        remote=st.none() | index,
        port=st.none() | index,
    )
    def create_rule(self, who: str, at: int, direction: str, remote: int | None, port: int | None) -> None:
        key, asker = self._pick("security_groups", at), ASKERS[who]
        wrong = self.world.missing(asker, "security_groups", key) | (set() if asker.writes else {FORBIDDEN})
        if not wrong:
            wrong |= set() if self._owns_group(asker, key) else {FORBIDDEN}
        wrong |= self.world.over("security_group_rule", asker.project)
        body: dict[str, Any] = {"security_group_id": key, "direction": direction}
        other = None if remote is None else self._pick("security_groups", remote)
        if other is not None:
            body["remote_group_id"] = other
            wrong |= self.world.missing(asker, "security_groups", other)
        if port is not None:
            body |= {"protocol": "tcp", "port_range_min": port + 1, "port_range_max": port + 1}
        what = (direction, "IPv4", body.get("protocol"), body.get("port_range_min"), other)
        if any(r.group == key and r.what == what for r in self.world.security_group_rules.values()):
            wrong |= {(409, "SecurityGroupRuleExists")}
        if self._call("POST", "/security-group-rules", {"security_group_rule": body}, who, wrong):
            self._learn_groups()

    @rule(who=asker, at=st.integers(0, 20))
    def delete_rule(self, who: str, at: int) -> None:
        key, asker = self._pick("security_group_rules", at), ASKERS[who]
        wrong = self.world.missing(asker, "security_group_rules", key)
        if not wrong and not asker.writes:
            wrong = {FORBIDDEN}
        if self._remove("security_group_rules", key, who, wrong):
            del self.world.security_group_rules[key]

    # Beside.

    @rule(
        who=asker,
        project=st.sampled_from(["p-alice", "p-bob"]),
        what=st.sampled_from(["network", "subnet", "port", "router", "floatingip", "security_group"]),
        limit=st.integers(-1, 4),
    )
    def limit(self, who: str, project: str, what: str, limit: int) -> None:
        wrong = set() if ASKERS[who].admin else {FORBIDDEN}
        if self._call("PUT", f"/quotas/{project}", {"quota": {what: limit}}, who, wrong):
            self.world.limits[project, what] = limit

    @rule(who=asker, kind=st.sampled_from(["networks", "subnets", "ports", "routers", "floatingips"]), at=index)
    def tag(self, who: str, kind: str, at: int) -> None:
        key = self._pick(kind, at)
        wrong = self.world.unchangeable(ASKERS[who], kind, key)
        self._call("PUT", f"/{kind}/{key}/tags", {"tags": [who]}, who, wrong)

    @rule(who=asker)
    def look(self, who: str) -> None:
        """Lists hold what the asker sees; the others' objects are not there by id either."""
        asker = ASKERS[who]
        for kind in KINDS:
            things = getattr(self.world, kind)
            if kind == "security_groups":
                self._learn_groups()
            listed = {one["id"] for one in self.api.get(f"/{kind.replace('_', '-')}?fields=id", who)[kind]}
            if kind == "security_groups":
                self._learn_groups()
            assert listed == {key for key in things if self.world.sees(asker, kind, key)}, (kind, who)
            for key in list(things)[:4]:
                answer = self.api.call("GET", f"/{kind.replace('_', '-')}/{key}", token=who)
                assert answer.status == (200 if key in listed else 404), (kind, answer.raw)
        for key, network in self.world.networks.items():
            if self.world.sees(asker, "networks", key):
                shown = self.api.get(f"/networks/{key}", who)["network"]
                assert shown["shared"] == self.world.granted(key, asker.project)
                assert (shown["router:external"], shown["project_id"]) == (network.external, network.project)


TestNetworkApi = NetworkApi.TestCase
TestNetworkApi.settings = settings(
    max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
