"""Random calls about floating IPs and their port forwardings."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import MISSING, asker, index, match
from api_records import ASKERS, FLOATING, FORBIDDEN, Floating, Forwarding, Refusals
from hypothesis.stateful import precondition, rule

Span = tuple[int, int]
span = st.sampled_from([(80, 80), (81, 81), (80, 82), (82, 84)])
protocol = st.sampled_from(["tcp", "tcp", "udp"])


class Floatings(Agreement):
    """Every rule is one call."""

    @rule(who=asker, at=index, number=st.none() | index)
    def create_floating(self, who: str, at: int | str, number: int | None) -> None:
        key, asker = self._external(at, who), ASKERS[who]
        wrong = self.world.missing(asker, "networks", key)
        wrong |= set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("floatingip", asker.project)
        body, port, named = {"floating_network_id": key}, None, self._named(who, number)
        if key in self.world.networks:
            versions = {subnet.version for subnet in self.world.subnets_of(key).values()}
            wrong |= set() if 4 in versions and self.world.networks[key].external else {(400, "BadRequest")}
            wrong |= self.world.no_room(key)
            body |= named
            port = named.get("port_id")
            if port is not None:
                draft = Floating(asker.project, key, "")
                wrong |= self.world.wrong_association(asker, draft, None, port, named.get("fixed_ip_address"))
        answer = self._call("POST", "/floatingips", {"floatingip": body}, who, wrong)
        if answer:
            made = answer["floatingip"]
            shown = self.api.get(f"/ports?device_id={made['id']}", "root")["ports"][0]
            self._check_addresses(shown, "any", None)
            self._learn_port(shown, "", FLOATING, made["id"])
            self.world.floatingips[made["id"]] = Floating(asker.project, key, made["floating_ip_address"])
            self._associate(made, port)

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index, number=st.none() | index, matched=match)
    def associate(self, who: str, at: int, number: int | None, matched: str) -> None:
        key, asker = self._pick("floatingips", at, who), ASKERS[who]
        named = self._named(who, number)
        port = named.get("port_id")
        wrong = self.world.unchangeable(asker, "floatingips", key)
        if not wrong and port is not None:
            floating, address = self.world.floatingips[key], named.get("fixed_ip_address")
            wrong = self.world.wrong_association(asker, floating, key, port, address)
        answer = self._change("floatingips", key, {"port_id": None, **named}, who, wrong, matched=matched)
        if answer:
            self._associate(answer["floatingip"], port)

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index, matched=match)
    def delete_floating(self, who: str, at: int, matched: str) -> None:
        key = self._pick("floatingips", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "floatingips", key)
        if not wrong and self.world.forwardings_of(key):
            wrong = {(409, "FipInUseByPortForwarding")}
        if self._remove("floatingips", key, who, wrong, matched=matched):
            self.world.drop_floating(key)

    def _named(self, who: str, number: int | None) -> dict[str, str]:
        """The port of a request, and every other time which of its IPv4 addresses, where there are several."""
        if number is None:
            return {}
        port = self._pick("ports", number, who)
        fixed = self._inner_addresses(port)
        several = len(fixed) > 1 and number % 2 == 0
        return {"port_id": port, **({"fixed_ip_address": fixed[number // 2 % len(fixed)]} if several else {})}

    def _associate(self, made: dict[str, Any], port: str | None) -> None:
        floating = self.world.floatingips[made["id"]]
        if port is None:
            if floating.port is not None:
                floating.port = floating.fixed = floating.router = None
            return
        address = made["fixed_ip_address"]
        (where,) = [each for each, fixed in self.world.ports[port].fixed if fixed == address]
        assert made["port_id"] == port
        assert made["router_id"] in self.world.routers_between(where, floating.network)
        floating.port, floating.fixed, floating.router = port, address, made["router_id"]

    # Port forwardings.

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index, number=index, protocol=protocol, outer=span, inner=span)
    def create_forwarding(
        self,
        who: str,
        at: int | str,
        number: int | str,
        *,
        protocol: str,
        outer: Span,
        inner: Span,
    ) -> None:
        key, port, asker = self._pick("floatingips", at, who), self._pick("ports", number, who), ASKERS[who]
        wished = Forwarding(self._owner(key), key, port, self._inner_address(port), protocol, outer, inner)
        wrong = self.world.unchangeable(asker, "floatingips", key)
        if not wrong:
            wrong = self.world.wrong_forwarding(asker, wished, None)
            if self.world.floatingips[key].port is not None:
                wrong |= {(409, "FloatingIPPortAlreadyAssociated")}
        body = {"protocol": protocol, "internal_port_id": port, **_numbers(outer, inner)}
        body |= {"internal_ip_address": wished.address} if len(self._inner_addresses(port)) > 1 else {}
        path = f"/floatingips/{key}/port_forwardings"
        answer = self._call("POST", path, {"port_forwarding": body}, who, wrong)
        if answer:
            made = answer["port_forwarding"]
            assert made["internal_ip_address"] == wished.address
            self.world.forwardings[made["id"]] = wished
            self._join_router(key)

    @precondition(lambda self: self.world.forwardings)
    @rule(who=asker, at=index, number=st.none() | index, protocol=st.none() | protocol, outer=span, inner=span)
    def change_forwarding(
        self,
        who: str,
        at: int,
        number: int | None,
        *,
        protocol: str | None,
        outer: Span,
        inner: Span,
    ) -> None:
        key, asker = self._pick("forwardings", at, who), ASKERS[who]
        old = self.world.forwardings.get(key)
        above, port = (MISSING, MISSING) if old is None else (old.floating, old.port)
        wrong = self._wrong_owner(who, above, key)
        body: dict[str, Any] = _numbers(outer, inner) | ({} if protocol is None else {"protocol": protocol})
        if number is not None:
            port = body["internal_port_id"] = self._pick("ports", number, who)
        address = old.address if old is not None and port == old.port else self._inner_address(port)
        body |= {"internal_ip_address": address} if len(self._inner_addresses(port)) > 1 else {}
        known = protocol or (old.protocol if old is not None else "tcp")
        wished = Forwarding(self._owner(above), above, port, address, known, outer, inner)
        if not wrong:
            wrong = self.world.wrong_forwarding(asker, wished, key)
        path = f"/floatingips/{above}/port_forwardings/{key}"
        answer = self._call("PUT", path, {"port_forwarding": body}, who, wrong)
        if answer:
            self.world.forwardings[key] = wished

    @precondition(lambda self: self.world.forwardings)
    @rule(who=asker, at=index, elsewhere=index)
    def delete_forwarding(self, who: str, at: int, elsewhere: int) -> None:
        """Mostly of its floating IP, also of another."""
        key = self._pick("forwardings", at, who)
        old = self.world.forwardings.get(key)
        right = old.floating if old is not None else MISSING
        above = right if elsewhere else self._pick("floatingips", at, who)
        wrong = self._wrong_owner(who, above, key)
        path = f"/floatingips/{above}/port_forwardings/{key}"
        if self._call("DELETE", path, None, who, wrong) is not None:
            self.world.drop_forwarding(key)

    @precondition(lambda self: self.world.floatingips)
    @rule(who=asker, at=index)
    def list_forwardings(self, who: str, at: int) -> None:
        key = self._pick("floatingips", at, who)
        missing = self.world.missing(ASKERS[who], "floatingips", key)
        answer = self._call("GET", f"/floatingips/{key}/port_forwardings", None, who, missing)
        if answer:
            own = self.world.forwardings_of(key)
            shown = {
                one["id"]: (
                    one["internal_port_id"],
                    one["internal_ip_address"],
                    one["protocol"],
                    one["external_port_range"],
                    one["internal_port_range"],
                )
                for one in answer["port_forwardings"]
            }
            assert shown == {
                k: (f.port, f.address, f.protocol, "{}:{}".format(*f.outer), "{}:{}".format(*f.inner))
                for k, f in own.items()
            }

    def _wrong_owner(self, who: str, above: str, key: str) -> Refusals:
        wrong = self.world.unchangeable(ASKERS[who], "floatingips", above)
        if wrong != {(404, "FloatingIPNotFound")} and key not in self.world.forwardings_of(above):
            return {(404, "PortForwardingNotFound")}
        return wrong

    def _owner(self, key: str) -> str:
        return self.world.floatingips[key].project if key in self.world.floatingips else ""

    def _inner_addresses(self, port: str) -> list[str]:
        found = self.world.ports.get(port)
        return sorted(address for _, address in found.fixed if ":" not in address) if found else []

    def _inner_address(self, port: str) -> str:
        """One of the port's IPv4 addresses; "" where it has none."""
        return next(iter(self._inner_addresses(port)), "")

    def _join_router(self, key: str) -> None:
        """With its first forwarding a floating IP is on a router."""
        floating = self.world.floatingips[key]
        router = self.api.get(f"/floatingips/{key}", "root")["floatingip"]["router_id"]
        assert floating.router in (None, router)
        (where, *_rest) = [
            {subnet for subnet, address in self.world.ports[each.port].fixed if address == each.address}
            for each in self.world.forwardings_of(key).values()
        ]
        assert router in self.world.routers_between(where.pop(), floating.network)
        floating.router = router


def _numbers(outer: Span, inner: Span) -> dict[str, Any]:
    """Alone where it is one, else as a range."""
    found: dict[str, Any] = {}
    for side, (first, last) in (("external", outer), ("internal", inner)):
        found |= {f"{side}_port": first} if first == last else {f"{side}_port_range": f"{first}:{last}"}
    return found
