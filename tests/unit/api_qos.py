"""Random calls about QoS policies, their rules, and what has a policy."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index, match
from api_model import LEAST, LIMIT, PACKETS
from api_records import ASKERS, DHCP, FORBIDDEN, SERVICES, Policy, Refusals
from hypothesis.stateful import precondition, rule

MARK = "dscp_marking_rule"
NUMBERS = {LIMIT: "max_kbps", LEAST: "min_kbps", PACKETS: "min_kpps", MARK: "dscp_mark"}
kind = st.sampled_from([LIMIT, LIMIT, LEAST, LEAST, PACKETS, MARK])
direction = st.sampled_from(["egress", "egress", "ingress", "any"])
number = st.sampled_from([0, 8, 16])


class Qos(Agreement):
    """Every rule is one call."""

    @rule(
        who=st.sampled_from(["root", "root", "alice"]),
        project=st.sampled_from(["p-admin", "p-alice"]),
        flags=st.sampled_from(["", "is_default", "shared"]),
    )
    def create_policy(self, who: str, project: str, flags: str) -> None:
        wrong: Refusals = set() if ASKERS[who].admin else {FORBIDDEN, (400, "HTTPBadRequest")}
        wrong |= self.world.second_default(project) if flags == "is_default" else set()
        body: dict[str, Any] = {"name": "qos", "project_id": project, **({flags: True} if flags else {})}
        answer = self._call("POST", "/qos/policies", {"policy": body}, who, wrong)
        if answer:
            key = answer["policy"]["id"]
            self.world.policies[key] = Policy(project, flags == "is_default")
            if flags == "shared":
                self._learn_shares("policies", key)

    @precondition(lambda self: self.world.policies)
    @rule(who=asker, at=index, default=st.booleans(), matched=match)
    def update_policy(self, who: str, at: int, default: bool, matched: str) -> None:
        key = self._pick("policies", at, who)
        wrong = self._wrong_policy(who, key)
        policy = self.world.policies.get(key)
        if policy is not None and default:
            wrong |= self.world.second_default(policy.project, key) if not wrong else set()
        if self._change("policies", key, {"is_default": default}, who, wrong, matched=matched) and policy is not None:
            policy.default = default

    @precondition(lambda self: self.world.policies)
    @rule(who=asker, at=index, matched=match)
    def delete_policy(self, who: str, at: int, matched: str) -> None:
        key = self._pick("policies", at, who)
        wrong = self._wrong_policy(who, key)
        if not wrong and self.world.qos_used(key):
            wrong = {(409, "QosPolicyInUse")}
        if self._remove("policies", key, who, wrong, matched=matched):
            self.world.unshare_all(key)
            del self.world.policies[key]

    @precondition(lambda self: self.world.policies)
    @rule(who=asker, at=index, kind=kind, direction=direction, number=number)
    def create_rule_of_qos(self, who: str, at: int | str, kind: str, direction: str, number: int) -> None:
        key = self._pick("policies", at, who)
        wrong, policy = self._wrong_policy(who, key), self.world.policies.get(key)
        wished, body = self._rule(kind, direction, number)
        if policy is not None and not wrong:
            wrong = self.world.wrong_rule(policy, wished)
        answer = self._call("POST", f"/qos/policies/{key}/{kind}s", {kind: body}, who, wrong)
        if answer and policy is not None:
            policy.rules[answer[kind]["id"]] = wished

    @precondition(lambda self: any(policy.rules for policy in self.world.policies.values()))
    @rule(who=asker, at=index, direction=direction, number=number, alias=st.booleans(), delete=st.booleans())
    def change_rule_of_qos(self, who: str, at: int, *, direction: str, number: int, alias: bool, delete: bool) -> None:
        """Below its policy, or under its alias without that."""
        having = [(key, rule) for key, policy in self.world.policies.items() for rule in policy.rules]
        key, rule = having[at % len(having)]
        policy = self.world.policies[key]
        kind = policy.rules[rule][0]
        wished, body = self._rule(kind, direction, number)
        wrong = self._wrong_policy(who, key)
        if not wrong and not delete:
            wrong = self.world.wrong_rule(policy, wished, rule)
        path = f"/qos/alias_{kind}s/{rule}" if alias else f"/qos/policies/{key}/{kind}s/{rule}"
        if delete:
            if self._call("DELETE", path, None, who, wrong) is not None:
                del policy.rules[rule]
        elif self._call("PUT", path, {f"alias_{kind}" if alias else kind: body}, who, wrong):
            policy.rules[rule] = wished

    @precondition(lambda self: self.world.policies)
    @rule(
        who=asker,
        kind=st.sampled_from(["networks", "ports", "floatingips", "routers"]),
        at=index,
        policy=st.none() | index,
    )
    def assign(self, who: str, kind: str, at: int, policy: int | None) -> None:
        """To a network, a port, a floating IP or a router's gateway."""
        key, asker = self._pick(kind, at, who), ASKERS[who]
        found = getattr(self.world, kind).get(key)
        chosen = self._pick_or_none("policies", policy, who)
        if kind == "ports" and found is not None and found.owner in SERVICES | {DHCP}:
            return
        wrong = self.world.unchangeable(asker, kind, key)
        if found is not None and not wrong:
            wrong = self.world.wrong_qos(asker, chosen, found.qos)
        body: dict[str, Any] = {"qos_policy_id": chosen}
        if kind == "routers":
            if found is None or found.gateway is None:
                return
            body = {"external_gateway_info": {"network_id": found.gateway, **body}}
            wrong |= set() if wrong else self.world.missing(asker, "networks", found.gateway)
        if self._change(kind, key, body, who, wrong) and found is not None:
            found.qos = chosen
            if kind == "routers":
                found.snat = True  # the request did not say

    def _wrong_policy(self, who: str, key: str) -> Refusals:
        """Administrators change policies and rules; whoever sees them is told so."""
        missing = self.world.missing(ASKERS[who], "policies", key)
        return missing or (set() if ASKERS[who].admin else {FORBIDDEN})

    def _rule(self, kind: str, direction: str, number: int) -> tuple[tuple[str, str, int], dict[str, Any]]:
        """As the world has it, and as the request says it."""
        if kind == MARK:
            return (kind, "", number), {NUMBERS[kind]: number}
        direction = "egress" if direction == "any" and kind != PACKETS else direction
        return (kind, direction, number), {NUMBERS[kind]: number, "direction": direction}
