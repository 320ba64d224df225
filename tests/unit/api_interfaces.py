"""Random calls about routers' interfaces and extra routes."""

from __future__ import annotations

import ipaddress

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index
from api_records import ASKERS, INTERFACE
from hypothesis.stateful import precondition, rule

DESTINATIONS = ["10.7.0.0/16", "10.8.0.0/16", "fd77::/64"]


class Interfaces(Agreement):
    """Every rule is one call."""

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, sub=index)
    def add_subnet(self, who: str, at: int | str, sub: int | str) -> None:
        key, chosen, asker = self._pick("routers", at, who), self._pick("subnets", sub, who), ASKERS[who]
        subnet, own = self.world.subnets.get(chosen), None
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
            wrong |= self.world.unannounced([chosen])
            own = self.world.ipv6_interface(key, subnet.network) if subnet.version == 6 else None
            wrong |= self.world.over("port", self.world.routers[key].project) if own is None else set()
        path = f"/routers/{key}/add_router_interface"
        answer = self._call("PUT", path, {"subnet_id": chosen}, who, wrong)
        if answer and subnet is not None:
            fixed = (chosen, str(subnet.gateway))
            if own is not None:
                assert answer["port_id"] == own
                self.world.ports[own].fixed.add(fixed)
            else:
                shown = self.api.get(f"/ports/{answer['port_id']}", "root")["port"]
                made = self._learn_port(shown, self.world.routers[key].project, INTERFACE, key)
                assert made.fixed == {fixed}

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, number=index)
    def add_port(self, who: str, at: int, number: int) -> None:
        key, chosen, asker = self._pick("routers", at, who), self._pick("ports", number, who), ASKERS[who]
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
            if any(":" in cidr for cidr in blocks) and self.world.ipv6_interface(key, port.network):
                wrong |= {(400, "BadRequest")}
            wrong |= self.world.unannounced(where for where, _ in port.fixed)
        path = f"/routers/{key}/add_router_interface"
        answer = self._call("PUT", path, {"port_id": chosen}, who, wrong)
        if answer and port is not None:
            port.owner, port.device, port.groups = INTERFACE, key, set()

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, sub=index, by_port=st.booleans())
    def remove_interface(self, who: str, at: int, sub: int, by_port: bool) -> None:
        key, asker = self._pick("routers", at, who), ASKERS[who]
        wrong = self.world.unchangeable(asker, "routers", key)
        own = self.world.interfaces(key)
        if by_port:
            chosen = sorted(own)[sub % len(own)] if own else self._pick("ports", sub, who)
            body, found = {"port_id": chosen}, own.get(chosen)
            gone = set(found.fixed) if found else set()
            unknown = (404, "RouterInterfaceNotFound")
        else:
            subnets = sorted({where for port in own.values() for where, _ in port.fixed})
            chosen = subnets[sub % len(subnets)] if subnets else self._pick("subnets", sub, who)
            body = {"subnet_id": chosen}
            found = next((p for p in own.values() if any(where == chosen for where, _ in p.fixed)), None)
            gone = {(where, address) for where, address in found.fixed if where == chosen} if found else set()
            unknown = (404, "RouterInterfaceNotFoundForSubnet")
        if not wrong and found is None:
            wrong = {unknown, (404, "PortNotFound"), (404, "SubnetNotFound")}
        elif not wrong and any(self.world.floating_through(key, where) for where, _ in gone):
            wrong = {(409, "RouterInterfaceInUseByFloatingIP")}
        if not wrong:
            wrong = self.world.needed_by_route(key, {where for where, _ in gone})
        if self._call("PUT", f"/routers/{key}/remove_router_interface", body, who, wrong) and found is not None:
            found.fixed -= gone
            if not found.fixed:
                self.world.drop_port(next(k for k, p in own.items() if p is found))

    @precondition(lambda self: self.world.routers)
    @rule(
        who=asker,
        at=index,
        how=st.sampled_from(["set", "add", "add", "remove"]),
        wanted=st.lists(st.tuples(st.sampled_from(DESTINATIONS), index, index), max_size=2),
    )
    def change_routes(self, who: str, at: int, how: str, wanted: list[tuple[str, int, int]]) -> None:
        """All of them, or some more or less; next hops mostly on a subnet of the router."""
        key = self._pick("routers", at, who)
        wrong, router = self.world.unchangeable(ASKERS[who], "routers", key), self.world.routers.get(key)
        own = sorted(self.world.connections(key)) if router is not None else []
        routes = set()
        for destination, sub, host in wanted:
            subnet = self.world.subnets[own[sub % len(own)][0]] if own else None
            start = subnet.block.network_address if subnet is not None else ipaddress.ip_address("10.9.9.0")
            routes.add((destination, str(start + host)))
        if how == "remove" and router is not None and len(routes) == 1:
            routes |= router.routes
        had = router.routes if router is not None else set()
        after = {"set": routes, "add": had | routes, "remove": had - routes}[how]
        if not wrong and after != had:
            wrong = self.world.wrong_routes(after - had, own)
        body = {"router": {"routes": [{"destination": d, "nexthop": n} for d, n in sorted(routes)]}}
        path = f"/routers/{key}" + {"set": "", "add": "/add_extraroutes", "remove": "/remove_extraroutes"}[how]
        answer = self._call("PUT", path, body, who, wrong)
        if answer and router is not None:
            router.routes = after
