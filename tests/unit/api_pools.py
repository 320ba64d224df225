"""Random calls about subnet pools and address scopes."""

from __future__ import annotations

import ipaddress
from typing import Any

import hypothesis.strategies as st
from api_agreement import Agreement
from api_machine import asker, index, match
from api_records import ASKERS, FORBIDDEN, NOT_FOUND, Pool, Refusals, Scope
from api_world_pools import UNIT, same_blocks, units
from hypothesis.stateful import precondition, rule

PREFIXES = [
    *(["10.8.0.0/28"], ["10.8.0.0/29", "10.8.0.8/29"], ["10.8.0.16/28", "10.9.0.0/29"], ["10.8.0.8/30"]),
    *(["10.0.0.0/28"], ["fd08::/63"], ["fd08:0:0:1::/64"], [], ["10.8.0.0/28", "fd08::/63"]),
]
prefixes = st.sampled_from(PREFIXES)
lengths = st.sampled_from(
    [
        *({"default_prefixlen": 30}, {"default_prefixlen": 29, "max_prefixlen": 30}, {"min_prefixlen": 30}),
        *({}, {"min_prefixlen": 31, "max_prefixlen": 29}, {"default_prefixlen": 33}, {"default_prefixlen": 64}),
    ]
)


class Pools(Agreement):
    """Every rule is one call."""

    @rule(
        who=asker,
        prefixes=prefixes,
        lengths=lengths,
        quota=st.sampled_from([None, None, 0, 1, 4, 8]),
        flags=st.sampled_from(["", "", "", "is_default", "shared"]),
        scope=st.none() | index,
    )
    def create_pool(
        self,
        who: str,
        prefixes: list[str],
        *,
        lengths: dict[str, int],
        quota: int | None,
        flags: str,
        scope: int | str | None,
    ) -> None:
        asker = ASKERS[who]
        wrong = (set() if asker.writes else {FORBIDDEN}) | self.world.over("subnetpool", asker.project)
        wrong |= self.world.wrong_prefixes(prefixes)
        body: dict[str, Any] = {"name": "pool", "prefixes": prefixes, "default_quota": quota, **lengths}
        if flags:
            body[flags] = True
            wrong |= set() if asker.admin else {FORBIDDEN}
        version = 6 if prefixes and ":" in prefixes[0] else 4
        least = lengths.get("min_prefixlen", {4: 8, 6: 64}[version])
        usual, most = lengths.get("default_prefixlen", least), lengths.get("max_prefixlen", {4: 32, 6: 128}[version])
        pool = Pool(asker.project, version, prefixes, (least, usual, most), quota, flags == "is_default")
        if not self.world.wrong_prefixes(prefixes):
            wrong |= self.world.wrong_lengths(pool.lengths, version)
            wrong |= {(400, "InvalidInput")} if pool.default and self.world.default_pool(version) else set()
            pool.scope = body["address_scope_id"] = self._pick_or_none("address_scopes", scope, who)
            if pool.scope is not None:
                wrong |= self.world.wrong_scope(asker, pool.scope, pool, None)
        answer = self._call("POST", "/subnetpools", {"subnetpool": body}, who, wrong)
        if answer:
            key = answer["subnetpool"]["id"]
            self.world.subnetpools[key] = pool
            if flags == "shared":
                self._learn_shares("subnetpools", key)

    @precondition(lambda self: self.world.subnetpools)
    @rule(
        who=asker,
        at=index,
        what=st.sampled_from(["name", "quota", "lengths", "default", "scope", "scope", "no scope", "grow", "replace"]),
        scope=index,
        more=prefixes,
        matched=match,
    )
    def update_pool(self, who: str, at: int, what: str, *, scope: int, more: list[str], matched: str) -> None:
        key, asker = self._pick("subnetpools", at, who), ASKERS[who]
        wrong, pool = self.world.unchangeable(asker, "subnetpools", key), self.world.subnetpools.get(key)
        if pool is None or wrong:
            self._change("subnetpools", key, {"name": "other"}, who, wrong, matched=matched)
            return
        wrong |= self.world.held_by_scope(asker, key)
        new = Pool(**vars(pool))
        body: dict[str, Any] = {"name": what}
        if what == "quota":
            new.quota = body["default_quota"] = scope
        elif what == "lengths":
            new.lengths = (pool.lengths[0], 20 + scope, pool.lengths[2])
            body = {"default_prefixlen": 20 + scope}
            wrong |= self.world.wrong_lengths(new.lengths, pool.version)
        elif what == "default":
            new.default = body["is_default"] = scope % 2 == 0
            wrong |= set() if asker.admin else {FORBIDDEN}
            other = self.world.default_pool(pool.version)
            wrong |= {(400, "InvalidInput")} if new.default and other not in (None, key) else set()
        elif what in ("scope", "no scope"):
            new.scope = None if what == "no scope" else self._pick("address_scopes", scope, who)
            body["address_scope_id"] = new.scope
        elif what in ("grow", "replace"):
            new.prefixes = [*(pool.prefixes if what == "grow" else []), *more]
            new.prefixes = body["prefixes"] = list(dict.fromkeys(new.prefixes))
            wrong |= self.world.wrong_prefixes(new.prefixes, pool.version)
            if not wrong and not units(pool.prefixes) <= units(new.prefixes):
                wrong |= {(400, "IllegalSubnetPoolPrefixUpdate")}
        if "prefixes" not in body or not self.world.wrong_prefixes(new.prefixes, pool.version):
            wrong |= self._wrong_move(who, key, pool, new)
        if self._change("subnetpools", key, body, who, wrong, matched=matched):
            self.world.subnetpools[key] = new

    @precondition(lambda self: self.world.subnetpools)
    @rule(who=asker, at=index, verb=st.sampled_from(["add", "remove", "remove"]), given=prefixes)
    def change_prefixes(self, who: str, at: int, verb: str, given: list[str]) -> None:
        key, asker = self._pick("subnetpools", at, who), ASKERS[who]
        wrong, pool = self.world.unchangeable(asker, "subnetpools", key), self.world.subnetpools.get(key)
        wrong |= set() if given else {(400, "HTTPBadRequest")}
        if len({":" in one for one in given}) > 1 and verb == "remove":
            given = given[:1]
        new = None if pool is None else Pool(**vars(pool))
        if pool is not None and new is not None and not wrong:
            if verb == "add":
                wrong |= self.world.held_by_scope(asker, key)
                new.prefixes = [*pool.prefixes, *given]
                wrong |= self.world.wrong_prefixes(new.prefixes, pool.version)
                wrong |= set() if wrong else self._wrong_move(who, key, pool, new)
            elif (":" in given[0]) == (pool.version == 6):
                cut = units(subnet.cidr for subnet in self.world.cut(key).values())
                wrong |= {(400, "IllegalSubnetPoolPrefixUpdate")} if units(given) & cut else set()
                left = units(pool.prefixes) - units(given)
                new.prefixes = [_block(number, pool.version) for number in sorted(left)]
        answer = self._call("PUT", f"/subnetpools/{key}/{verb}_prefixes", {"prefixes": given}, who, wrong)
        if answer and new is not None:
            assert same_blocks(answer["prefixes"], new.prefixes)
            self.world.subnetpools[key] = new

    @precondition(lambda self: self.world.subnetpools and self.world.networks)
    @rule(who=asker, at=index, network=index)
    def onboard(self, who: str, at: int, network: int) -> None:
        key, chosen, asker = self._pick("subnetpools", at, who), self._pick("networks", network, who), ASKERS[who]
        wrong, pool = self.world.unchangeable(asker, "subnetpools", key), self.world.subnetpools.get(key)
        missing = self.world.missing(asker, "networks", chosen)
        coming, new = {}, None
        if pool is not None and not wrong:
            wrong |= missing or (set() if self.world.owns_network(asker, chosen) else {FORBIDDEN})
        if pool is not None and not wrong:
            found = self.world.subnets_of(chosen)
            coming = {k: s for k, s in found.items() if s.version == pool.version}
            added = [subnet.cidr for subnet in coming.values()]
            if units(added) & units(s.cidr for s in self.world.cut(key).values()):
                wrong |= {(400, "IllegalSubnetPoolUpdate")}
            new = Pool(**vars(pool))
            new.prefixes = [*pool.prefixes, *added]
            wrong |= self.world.held_by_scope(asker, key) | self._wrong_move(who, key, pool, new)
        path = f"/subnetpools/{key}/onboard_network_subnets"
        answer = self._call("PUT", path, {"network_id": chosen}, who, wrong)
        if answer is not None and new is not None:
            assert {(one["id"], one["cidr"]) for one in answer} == {(k, s.cidr) for k, s in coming.items()}
            self.world.subnetpools[key] = new
            for subnet in coming.values():
                subnet.cut_from = key

    @precondition(lambda self: self.world.subnetpools)
    @rule(who=asker, at=index, matched=match)
    def delete_pool(self, who: str, at: int, matched: str) -> None:
        key = self._pick("subnetpools", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "subnetpools", key)
        if not wrong and self.world.cut(key):
            wrong = {(400, "SubnetPoolDeleteError")}
        if self._remove("subnetpools", key, who, wrong, matched=matched):
            self.world.unshare_all(key)
            del self.world.subnetpools[key]

    def _wrong_move(self, who: str, key: str, old: Pool, new: Pool) -> Refusals:
        """What is wrong with other prefixes or another scope."""
        wrong: Refusals = set()
        moved = new.scope != old.scope
        if new.scope is not None and (moved or not same_blocks(new.prefixes, old.prefixes)):
            wrong |= self.world.wrong_scope(ASKERS[who], new.scope, new, key)
        return wrong | (self.world.strangers(key) if moved else set())


