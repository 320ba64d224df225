"""Random calls about ports with several addresses, of one subnet or of more."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import addresses_of, asker, index, match
from api_records import ASKERS, DHCP, FORBIDDEN, INTERFACE, SERVICES, Refusals
from hypothesis.stateful import precondition, rule

Entry = tuple[int, int | None, bool]
"""Which of the network's subnets, which of its hosts (None: any), whether both are named."""
host = st.none() | st.none() | st.integers(0, 5)
entries = st.lists(st.tuples(st.integers(0, 3), host, st.booleans()), min_size=1, max_size=4)
Fixed = set[tuple[str, str]]


class PortAddresses(Agreement):
    """Every rule is one call."""

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, wished=entries)
    def create_port_of_several(self, who: str, at: int | str, wished: list[Entry]) -> None:
        key, asker = self._pick("networks", at, who), ASKERS[who]
        wrong = self.world.missing(asker, "networks", key)
        wrong |= self.world.over("port", asker.project) | (set() if asker.writes else {FORBIDDEN})
        fixed = self._entries(key, wished)
        wrong |= self._wrong_entries(who, key, fixed, set())
        answer = self._call("POST", "/ports", {"port": {"network_id": key, "fixed_ips": fixed}}, who, wrong)
        if answer:
            made = answer["port"]
            self._learn_groups()
            self._check_several(made, fixed, set())
            port = self._learn_port(made, asker.project, made["device_owner"], made["device_id"])
            port.groups = {self._default_group(asker.project)}

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, kept=st.sampled_from([0, 0, 1, 2]), wished=entries | st.just([]), matched=match)
    def change_several(self, who: str, at: int, kept: int, wished: list[Entry], matched: str) -> None:
        """Others beside some of those that it has, which are named by subnet and address."""
        key, asker = self._pick("ports", at, who), ASKERS[who]
        port = self.world.ports.get(key)
        if port is None or port.owner in SERVICES | {DHCP}:
            return
        left = [{"subnet_id": where, "ip_address": address} for where, address in sorted(port.fixed)[:kept]]
        fixed = left + self._entries(port.network, wished)
        same = {(entry.get("subnet_id"), entry.get("ip_address")) for entry in fixed} == port.fixed
        wrong = self.world.unchangeable(asker, "ports", key)
        ways = {FORBIDDEN} if same else set()  # in another order it is a change
        wrong |= self._wrong_entries(who, port.network, fixed, port.fixed) - ways
        answer = self._change("ports", key, {"fixed_ips": fixed}, who, wrong, matched=matched, ways=ways)
        if answer:
            self._check_several(answer["port"], fixed, port.fixed)
            port.fixed = addresses_of(answer["port"])
            self.world.let_go(key, {address for _, address in port.fixed})

    def _entries(self, network: str, wished: list[Entry]) -> list[dict[str, Any]]:
        subnets = sorted(self.world.subnets_of(network))
        found = []
        for sub, number, both in wished if subnets else []:
            chosen = subnets[sub % len(subnets)]
            entry = {"subnet_id": chosen} if number is None or both else {}
            if number is not None:
                entry["ip_address"] = str(self.world.subnets[chosen].block.network_address + number)
            found.append(entry)
        return found

    def _wrong_entries(self, who: str, network: str, fixed: list[dict[str, Any]], own: Fixed) -> Refusals:
        """What is wrong with these addresses for a port that has ``own``, which are kept where they are asked for."""
        named = [entry["ip_address"] for entry in fixed if "ip_address" in entry]
        if len(set(named)) < len(named):
            return {(400, "HTTPBadRequest")}
        wrong: Refusals = set()
        if named and not self.world.owns_network(ASKERS[who], network):
            wrong |= {FORBIDDEN}
        for entry in fixed:
            address = entry.get("ip_address")
            if address is not None and not any(address == had for _, had in own):
                wrong |= self.world.wrong_address(network, entry.get("subnet_id"), address)
        for where, many in Counter(entry["subnet_id"] for entry in fixed if "ip_address" not in entry).items():
            left = [address for subnet, address in own if subnet == where and address not in named]
            first, last = (int(ipaddress.ip_address(end)) for end in self.world.subnets[where].pool)
            used = {int(ipaddress.ip_address(address)) for address in {*self.world.taken(where), *named}}
            free = last - first + 1 - len([number for number in used if first <= number <= last])
            if not self.world.subnets[where].auto and many - len(left) > free:
                wrong |= {(409, "IpAddressGenerationFailure")}
        return wrong

    def _check_several(self, made: dict[str, Any], fixed: list[dict[str, Any]], own: Fixed) -> None:
        """What was named, as many of each subnet as were asked for, and of these what the port had before new ones."""
        given, network = addresses_of(made), made["network_id"]
        itself = set() if made["device_owner"] == INTERFACE else self.world.self_made(network, made["mac_address"])
        assert itself <= given, made
        named = {entry["ip_address"] for entry in fixed if "ip_address" in entry}
        assert named <= {address for _, address in given}, made
        others = {(where, address) for where, address in given - itself if address not in named}
        asked = Counter(entry["subnet_id"] for entry in fixed if "ip_address" not in entry)
        auto = {where for where, _ in itself}
        assert Counter(where for where, _ in others) == Counter({w: n for w, n in asked.items() if w not in auto}), made
        for where, address in others - own:
            assert self.world.in_pool(where, address) and address not in self.world.taken(where), made
        for where in asked.keys() - auto:
            left = [had for subnet, had in own if subnet == where and had not in named]
            kept = [had for subnet, had in others & own if subnet == where]
            assert len(kept) == min(asked[where], len(left)), (made, own)
