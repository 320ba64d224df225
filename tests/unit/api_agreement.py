"""After each call: what the controller shows an administrator, and each caller, is what the world holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from api_learning import Learning, rule_of
from api_machine import addresses_of, asker
from api_records import ASKERS, SHARED_TYPES, path_of
from api_world_pools import same_blocks
from hypothesis.stateful import invariant, rule

KINDS = [
    *("networks", "subnets", "ports", "routers", "floatingips", "security_groups", "security_group_rules"),
    *("address_groups", "subnetpools", "address_scopes", "policies"),
]
COUNTED = ["network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"]
COUNTED += ["subnetpool", "rbac_policy", "address_group"]
"""Quotas."""
OF_OTHERS = {"revision_number", "updated_at", "port_details", "port_forwardings", "shared", "qos_network_policy_id"}
OF_OTHERS |= {"status", "availability_zones", "router_id", "ipv4_address_scope", "ipv6_address_scope"}
"""What an answer shows of other objects, or what depends on who asks."""


class Agreement(Learning):
    """Every rule and invariant only reads."""

    @invariant()
    def agree(self) -> None:
        """All objects as an administrator sees them are the world's, and what changed has another revision."""
        if not self.moved:
            return
        self.moved = False
        shown = {kind: self.api.get(f"/{path_of(kind)}", "root")[kind] for kind in KINDS}
        self._learn_these_groups(shown["security_groups"], shown["security_group_rules"])
        self._learn_dhcp(shown["ports"])
        w = self.world
        assert _by_id(
            shown["networks"], lambda n: (n["project_id"], n["name"], set(n["subnets"]), n["qos_policy_id"])
        ) == {k: (n.project, n.name, set(w.subnets_of(k)), n.qos) for k, n in w.networks.items()}
        assert _by_id(shown["subnets"], _subnet) == {
            k: (s.network, s.cidr, s.gateway, s.cut_from, s.ra_mode, s.address_mode) for k, s in w.subnets.items()
        }
        assert _by_id(shown["ports"], _port) == {
            k: (p.project, p.network, p.fixed, p.owner, p.device, p.groups, p.qos, p.options)
            for k, p in w.ports.items()
        }
        assert _by_id(shown["routers"], _router) == {
            k: (
                r.routes,
                None if r.gateway is None else (r.gateway, r.snat, r.qos, w.ports[str(w.gateway_port(k))].fixed),
            )
            for k, r in w.routers.items()
        }
        assert _by_id(shown["floatingips"], _floating) == {
            k: (f.address, f.port, f.fixed, f.router, f.qos, set(w.forwardings_of(k))) for k, f in w.floatingips.items()
        }
        assert _by_id(shown["security_groups"], lambda g: (g["project_id"], g["name"])) == {
            k: (g.project, g.name) for k, g in w.security_groups.items()
        }
        assert _by_id(shown["security_group_rules"], rule_of) == {
            k: (r.group, r.what) for k, r in w.security_group_rules.items()
        }
        assert _by_id(shown["address_groups"], lambda g: (g["project_id"], sorted(g["addresses"]))) == {
            k: (g.project, sorted(g.addresses)) for k, g in w.address_groups.items()
        }
        assert _by_id(shown["subnetpools"], _pool) == {
            k: (p.project, p.version, p.lengths, p.quota, p.default, p.scope) for k, p in w.subnetpools.items()
        }
        for pool in shown["subnetpools"]:
            assert same_blocks(pool["prefixes"], w.subnetpools[pool["id"]].prefixes), pool
        assert _by_id(shown["address_scopes"], lambda s: (s["project_id"], s["ip_version"])) == {
            k: (s.project, s.version) for k, s in w.address_scopes.items()
        }
        assert _by_id(shown["policies"], lambda p: (p["project_id"], p["is_default"], len(p["rules"]))) == {
            k: (p.project, p.default, len(p.rules)) for k, p in w.policies.items()
        }
        addresses = [(where, address) for port in w.ports.values() for where, address in port.fixed]
        assert len(addresses) == len(set(addresses))
        self._check_revisions(shown)

    def teardown(self) -> None:
        try:
            self.moved = True  # whatever the last calls were
            self.agree()
        finally:
            super().teardown()

    def _check_revisions(self, shown: dict[str, list[dict[str, Any]]]) -> None:
        now = {(kind, one["id"]): one for kind, many in shown.items() for one in many}
        for key, one in now.items():
            before = self.seen.get(key)
            if before is None:
                continue
            assert one["revision_number"] >= before["revision_number"], key
            changed = {n: (before[n], one[n]) for n in one if n not in OF_OTHERS and before[n] != one[n]}
            if changed:
                assert one["revision_number"] > before["revision_number"], (key, changed)
        self.seen = now

    @rule(who=asker)
    def look(self, who: str) -> None:
        """Lists hold what the asker sees; the others' objects are not there by id either."""
        asker = ASKERS[who]
        for kind in KINDS:
            things = getattr(self.world, kind)
            if kind == "security_groups":
                self._learn_groups()
            listed = {one["id"] for one in self.api.get(f"/{path_of(kind)}?fields=id", who)[kind]}
            if kind == "security_groups":
                self._learn_groups()
            assert listed == {key for key in things if self.world.sees(asker, kind, key)}, (kind, who)
            for key in list(things)[:4]:
                answer = self.api.call("GET", f"/{path_of(kind)}/{key}", token=who)
                assert answer.status == (200 if key in listed else 404), (kind, answer.raw)
                if key in listed and kind in SHARED_TYPES:
                    one = next(iter(answer.json.values()))
                    assert one["shared"] == self.world.granted(key, asker.project), one
        for key, network in self.world.networks.items():
            if self.world.sees(asker, "networks", key):
                one = self.api.get(f"/networks/{key}", who)["network"]
                assert (one["router:external"], one["project_id"]) == (network.external, network.project)
                scopes = self.world.scope_of(key, 4), self.world.scope_of(key, 6)
                assert (one["ipv4_address_scope"], one["ipv6_address_scope"]) == scopes

    @rule(who=asker)
    def look_at_quota(self, who: str) -> None:
        """What a project uses is what it has."""
        project = ASKERS[who].project
        details = self.api.get(f"/quotas/{project}/details", who)["quota"]
        self._learn_groups()
        for resource in COUNTED:
            limit = self.world.limits.get((project, resource), -1)
            expected = {"limit": limit, "used": self.world.count(resource, project), "reserved": 0}
            assert details[resource] == expected, resource


