"""Random calls about ports: their addresses, groups, devices and DHCP options."""

from __future__ import annotations

import ipaddress
from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import Wish, addresses_of, asker, index, match
from api_records import ASKERS, DHCP, FORBIDDEN, SERVICES
from hypothesis.stateful import precondition, rule

OPTIONS: list[tuple[str, str | None, int | None, bool]] = [
    ("mtu", "1400", None, True),
    ("mtu", "1300", 4, True),
    ("mtu", "1280", 6, True),
    ("mtu", None, None, True),
    ("mtu", None, 6, True),
    ("router", "", 4, True),
    ("router", None, 4, True),
    ("domain-name", "a, b", 4, True),
    ("150", "192.0.2.1", None, True),
    ("anything", "one line", 6, True),
    ("mtu", "many", 4, False),
    ("mtu", "", 4, False),
    ("anything", "x", 4, False),
    ("anything", None, 4, False),
    ("anything", "two\nlines", 6, False),
    ("51", "3600", 4, False),
]
"""Name, value, IP version, and whether a port may have it."""


class Ports(Agreement):
    """Every rule is one call."""

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, wish=st.tuples(st.sampled_from(["any", "none", "subnet", "address"]), index, index))
    def create_port(self, who: str, at: int | str, wish: Wish) -> None:
        key, asker = self._pick("networks", at, who), ASKERS[who]
        wrong = self.world.missing(asker, "networks", key)
        wrong |= self.world.over("port", asker.project) | (set() if asker.writes else {FORBIDDEN})
        body: dict[str, Any] = {"network_id": key, "device_owner": "compute:nova", "device_id": "vm"}
        if key in self.world.networks:
            fixed = self._wish(asker, key, wish, wrong)
            body |= {} if fixed is None else {"fixed_ips": fixed}
        answer = self._call("POST", "/ports", {"port": body}, who, wrong)
        if answer:
            made = answer["port"]
            self._learn_groups()
            self._check_addresses(made, wish[0], None)
            port = self._learn_port(made, asker.project, made["device_owner"], made["device_id"])
            port.groups = {self._default_group(asker.project)}

    @precondition(lambda self: self.world.ports)
    @rule(
        who=asker,
        at=index,
        wish=st.tuples(st.sampled_from(["keep", "none", "subnet", "address"]), index, index),
        matched=match,
    )
    def update_port(self, who: str, at: int, wish: Wish, matched: str) -> None:
        key, asker = self._pick("ports", at, who), ASKERS[who]
        port = self.world.ports.get(key)
        if port is not None and port.owner in SERVICES:
            wish = ("keep", 0, 0)
        wrong = self.world.unchangeable(asker, "ports", key)
        body: dict[str, Any] = {"name": "-".join(map(str, wish))}
        if port is not None and wish[0] != "keep":
            fixed = self._wish(asker, port.network, wish, wrong, key)
            body |= {} if fixed is None else {"fixed_ips": fixed}
            if port.owner == DHCP and fixed is not None and not self._of_each_subnet(key, fixed):
                wrong |= {(400, "HTTPBadRequest")}
        answer = self._change("ports", key, body, who, wrong, matched=matched)
        if answer and port is not None:
            if "fixed_ips" in body:
                self._check_addresses(answer["port"], wish[0], key)
            port.fixed = addresses_of(answer["port"])
            self.world.let_go(key, {address for _, address in port.fixed})

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, group=index)
    def change_groups(self, who: str, at: int, group: int) -> None:
        key, asker = self._pick("ports", at, who), ASKERS[who]
        port, chosen = self.world.ports.get(key), self._pick("security_groups", group, who)
        if port is not None and port.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(asker, "ports", key)
        if port is not None and not wrong and port.groups != {chosen}:  # what it has already it may have
            wrong = self.world.missing(asker, "security_groups", chosen)
        answer = self._change("ports", key, {"security_groups": [chosen]}, who, wrong)
        if answer and port is not None:
            port.groups = {chosen}

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, given=st.lists(st.sampled_from(OPTIONS[:10] * 2 + OPTIONS), min_size=1, max_size=3))
    def change_options(self, who: str, at: int, given: list[tuple[str, str | None, int | None, bool]]) -> None:
        """Those that are named change, null takes one away, the others stay."""
        key = self._pick("ports", at, who)
        port = self.world.ports.get(key)
        if port is not None and port.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(ASKERS[who], "ports", key)
        names = [(name, version or 4) for name, _, version, _ in given]
        if len(set(names)) < len(names) or not all(right for *_, right in given):
            wrong |= {(400, "HTTPBadRequest")}
        body = [
            {"opt_name": name, "opt_value": value, **({} if version is None else {"ip_version": version})}
            for name, value, version, _ in given
        ]
        if self._change("ports", key, {"extra_dhcp_opts": body}, who, wrong) and port is not None:
            after = {**port.options, **{name: value for name, (_, value, *_) in zip(names, given, strict=True)}}
            port.options = {name: value for name, value in after.items() if value is not None}

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, at=index, matched=match)
    def delete_port(self, who: str, at: int | str, matched: str) -> None:
        key = self._pick("ports", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "ports", key, delete=True)
        if not wrong and self.world.ports[key].owner in SERVICES:
            wrong = {(409, "ServicePortInUse")}
        if self._remove("ports", key, who, wrong, matched=matched):
            self.world.drop_port(key)

    @precondition(lambda self: self.world.ports)
    @rule(who=asker, number=index, owner=st.sampled_from(["", "", "compute:nova"]))
    def free_port(self, who: str, number: int, owner: str) -> None:
        """A port without a device, for routers."""
        key = self._pick("ports", number, who)
        port = self.world.ports.get(key)
        if port is None or port.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(ASKERS[who], "ports", key)
        body = {"device_id": "", "device_owner": owner}
        if self._change("ports", key, body, who, wrong):
            port.owner, port.device = owner, ""

    def _of_each_subnet(self, key: str, fixed: list[dict[str, str]]) -> bool:
        """The wish is for one address of each subnet that the port has, beside those that it makes itself."""
        port, subnets = self.world.ports[key], self.world.subnets
        found = [
            where
            for entry in fixed
            for where in self.world.subnets_of(port.network)
            if where == entry.get("subnet_id")
            or ("subnet_id" not in entry and ipaddress.ip_address(entry["ip_address"]) in subnets[where].block)
        ]
        having = [where for where, _ in port.fixed if not subnets[where].auto]
        return sorted(where for where in found if not subnets[where].auto) == sorted(having)
