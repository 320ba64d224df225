"""What the network API promises, as a small world in memory: which calls are refused and why, who sees what. Pure.

Written from Neutron's API reference and ``docs/api.md``, and independent of the controller: no import of its rules. A
function gives the refusals that a call deserves, as (status, error type); with several of them any will do, with none
the call has to succeed. Which address an object gets is the controller's choice: the world says which are free.
"""

from __future__ import annotations

from api_records import DHCP, Asker, Policy, Refusals
from api_world_hosting import Hosting
from api_world_pools import Pools

LIMIT, LEAST, PACKETS = "bandwidth_limit_rule", "minimum_bandwidth_rule", "minimum_packet_rate_rule"
"""Kinds of QoS rules."""


class World(Hosting, Pools):
    """All that is there, by id."""

    # QoS.

    def wrong_qos(self, asker: Asker, new: str | None, old: str | None) -> Refusals:
        """A policy is given and taken away by who sees it."""
        if new == old:
            return set()
        if old is not None and self.missing(asker, "policies", old):
            return {(403, "PolicyRemoveAuthorizationError")}
        return set() if new is None else self.missing(asker, "policies", new)

    def second_default(self, project: str, key: str | None = None) -> Refusals:
        """A project has one default policy; ``key``: not counting this."""
        known = any(p.default and p.project == project and k != key for k, p in self.policies.items())
        return {(409, "QoSPolicyDefaultAlreadyExists")} if known else set()

    def default_policy(self, project: str) -> str | None:
        return next((k for k, p in self.policies.items() if p.default and p.project == project), None)

    def qos_used(self, key: str) -> bool:
        having = (self.networks, self.ports, self.routers, self.floatingips)
        return any(one.qos == key for things in having for one in things.values())

    def wrong_rule(self, policy: Policy, wished: tuple[str, str, int], key: str | None = None) -> Refusals:
        """One rule of a kind and direction, and no limit below what is guaranteed; ``key``: the rule that changes."""
        kind, direction, number = wished
        wrong: Refusals = set()
        for other, (known, way, value) in policy.rules.items():
            both_ways = kind == PACKETS and "any" in (direction, way)
            if other != key and kind == known and (direction == way or both_ways):
                wrong |= {(409, "QoSRulesConflict")}
            limit, least = {kind: number, known: value}.get(LIMIT), {kind: number, known: value}.get(LEAST)
            if other != key and direction == way and {kind, known} == {LIMIT, LEAST} and limit < least:  # type: ignore
                wrong |= {(409, "QoSRuleParameterConflict")}
        return wrong

    # What goes with what.

    def drop_group(self, key: str) -> None:
        del self.security_groups[key]
        self.unshare_all(key)
        for rule, each in list(self.security_group_rules.items()):
            if key in (each.group, each.remote):
                del self.security_group_rules[rule]

    def holds_network(self, network: str) -> bool:
        """A port that does not go with the network: a floating IP that leads nowhere does, as DHCP's ports do."""
        free = [k for k, f in self.floatingips.items() if f.network == network and f.router is None]
        idle = {self.floating_port(key) for key in free}
        ports = {key: port for key, port in self.ports.items() if port.network == network and port.owner != DHCP}
        return bool(ports.keys() - idle)

    def drop_network(self, network: str) -> None:
        for key in [key for key, floating in self.floatingips.items() if floating.network == network]:
            self.drop_floating(key)
        for key in [key for key, port in self.ports.items() if port.network == network]:
            del self.ports[key]
        for key in self.subnets_of(network):
            del self.subnets[key]
        self.unshare_all(network)
        del self.networks[network]