def _subnet(one: dict[str, Any]) -> object:
    names = ("network_id", "cidr", "gateway_ip", "subnetpool_id", "ipv6_ra_mode", "ipv6_address_mode")
    return tuple(one[name] for name in names)


def _port(one: dict[str, Any]) -> object:
    of = (one["device_owner"], one["device_id"], set(one["security_groups"]), one["qos_policy_id"])
    assert len(addresses_of(one)) == len(one["fixed_ips"])
    options = {(option["opt_name"], option["ip_version"]): option["opt_value"] for option in one["extra_dhcp_opts"]}
    return (one["project_id"], one["network_id"], addresses_of(one), *of, options)


def _router(one: dict[str, Any]) -> object:
    info = one["external_gateway_info"]
    routes = {(route["destination"], route["nexthop"]) for route in one["routes"]}
    if info is None:
        return routes, None
    fixed = {(each["subnet_id"], each["ip_address"]) for each in info["external_fixed_ips"]}
    return routes, (info["network_id"], info["enable_snat"], info["qos_policy_id"], fixed)


def _floating(one: dict[str, Any]) -> object:
    names = ("floating_ip_address", "port_id", "fixed_ip_address", "router_id", "qos_policy_id")
    return (*[one[name] for name in names], {each["id"] for each in one["port_forwardings"]})


def _pool(one: dict[str, Any]) -> object:
    lengths = (one["min_prefixlen"], one["default_prefixlen"], one["max_prefixlen"])
    of = (one["default_quota"], one["is_default"], one["address_scope_id"])
    return (one["project_id"], one["ip_version"], lengths, *of)


def _by_id(many: list[dict[str, Any]], what: Callable[[dict[str, Any]], object]) -> dict[str, object]:
    assert all(UUID(one["id"]) for one in many)
    return {one["id"]: what(one) for one in many}
