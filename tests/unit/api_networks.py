"""Random calls about networks, and about sharing anything with other projects."""

from __future__ import annotations

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index, match, writer
from api_records import ASKERS, EVERYBODY, FORBIDDEN, SHARED_TYPES, Network, Refusals, Share
from hypothesis.stateful import precondition, rule

target = st.sampled_from(["p-alice", "p-bob", EVERYBODY])


class Networks(Agreement):
    """Every rule is one call."""

    @rule(who=asker, external=st.booleans(), shared=st.booleans(), count=st.integers(1, 3))
    def create_networks(self, who: str, external: bool, shared: bool, count: int) -> None:
        asker, body = ASKERS[who], {"name": f"net-{who}"}
        wrong = set() if asker.writes else {FORBIDDEN}
        for name, wished in (("router:external", external), ("shared", shared)):
            if wished and (asker.admin or count == 1):
                body[name] = wished  # type: ignore[assignment]
                wrong |= set() if asker.admin else {FORBIDDEN}
        wrong |= self.world.over("network", asker.project, count)
        sent = {"networks": [body] * count} if count > 1 else {"network": body}
        answer = self._call("POST", "/networks", sent, who, wrong)
        qos = self.world.default_policy(asker.project)
        for made in [] if answer is None else answer["networks"] if count > 1 else [answer["network"]]:
            external = bool(body.get("router:external"))
            self.world.networks[made["id"]] = Network(asker.project, made["name"], external, qos)
            if "shared" in body:
                self._learn_shares("networks", made["id"])

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, name=st.sampled_from(["a", "b"]), shared=st.none() | st.booleans(), matched=match)
    def update_network(self, who: str, at: int, name: str, shared: bool | None, matched: str) -> None:
        key, asker, body = self._pick("networks", at, who), ASKERS[who], {"name": name}
        wrong = self.world.unchangeable(asker, "networks", key)
        if shared is not None:
            body["shared"] = shared  # type: ignore[assignment]
            wrong |= set() if asker.admin or (404, "NetworkNotFound") in wrong else {FORBIDDEN}
            star = self.world.share_of(key, EVERYBODY)
            if not shared and star is not None and self.world.share_needed(star):
                wrong |= {(409, "InvalidSharedSetting")}
        answer = self._change("networks", key, body, who, wrong, matched=matched)
        if answer:
            self.world.networks[key].name = name
            if shared is not None:
                self._learn_shares("networks", key)

    @precondition(lambda self: self.world.networks)
    @rule(who=asker, at=index, matched=match)
    def delete_network(self, who: str, at: int, matched: str) -> None:
        key = self._pick("networks", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "networks", key)
        if not wrong and self.world.holds_network(key):
            wrong = {(409, "NetworkInUse")}
        if self._remove("networks", key, who, wrong, matched=matched):
            self.world.drop_network(key)


class Shares(Agreement):
    """What is shared with whom; every rule is one call."""

    @rule(who=writer, kind=st.sampled_from(sorted(SHARED_TYPES)), at=index, towards=target)
    def share(self, who: str, kind: str, at: int | str, towards: str) -> None:
        key, asker = self._pick(kind, at, who), ASKERS[who]
        found = getattr(self.world, kind).get(key)
        wrong: Refusals = set()
        if found is None or not (asker.admin or found.project == asker.project):
            wrong |= {(400, "InvalidInput")}
        if towards == EVERYBODY and not asker.admin:
            wrong |= {FORBIDDEN}
        if self.world.share_of(key, towards) is not None:
            wrong |= {(409, "DuplicateRbacPolicy")}
        wrong |= self.world.over("rbac_policy", asker.project)
        of = {"object_type": SHARED_TYPES[kind], "object_id": key, "action": "access_as_shared"}
        answer = self._call("POST", "/rbac-policies", {"rbac_policy": {**of, "target_tenant": towards}}, who, wrong)
        if answer:
            self.world.shares[answer["rbac_policy"]["id"]] = Share(asker.project, kind, key, towards)

    @precondition(lambda self: self.world.shares)
    @rule(who=asker, at=index, towards=target)
    def retarget(self, who: str, at: int, towards: str) -> None:
        key, asker = self._pick("shares", at, who), ASKERS[who]
        wrong = self.world.unchangeable(asker, "shares", key)
        share = self.world.shares.get(key)
        if share is not None and not wrong:
            owner = getattr(self.world, share.kind)[share.key].project
            if towards == EVERYBODY and not asker.admin:
                wrong |= {FORBIDDEN}
            if towards != share.target:
                wrong |= set() if asker.admin or owner == asker.project else {(400, "InvalidInput")}
                if self.world.share_of(share.key, towards) is not None:
                    wrong |= {(409, "DuplicateRbacPolicy")}
                if self.world.share_needed(key, towards):
                    wrong |= {(409, "RbacPolicyInUse")}
        answer = self._change("shares", key, {"target_tenant": towards}, who, wrong)
        if answer and share is not None:
            share.target = towards

    @precondition(lambda self: self.world.shares)
    @rule(who=asker, at=index)
    def unshare(self, who: str, at: int) -> None:
        key = self._pick("shares", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "shares", key)
        if not wrong and self.world.share_needed(key):
            wrong = {(409, "RbacPolicyInUse")}
        if self._remove("shares", key, who, wrong):
            del self.world.shares[key]
