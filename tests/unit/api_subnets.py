"""Random calls about subnets: with addresses of their own, cut from pools, of IPv6 with its mode pairs."""

from __future__ import annotations

import ipaddress
from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import MISSING, asker, index, match
from api_records import ASKERS, AUTO_MODES, FORBIDDEN, INTERFACE, Block, Refusals, Subnet
from hypothesis.stateful import precondition, rule

INNER = ["10.0.0.0/29", "10.0.0.0/28", "10.0.1.0/30", "10.0.2.0/24", "fd00::/125"]
OUTER = ["203.0.113.0/29", "203.0.113.8/30", "203.0.112.0/23", "fd01::/64"]
mode = st.sampled_from([None, "slaac", "slaac", "dhcpv6-stateless", "dhcpv6-stateful"])


class Subnets(Agreement):
    """Every rule is one call."""

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, block=index, gateway=st.sampled_from(["first", "last", "none", "in-pool"]))
    def create_subnet(self, who: str, at: int | str, block: int, gateway: str) -> None:
        key = self._pick("networks", at, who)
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
        wrong = self._wrong_subnet(who, key, cidr, None)
        wrong |= {(409, "GatewayConflictWithAllocationPools")} if gateway == "in-pool" else set()
        body = {"network_id": key, "cidr": str(cidr), "ip_version": cidr.version, **wish}
        made = self._make_subnet(who, body, wrong)
        if made and (gateway != "last" or len(made["allocation_pools"]) == 1):
            assert made["gateway_ip"] == wish.get("gateway_ip", str(hosts[0]))

    @precondition(lambda self: self.world.networks)
    @rule(
        who=asker,
        at=index,
        cidr=st.sampled_from(["fd02::/64", "fd03::/64", "fd03::/64", "fd04::/65", "10.0.3.0/24"]),
        modes=st.tuples(mode, mode),
        dhcp=st.sampled_from([True, True, True, False]),
    )
    def create_subnet_of_modes(
        self, who: str, at: int | str, cidr: str, modes: tuple[str | None, str | None], dhcp: bool
    ) -> None:
        key, block = self._pick("networks", at, who), ipaddress.ip_network(cidr)
        given = set(modes) - {None}
        wrong = self._wrong_subnet(who, key, block, None)
        if given and (block.version == 4 or not dhcp or len(given) > 1):
            wrong |= {(400, "InvalidInput")}
        if given & AUTO_MODES and block.prefixlen != 64:
            wrong |= {(400, "InvalidInput")}
        body = {"network_id": key, "cidr": cidr, "ip_version": block.version, "enable_dhcp": dhcp}
        self._make_subnet(who, body | {"ipv6_ra_mode": modes[0], "ipv6_address_mode": modes[1]}, wrong)

    @precondition(lambda self: self.world.networks and self.world.subnetpools)
    @rule(
        who=asker,
        at=index,
        pool=index,
        how=st.sampled_from(["usual", "usual", "length", "length", "cidr", "default", "both"]),
        length=st.sampled_from([27, 28, 29, 30, 30]),
        other_version=st.sampled_from([False, False, False, True]),
    )
    def cut_subnet(
        self, who: str, at: int | str, pool: int | str, *, how: str, length: int, other_version: bool
    ) -> None:
        """From a pool: of its usual length, of this one, this CIDR; or from the default pool."""
        key, chosen, asker = self._pick("networks", at, who), self._pick("subnetpools", pool, who), ASKERS[who]
        found = self.world.subnetpools.get(chosen)
        version = 4 if found is None else found.version
        length = length if version == 4 else 64
        body: dict[str, Any] = {"network_id": key, "ip_version": 10 - version if other_version else version}
        cidr: Block | None = None
        if how == "default":
            chosen = self.world.default_pool(body["ip_version"]) or MISSING
            found = self.world.subnetpools.get(chosen)
            body["use_default_subnetpool"] = True
        else:
            body["subnetpool_id"] = chosen
        if how in ("cidr", "both"):
            usual = {4: "10.8.0.0", 6: "fd08::"}[version]
            first = found.prefixes[0].split("/")[0] if found is not None and found.prefixes else usual
            cidr = ipaddress.ip_network(f"{first}/{64 if ':' in first else length}", strict=False)
            body["cidr"] = str(cidr)
        if how in ("length", "both"):
            body["prefixlen"] = length
        elif cidr is None and found is not None:
            length = found.lengths[1]
        wrong: Refusals = {(400, "BadRequest")} if how == "both" else set()
        if how == "default":
            wrong |= {(400, "BadRequest")} if found is None else set()
        else:
            wrong |= self.world.missing(asker, "subnetpools", chosen)
        wrong |= self.world.missing(asker, "subnetpools", chosen) if found is not None else set()
        if found is not None and found.version != body["ip_version"]:
            wrong |= {(400, "BadRequest"), (400, "InvalidInput")}
        if found is not None and not wrong:
            wrong |= self.world.wrong_cut(asker, chosen, length, None if cidr is None else str(cidr))
        wrong |= self._wrong_subnet(who, key, cidr, chosen if found else None, body["ip_version"])
        made = self._make_subnet(who, body, wrong)
        if made and found is not None:
            assert made["subnetpool_id"] == chosen
            block = ipaddress.ip_network(made["cidr"])
            assert block.prefixlen == length and cidr in (None, block)

    @precondition(lambda self: self.world.subnets)
    @rule(who=asker, at=index, matched=match, gateway=st.sampled_from(["none", "first", "keep"]))
    def update_subnet(self, who: str, at: int, matched: str, gateway: str) -> None:
        key = self._pick("subnets", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "subnets", key)
        body: dict[str, Any] = {"name": f"by-{who}", "description": gateway}
        subnet = self.world.subnets.get(key)
        if gateway != "keep" and subnet is not None:
            new = None if gateway == "none" else str(subnet.block.network_address + 1)
            body["gateway_ip"] = new
            if not wrong and new is not None and new != subnet.gateway:
                held = {address for p in self.world.ports.values() if p.owner == INTERFACE for _, address in p.fixed}
                wrong |= {(409, "GatewayIpInUse")} if subnet.gateway in held & self.world.taken(key) else set()
                inside = self.world.in_pool(key, new)
                wrong |= {(409, "GatewayConflictWithAllocationPools")} if inside else set()
        answer = self._change("subnets", key, body, who, wrong, matched=matched)
        if answer and subnet is not None:
            subnet.gateway = answer["subnet"]["gateway_ip"]
            assert "gateway_ip" not in body or body["gateway_ip"] == subnet.gateway

    @precondition(lambda self: self.world.subnets)
    @rule(who=asker, at=index, matched=match)
    def delete_subnet(self, who: str, at: int, matched: str) -> None:
        key = self._pick("subnets", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "subnets", key)
        if not wrong and self.world.holds_subnet(key):
            wrong = {(409, "SubnetInUse")}
        if self._remove("subnets", key, who, wrong, matched=matched):
            self.world.drop_subnet(key)

    def _wrong_subnet(
        self, who: str, network: str, block: Block | None, pool: str | None, version: int = 0
    ) -> Refusals:
        """What is wrong with a new subnet of these addresses (None: the pool's choice) on the network."""
        asker = ASKERS[who]
        wrong = self.world.missing(asker, "networks", network)
        if not wrong:
            wrong |= set() if self.world.owns_network(asker, network) else {FORBIDDEN}
            beside = self.world.beside(network, version or (block.version if block else 4))
            if block is not None and any(block.overlaps(other.block) for other in beside):
                wrong |= {(400, "InvalidInput")}
            wrong |= self.world.wrong_company(network, version or (block.version if block else 4), pool)
        return wrong | self.world.over("subnet", asker.project) | (set() if asker.writes else {FORBIDDEN})

    def _make_subnet(self, who: str, body: dict[str, Any], wrong: Refusals) -> Any:
        answer = self._call("POST", "/subnets", {"subnet": body}, who, wrong)
        if not answer:
            return None
        made = answer["subnet"]
        pools = made["allocation_pools"]
        self.world.subnets[made["id"]] = Subnet(
            ASKERS[who].project,
            made["network_id"],
            made["cidr"],
            made["gateway_ip"],
            (pools[0]["start"], pools[-1]["end"]),
            body.get("enable_dhcp", True),
            made["subnetpool_id"],
            made["ipv6_ra_mode"],
            made["ipv6_address_mode"],
        )
        self.world.join_subnet(made["id"])
        self._learn_gateways(made["id"])
        return made


def _pool(first: object, last: object) -> dict[str, str]:
    return {"start": str(first), "end": str(last)}
