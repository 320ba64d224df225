"""Of the model of the network API: routers' subnets and routes, what leads through them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from api_records import FLOATING, GATEWAY, INTERFACE, Asker, Floating, Forwarding, Port, Refusals
from api_world_addresses import Addresses


class Routing(Addresses):
    """Interfaces, gateways, extra routes, floating IPs and port forwardings."""

    def interfaces(self, router: str) -> dict[str, Port]:
        return {k: p for k, p in self.ports.items() if p.owner == INTERFACE and p.device == router}

    def gateway_port(self, router: str) -> str | None:
        return next((k for k, p in self.ports.items() if p.owner == GATEWAY and p.device == router), None)

    def connections(self, router: str, but: str | None = None) -> set[tuple[str, str]]:
        """Subnets and addresses of the router's ports, the gateway's too; ``but``: without this port's."""
        own = self.interfaces(router)
        if (gateway := self.gateway_port(router)) is not None:
            own[gateway] = self.ports[gateway]
        return {fixed for key, port in own.items() if key != but for fixed in port.fixed}

    def clashes(self, router: str, cidrs: Iterable[str], but: str | None = None) -> bool:
        """A block overlaps one that the router is on."""
        have = [self.subnets[where].block for where, _ in self.connections(router, but)]
        return any(
            block.version == other.version and block.overlaps(other)
            for block in map(ipaddress.ip_network, cidrs)
            for other in have
        )

    def ipv6_interface(self, router: str, network: str) -> str | None:
        """A router has one interface with IPv6 addresses on a network."""
        own = self.interfaces(router).items()
        return next((k for k, p in own if p.network == network and any(":" in a for _, a in p.fixed)), None)

    def unannounced(self, subnets: Iterable[str]) -> Refusals:
        """A subnet whose hosts follow another router's announcements has no router here."""
        found = [self.subnets[key] for key in subnets]
        return {(400, "BadRequest")} if any(s.address_mode and not s.ra_mode for s in found) else set()

    def wrong_routes(self, routes: Iterable[tuple[str, str]], connections: Iterable[tuple[str, str]]) -> Refusals:
        """Next hops are neighbours of a router that has these subnets and addresses."""
        connections = set(connections)
        blocks = [self.subnets[where].block for where, _ in connections]
        for destination, nexthop in routes:
            hop = ipaddress.ip_address(nexthop)
            known = any(hop in block for block in blocks) and nexthop not in {address for _, address in connections}
            if not known or ipaddress.ip_network(destination).version != hop.version:
                return {(400, "InvalidRoutes")}
        return set()

    def needed_by_route(self, router: str, leaving: Iterable[str]) -> Refusals:
        """A subnet that a next hop is on stays."""
        blocks = [self.subnets[key].block for key in leaving]
        hops = [ipaddress.ip_address(hop) for _, hop in self.routers[router].routes]
        needed = any(hop in block for hop in hops for block in blocks)
        return {(409, "RouterInterfaceInUseByRoute")} if needed else set()

    # What leads inside.

    def routers_between(self, subnet: str, external: str) -> set[str]:
        """Those with an interface on the one and their gateway on the other."""
        return {
            key
            for key, router in self.routers.items()
            if router.gateway == external
            and any(where == subnet for port in self.interfaces(key).values() for where, _ in port.fixed)
        }

    def forwardings_of(self, floating: str) -> dict[str, Forwarding]:
        return {key: each for key, each in self.forwardings.items() if each.floating == floating}

    def floating_through(self, router: str, subnet: str | None = None) -> bool:
        """A floating IP or one of its forwardings needs the router (for a port on the subnet)."""
        for key, floating in self.floatingips.items():
            inner = {(each.port, each.address) for each in self.forwardings_of(key).values()}
            if floating.port is not None:
                inner.add((floating.port, str(floating.fixed)))
            fixed = {where for port, led in inner for where, address in self.ports[port].fixed if address == led}
            if floating.router == router and inner and (subnet is None or subnet in fixed):
                return True
        return False

    def wrong_association(
        self, asker: Asker, floating: Floating, key: str | None, port: str, address: str | None
    ) -> Refusals:
        """What is wrong with a floating IP that is to lead to a port; ``key``: its id, None for a new one.

        Of several addresses of the port one has to be named.
        """
        found = self.missing(asker, "ports", port)
        if key is not None and self.forwardings_of(key):
            found |= {(409, "FipInUseByPortForwarding")}
        if found:
            return found
        inner = self.ports[port]
        fixed = [(where, each) for where, each in inner.fixed if ":" not in each and address in (None, each)]
        if len(fixed) != 1 or (inner.project != floating.project and not asker.admin):
            return {(400, "BadRequest")}
        if not self.routers_between(fixed[0][0], floating.network):
            return {(404, "ExternalGatewayForFloatingIPNotFound")}
        for other, each in self.floatingips.items():
            same = (each.port, each.fixed, each.network) == (port, fixed[0][1], floating.network)
            if same and other != key:
                return {(409, "FloatingIPPortAlreadyAssociated")}
        return set()

    def wrong_forwarding(self, asker: Asker, wished: Forwarding, key: str | None) -> Refusals:
        """What is wrong with a forwarding of a floating IP; ``key``: its id, None for a new one."""
        found = self.missing(asker, "ports", wished.port)
        if found:
            return found
        floating, wrong = self.floatingips[wished.floating], (400, "BadRequest")
        where = [subnet for subnet, address in self.ports[wished.port].fixed if address == wished.address]
        routers = self.routers_between(where[0], floating.network) if where else set()
        if not routers or (floating.router is not None and floating.router not in routers):
            return {wrong}
        if _size(wished.inner) not in (1, _size(wished.outer)):
            return {wrong}
        for other, each in self.forwardings_of(wished.floating).items():
            if other == key or each.protocol != wished.protocol:
                continue
            if _overlap(each.outer, wished.outer):
                return {wrong}
            if each.address == wished.address and _overlap(each.inner, wished.inner):
                return {wrong}
        return set()

    # What goes with what.

    def drop_port(self, key: str) -> None:
        del self.ports[key]
        self.let_go(key, set())

    def let_go(self, port: str, left: set[str]) -> None:
        """Floating IPs and forwardings lead to no address that the port has not."""
        for floating in self.floatingips.values():
            if floating.port == port and floating.fixed not in left:
                floating.port = floating.fixed = floating.router = None
        for key, each in list(self.forwardings.items()):
            if each.port == port and each.address not in left:
                self.drop_forwarding(key)

    def drop_forwarding(self, key: str) -> None:
        """With its last one a floating IP is on no router."""
        floating = self.forwardings.pop(key).floating
        if not self.forwardings_of(floating):
            self.floatingips[floating].router = None

    def floating_port(self, key: str) -> str:
        return next(k for k, p in self.ports.items() if p.owner == FLOATING and p.device == key)

    def drop_floating(self, key: str) -> None:
        del self.ports[self.floating_port(key)]
        del self.floatingips[key]


def _size(numbers: tuple[int, int]) -> int:
    return numbers[1] - numbers[0] + 1


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
