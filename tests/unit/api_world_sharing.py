"""Of the model of the network API: who sees what, who may change it, who uses what is shared. Pure."""

from __future__ import annotations

from api_records import EVERYBODY, FORBIDDEN, NOT_FOUND, OVER, SHARED_TYPES, Asker, Refusals, Things

COUNTED = {"rbac_policy": "shares", "subnetpool": "subnetpools"}
"""Quotas whose collection is not their name with an s."""


class Sharing(Things):
    """Projects are walls, but for what is shared."""

    def is_user(self, asker: Asker, network: str) -> bool:
        """May have ports on it."""
        own = asker.admin or self.networks[network].project == asker.project
        return own or self.granted(network, asker.project)

    def granted(self, key: str, project: str) -> bool:
        """Shared with the project."""
        return any(s.key == key and s.target in (project, EVERYBODY) for s in self.shares.values())

    def owns_network(self, asker: Asker, network: str) -> bool:
        return asker.admin or self.networks[network].project == asker.project

    def sees(self, asker: Asker, kind: str, key: str) -> bool:
        """Gets it in lists; else it is a 404 for the asker."""
        found = getattr(self, kind)[key]
        if asker.admin or found.project == asker.project:
            return True
        if kind in SHARED_TYPES and self.granted(key, asker.project):
            return True
        through = {
            "networks": lambda: found.external,
            "subnets": lambda: self.is_user(asker, found.network),
            "ports": lambda: self.networks[found.network].project == asker.project,
            "security_group_rules": lambda: self.security_groups[found.group].project == asker.project,
        }
        return bool(through[kind]()) if kind in through else False

    def missing(self, asker: Asker, kind: str, key: str) -> Refusals:
        """404 where the asker may not know of it."""
        if key in getattr(self, kind) and self.sees(asker, kind, key):
            return set()
        return {(404, NOT_FOUND[kind])}

    def unchangeable(self, asker: Asker, kind: str, key: str, *, delete: bool = False) -> Refusals:
        """404, or 403 for what is seen but belongs to others (or the asker only reads)."""
        found = self.missing(asker, kind, key)
        if found:
            return found
        thing = getattr(self, kind)[key]
        own = asker.admin or thing.project == asker.project
        if kind == "ports" and delete:
            own = own or self.owns_network(asker, thing.network)
        if kind == "subnets":
            own = own or self.owns_network(asker, thing.network)
        return set() if own and asker.writes else {FORBIDDEN}

    def count(self, resource: str, project: str) -> int:
        """How many of what a quota counts the project has."""
        things = [*getattr(self, COUNTED.get(resource, f"{resource}s")).values()]
        if resource == "rbac_policy":  # an external network has one for everybody, ``access_as_external``
            things += [network for network in self.networks.values() if network.external]
        return sum(thing.project == project for thing in things)

    def over(self, resource: str, project: str, more: int = 1) -> Refusals:
        """So many more would be too many."""
        limit = self.limits.get((project, resource), -1)
        return {OVER} if 0 <= limit < self.count(resource, project) + more else set()

    def users(self, kind: str, key: str) -> set[str]:
        """The other projects that use an object; gateways and floating IPs are of none."""
        owner = getattr(self, kind)[key].project
        having_qos = (self.networks, self.ports, self.routers, self.floatingips)
        using = {
            "networks": lambda: [p for p in self.ports.values() if p.network == key],
            "security_groups": lambda: [p for p in self.ports.values() if key in p.groups],
            "address_groups": lambda: [r for r in self.security_group_rules.values() if r.address_group == key],
            "subnetpools": lambda: [s for s in self.subnets.values() if s.cut_from == key],
            "address_scopes": lambda: [p for p in self.subnetpools.values() if p.scope == key],
            "policies": lambda: [one for things in having_qos for one in things.values() if one.qos == key],
        }[kind]
        return {one.project for one in using() if one.project} - {owner}

    def share_needed(self, key: str, target: str | None = None) -> bool:
        """Somebody uses the object because of this policy alone, and would not by its new ``target``."""
        share = self.shares[key]
        others = {s.target for k, s in self.shares.items() if s.key == share.key and k != key}
        using = self.users(share.kind, share.key)
        if EVERYBODY in others | {target}:
            return False
        if share.target != EVERYBODY:
            using &= {share.target}
        return bool(using - others - {target})

    def share_of(self, key: str, target: str) -> str | None:
        """The policy of the object for this target."""
        return next((k for k, s in self.shares.items() if (s.key, s.target) == (key, target)), None)

    def unshare_all(self, key: str) -> None:
        """The object is gone."""
        for share in [k for k, s in self.shares.items() if s.key == key]:
            del self.shares[share]
