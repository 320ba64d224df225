"""Random calls about routers and their gateways."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import Wish, asker, index, match
from api_records import ASKERS, FORBIDDEN, Asker, Refusals, Router
from hypothesis.stateful import precondition, rule

wish = st.tuples(st.sampled_from(["any", "any", "any", "subnet", "address"]), index, index)


class Routers(Agreement):
    """Every rule is one call."""

    @rule(who=asker, gateway=st.booleans(), at=index, wish=wish)
    def create_router(self, who: str, gateway: bool, at: int | str, wish: Wish) -> None:
        asker, body = ASKERS[who], {"name": f"router-{who}"}
        wrong = set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("router", asker.project)
        network = self._external(at, who) if gateway else None
        if network is not None:
            info = {"network_id": network, **self._wished(asker, network, wish, wrong, None)}
            body["external_gateway_info"] = info  # type: ignore[assignment]
        answer = self._call("POST", "/routers", {"router": body}, who, wrong)
        if answer:
            key = answer["router"]["id"]
            self.world.routers[key] = Router(asker.project)
            self._take_gateway(key, network, wish[0])

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, network=index, clear=st.booleans(), matched=match, wish=wish, snat=st.integers(0, 4))
    def set_gateway(self, who: str, at: int, network: int, *, clear: bool, matched: str, wish: Wish, snat: int) -> None:
        """``snat`` 0 and 1: off and on; else the request does not say."""
        key, asker = self._pick("routers", at, who), ASKERS[who]
        wrong = self.world.unchangeable(asker, "routers", key)
        chosen = None if clear else self._external(network, who)
        router = self.world.routers.get(key)
        ways: Refusals = set()
        if router is None or wrong:
            info = None if chosen is None else {"network_id": chosen}
            self._change("routers", key, {"external_gateway_info": info}, who, wrong, matched=matched)
            return
        old = self.world.gateway_port(key)
        same = chosen == router.gateway
        info = None
        if chosen is not None:
            info = {"network_id": chosen, **self._wished(asker, chosen, wish, wrong, old if same else None)}
            if snat < 2:
                info["enable_snat"] = bool(snat)
                wrong |= set() if asker.admin else {FORBIDDEN}
            blocks = {s.cidr for s in self.world.subnets_of(chosen).values()}
            if self.world.clashes(key, blocks, old):  # which of the subnets it gets is not ours to say
                ways |= {(400, "BadRequest")}
        if not same and self.world.floating_through(key):
            wrong |= {(409, "RouterExternalGatewayInUseByFloatingIp")}
        answer = self._change("routers", key, {"external_gateway_info": info}, who, wrong, matched=matched, ways=ways)
        if not answer:
            return
        router.snat = True if info is None else bool(info.get("enable_snat", True))
        if not same:
            if old is not None:
                self.world.drop_port(old)
            router.gateway, router.qos = None, None
            self._take_gateway(key, chosen, wish[0])
        elif old is not None:
            shown = self.api.get(f"/ports/{old}", "root")["port"]
            if "external_fixed_ips" in (info or {}):
                self._check_addresses(shown, wish[0], old)
            self.world.ports[old].fixed = {(one["subnet_id"], one["ip_address"]) for one in shown["fixed_ips"]}

    def _wished(self, asker: Asker, network: str, wish: Wish, wrong: Refusals, port: str | None) -> dict[str, Any]:
        """What a request says of the gateway's addresses (an administrator's); ``port``: the gateway there."""
        found = self.world.missing(asker, "networks", network)
        if not found and not self.world.networks[network].external:
            found = {(400, "BadRequest")}
        wrong |= found
        if network not in self.world.networks:
            return {}
        fixed = self._wish(asker, network, wish, wrong, port)
        wrong |= set() if fixed is None or asker.admin else {FORBIDDEN}
        return {} if fixed is None else {"external_fixed_ips": fixed}

    @precondition(lambda self: self.world.routers)
    @rule(who=asker, at=index, matched=match)
    def delete_router(self, who: str, at: int, matched: str) -> None:
        key = self._pick("routers", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "routers", key)
        if not wrong and self.world.interfaces(key):
            wrong = {(409, "RouterInUse")}
        if self._remove("routers", key, who, wrong, matched=matched):
            gateway = self.world.gateway_port(key)
            if gateway is not None:
                self.world.drop_port(gateway)
            del self.world.routers[key]
