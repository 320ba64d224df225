"""Random calls about security groups and their rules."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index, match
from api_records import ASKERS, FORBIDDEN
from hypothesis.stateful import rule


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
    )
    def create_rule(self, who: str, at: int, direction: str, remote: int | None, port: int | None) -> None:
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
        if port is not None:
            body |= {"protocol": "tcp", "port_range_min": port + 1, "port_range_max": port + 1}
        what = (direction, "IPv4", body.get("protocol"), body.get("port_range_min"), other)
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