class Scopes(Agreement):
    """Every rule is one call."""

    @rule(who=asker, version=st.sampled_from([4, 4, 6]), shared=st.sampled_from([False, False, True]))
    def create_scope(self, who: str, version: int, shared: bool) -> None:
        asker, body = ASKERS[who], {"name": "scope", "ip_version": version}
        wrong = set() if asker.writes else {FORBIDDEN}
        if shared:
            body["shared"] = True
            wrong |= set() if asker.admin else {FORBIDDEN}
        answer = self._call("POST", "/address-scopes", {"address_scope": body}, who, wrong)
        if answer:
            key = answer["address_scope"]["id"]
            self.world.address_scopes[key] = Scope(asker.project, version)
            if shared:
                self._learn_shares("address_scopes", key)

    @precondition(lambda self: self.world.address_scopes)
    @rule(who=asker, at=index, shared=st.none() | st.booleans(), matched=match)
    def update_scope(self, who: str, at: int, shared: bool | None, matched: str) -> None:
        """A scope that is shared with all stays so."""
        key, asker = self._pick("address_scopes", at, who), ASKERS[who]
        wrong = self.world.unchangeable(asker, "address_scopes", key)
        body: dict[str, Any] = {"name": f"by-{who}-{shared}"}
        if shared is not None:
            body["shared"] = shared
            if (404, NOT_FOUND["address_scopes"]) not in wrong:
                wrong |= set() if asker.admin else {FORBIDDEN}
                if not shared and self.world.share_of(key, "*"):
                    wrong |= {(400, "AddressScopeUpdateError")}
        if self._change("address_scopes", key, body, who, wrong, matched=matched) and shared:
            self._learn_shares("address_scopes", key)

    @precondition(lambda self: self.world.address_scopes)
    @rule(who=asker, at=index, matched=match)
    def delete_scope(self, who: str, at: int, matched: str) -> None:
        key = self._pick("address_scopes", at, who)
        wrong = self.world.unchangeable(ASKERS[who], "address_scopes", key)
        if not wrong and any(pool.scope == key for pool in self.world.subnetpools.values()):
            wrong = {(409, "AddressScopeInUse")}
        if self._remove("address_scopes", key, who, wrong, matched=matched):
            self.world.unshare_all(key)
            del self.world.address_scopes[key]


def _block(number: int, version: int) -> str:
    """The CIDR of one of ``units``."""
    length = UNIT[version]
    bits = {4: 32, 6: 128}[version]
    address = ipaddress.ip_address((number << (bits - length)).to_bytes(bits // 8, "big"))
    return f"{address}/{length}"
