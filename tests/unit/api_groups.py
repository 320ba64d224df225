"""Random calls about security groups and their rules, and about address groups."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index, match
from api_records import ASKERS, FORBIDDEN, AddressGroup, Refusals
from hypothesis.stateful import precondition, rule

TEXTS = {
    "10.0.0.1": "10.0.0.1/32",
    "10.0.0.1/32": "10.0.0.1/32",
    "10.0.0.0/8": "10.0.0.0/8",
    "10.1.2.3/8": "10.0.0.0/8",
    "FD00::0/64": "fd00::/64",
    "fd00::/64": "fd00::/64",
    "nowhere": "",
}
"""Words for addresses, and what an address group has of them; "" for one that is none."""
texts = st.lists(st.sampled_from([*list(TEXTS)[:-1], *TEXTS]), max_size=3)


class Groups(Agreement):
    """Every rule is one call."""

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
        key = self._pick("security_groups", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "security_groups", key)
        if not wrong:
            old = self.world.security_groups[key].name
            wrong |= {(409, "SecurityGroupCannotUpdateDefault")} if old == "default" and name != old else set()
            wrong |= {(409, "SecurityGroupDefaultAlreadyExists")} if old != "default" and name == "default" else set()
        if self._change("security_groups", key, {"name": name}, who, wrong, matched=matched):
            self.world.security_groups[key].name = name

    @rule(who=asker, at=index, matched=match)
    def delete_group(self, who: str, at: int, matched: str) -> None:
        key, asker = self._pick("security_groups", at, who), ASKERS[who]
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
        addresses=st.none() | index,
    )
    def create_rule(
        self, who: str, at: int, *, direction: str, remote: int | None, port: int | None, addresses: int | None
    ) -> None:
        key, asker = self._pick("security_groups", at, who), ASKERS[who]
        wrong = self.world.missing(asker, "security_groups", key) | (set() if asker.writes else {FORBIDDEN})
        if not wrong:
            wrong |= set() if asker.admin or self.world.security_groups[key].project == asker.project else {FORBIDDEN}
        wrong |= self.world.over("security_group_rule", asker.project)
        body: dict[str, Any] = {"security_group_id": key, "direction": direction}
        other = None if remote is None else self._pick("security_groups", remote, who)
        if other is not None:
            body["remote_group_id"] = other
            wrong |= self.world.missing(asker, "security_groups", other)
        named = self._pick_or_none("address_groups", addresses, who)
        if named is not None:
            body["remote_address_group_id"] = named
            wrong |= self.world.missing(asker, "address_groups", named)
            wrong |= set() if other is None else {(400, "SecurityGroupRemoteGroupAndRemoteIpPrefix")}
        if port is not None:
            body |= {"protocol": "tcp", "port_range_min": port + 1, "port_range_max": port + 1}
        what = (direction, "IPv4", body.get("protocol"), body.get("port_range_min"), other, named)
        if any(r.group == key and r.what == what for r in self.world.security_group_rules.values()):
            wrong |= {(409, "SecurityGroupRuleExists")}
        if self._call("POST", "/security-group-rules", {"security_group_rule": body}, who, wrong):
            self._learn_groups()

    @rule(who=asker, at=st.integers(0, 20))
    def delete_rule(self, who: str, at: int) -> None:
        key, asker = self._pick("security_group_rules", at, who), ASKERS[who]
        wrong = self.world.missing(asker, "security_group_rules", key)
        if not wrong and not asker.writes:
            wrong = {FORBIDDEN}
        if self._remove("security_group_rules", key, who, wrong):
            del self.world.security_group_rules[key]


class AddressGroups(Agreement):
    """Every rule is one call."""

    @rule(who=asker, addresses=texts)
    def create_address_group(self, who: str, addresses: list[str]) -> None:
        asker = ASKERS[who]
        wrong = set() if asker.writes else {FORBIDDEN}
        wrong |= self.world.over("address_group", asker.project) | _wrong_texts(addresses)
        answer = self._call("POST", "/address-groups", {"address_group": {"addresses": addresses}}, who, wrong)
        if answer:
            made = AddressGroup(asker.project, {TEXTS[text] for text in addresses})
            self.world.address_groups[answer["address_group"]["id"]] = made

    @precondition(lambda self: self.world.address_groups)
    @rule(who=asker, at=index, add=st.booleans(), addresses=texts, matched=match)
    def change_addresses(self, who: str, at: int, add: bool, addresses: list[str], matched: str) -> None:
        key = self._pick("address_groups", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "address_groups", key) | _wrong_texts(addresses)
        group, given = self.world.address_groups.get(key), {TEXTS[text] for text in addresses}
        if group is not None and not wrong:
            if add:
                wrong |= {(400, "AddressesAlreadyExist")} if given & group.addresses else set()
            else:
                wrong |= {(404, "AddressesNotFound")} if given - group.addresses else set()
        headers = self._revision("address_groups", key, matched)
        if headers and matched == "wrong":
            wrong |= {(412, "RevisionNumberConstraintFailed")}
        path = f"/address-groups/{key}/{'add' if add else 'remove'}_addresses"
        answer = self._call("PUT", path, {"address_group": {"addresses": addresses}}, who, wrong, headers=headers)
        if answer and group is not None:
            group.addresses = group.addresses | given if add else group.addresses - given
            assert set(answer["address_group"]["addresses"]) == group.addresses

    @precondition(lambda self: self.world.address_groups)
    @rule(who=asker, at=index, matched=match)
    def delete_address_group(self, who: str, at: int, matched: str) -> None:
        key = self._pick("address_groups", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "address_groups", key)
        if not wrong and any(rule.address_group == key for rule in self.world.security_group_rules.values()):
            wrong = {(409, "AddressGroupInUse")}
        if self._remove("address_groups", key, who, wrong, matched=matched):
            del self.world.address_groups[key]
            self.world.unshare_all(key)


def _wrong_texts(addresses: list[str]) -> Refusals:
    """One that is none, or the same word twice."""
    return {(400, "HTTPBadRequest")} if "nowhere" in addresses or len(set(addresses)) < len(addresses) else set()
