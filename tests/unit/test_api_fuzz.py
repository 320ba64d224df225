"""Random requests: never a failure of ours, a refusal changes nothing, and addresses stay accounted for."""

from __future__ import annotations

import ipaddress
from typing import Any

import hypothesis.strategies as st
from api_network_client import Api, fresh
from hypothesis import HealthCheck, example, given, settings
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables import pools
from sqlalchemy import select

from nebula.model.address_scope import ADDRESS_SCOPE
from nebula.model.floating_ip import FLOATING_IP, PORT_FORWARDING
from nebula.model.network import NETWORK
from nebula.model.port import PORT
from nebula.model.qos import QOS_POLICY, QOS_RULES
from nebula.model.rbac import RBAC_POLICY
from nebula.model.router import ROUTER
from nebula.model.security_group import ADDRESS_GROUP, SECURITY_GROUP, SECURITY_GROUP_RULE
from nebula.model.subnet import IPV6_MODES, SUBNET
from nebula.model.subnet_pool import SUBNET_POOL
from nebula.rules.subnet_pools import compact, minus

RESOURCES: dict[str, Any] = {
    resource.singular: resource
    for resource in (
        *(NETWORK, SUBNET, PORT, ROUTER),
        *(SECURITY_GROUP, SECURITY_GROUP_RULE, ADDRESS_GROUP, FLOATING_IP),
        *(SUBNET_POOL, ADDRESS_SCOPE),
        *(RBAC_POLICY, QOS_POLICY, *QOS_RULES),
    )
}
PATHS = {
    "policy": "/qos/policies",
    "rbac_policy": "/rbac-policies",
    **{rules.singular: f"/qos/policies/POLICY/{rules.plural}" for rules in QOS_RULES},
}
"""Where those are whose path does not follow from their name."""
NEEDED: dict[str, dict[str, object]] = {
    "port": {"network_id": "NETWORK"},
    "security_group_rule": {"security_group_id": "SECURITY_GROUP", "direction": "ingress"},
    "floatingip": {"floating_network_id": "PUBLIC"},
    "subnetpool": {"name": "pool", "prefixes": ["10.8.0.0/16"]},
    "address_scope": {"ip_version": 4},
    "rbac_policy": {
        "object_type": "network",
        "object_id": "NETWORK",
        "action": "access_as_shared",
        "target_tenant": "p-admin",
    },
    "bandwidth_limit_rule": {"max_kbps": 10},
    "dscp_marking_rule": {"dscp_mark": 10},
    "minimum_bandwidth_rule": {"min_kbps": 9},
    "minimum_packet_rate_rule": {"min_kpps": 9},
    "port_forwarding": {
        "protocol": "tcp",
        "internal_port_id": "PORT",
        "external_port_range": "1:9",
        "internal_port_range": "1:9",
    },
}
"""What a random body of such a resource has at least, so that most are not refused for the same reason."""

IDS = (
    "NETWORK",
    "SUBNET",
    "PORT",
    "ROUTER",
    "PUBLIC",
    "SECURITY_GROUP",
    "ADDRESS_GROUP",
    "FLOATINGIP",
    "SUBNETPOOL",
    "ADDRESS_SCOPE",
    "EMPTY",
    "POLICY",
    "RBAC_POLICY",
    "BANDWIDTH_LIMIT_RULE",
)
MISSING = "00000000-0000-4000-8000-000000000000"

addresses = st.sampled_from(
    [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.9",
        "10.0.0.255",
        "10.1.0.0/16",
        "10.0.0.0/24",
        "10.0.0.0/30",
        "0.0.0.0/0",
        "fd00::1",
        "fd00::/64",
        "fd00::/127",
        "::/0",
        "ff02::1",
        "fe80::1",
        "203.0.113.7",
        "224.0.0.0/4",
        "127.0.0.0/8",
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 10),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    addresses,
    st.sampled_from(
        [
            *IDS,
            MISSING,
            "ingress",
            "IPv6",
            "tcp",
            "58",
            "1:65535",
            22,
            "vxlan",
            "flat",
            "fa:16:3e:00:00:01",
            "4",
            "true",
            *IPV6_MODES,
            "compute:nova",
            "qos_policy",
            "access_as_external",
            "*",
            "egress",
        ]
    ),
)
members = st.sampled_from(
    [
        "subnet_id",
        "ip_address",
        "start",
        "end",
        "destination",
        "nexthop",
        "network_id",
        "enable_snat",
        "external_fixed_ips",
        "mac_address",
        "opt_name",
        "opt_value",
        "qos_policy_id",
    ]
)
forwarded = st.sampled_from(sorted(PORT_FORWARDING.attributes))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=3), max_leaves=5
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, object]:
    """Method, path and body; upper-case words stand for objects that are there."""
    noun = draw(st.sampled_from(sorted(RESOURCES)))
    name = st.sampled_from(sorted(RESOURCES[noun].attributes)) | st.text(max_size=5)
    body = {noun: draw(st.dictionaries(name, values, max_size=4))}
    body[noun] = {**NEEDED.get(noun, {}), **body[noun]}
    if noun == "subnet":
        source = {"cidr": draw(addresses)} if draw(st.booleans()) else {"subnetpool_id": "SUBNETPOOL", "prefixlen": 24}
        network = draw(st.sampled_from(["NETWORK", "EMPTY"]))
        body[noun] = {"network_id": network, "ip_version": draw(st.sampled_from([4, 6])), **source, **body[noun]}
    kind = draw(st.sampled_from(["POST", "PUT", "DELETE", "interface", "forwarding", "pool", "odd"]))
    key = draw(st.sampled_from([noun.upper(), MISSING, "x"]))
    path = PATHS.get(noun, f"/{noun.replace('_', '-')}s")
    if kind == "POST":
        return "POST", path, body
    if kind == "forwarding":
        forwarding = {**NEEDED["port_forwarding"], **draw(st.dictionaries(forwarded, values, max_size=3))}
        return "POST", "/floatingips/FLOATINGIP/port_forwardings", {"port_forwarding": forwarding}
    if kind == "pool":
        verb = draw(st.sampled_from(["add_prefixes", "remove_prefixes", "onboard_network_subnets"]))
        given = {"prefixes": draw(st.lists(addresses, max_size=3)), "network_id": draw(st.sampled_from(IDS))}
        return "PUT", f"/subnetpools/SUBNETPOOL/{verb}", given
    if kind == "interface":
        verb = draw(st.sampled_from(["add", "remove"]))
        return "PUT", f"/routers/ROUTER/{verb}_router_interface", draw(st.dictionaries(members, values, max_size=2))
    if kind == "odd":
        return draw(st.sampled_from(["POST", "PUT"])), f"{path}/{key}/tags", draw(values)
    if kind == "PUT":
        for fixed in ("network_id", "cidr", "ip_version", "floating_network_id", "security_group_id", "direction"):
            body[noun].pop(fixed, None)
    return kind, f"{path}/{key}", body if kind == "PUT" else None


def _with_ids(api: Api) -> dict[str, str]:
    network, subnet = api.network("10.0.0.0/29", "admin")
    public, _ = api.external()
    router = api.make("router", "admin", external_gateway_info={"network_id": public["id"]})
    port = api.make("port", "admin", network_id=network["id"])
    interface = {"subnet_id": subnet["id"]}
    assert api.call("PUT", f"/routers/{router['id']}/add_router_interface", interface, token="admin").status == 200
    group = api.make("security_group", "admin", name="web")
    addresses_of = api.make("address_group", "admin", addresses=["10.0.0.1"])
    floating = api.make("floatingip", "admin", floating_network_id=public["id"])
    pool = api.make("subnetpool", "admin", name="pool", prefixes=["10.0.0.0/16"], default_prefixlen=24)
    scope = api.make("address_scope", "admin", ip_version=4)
    empty = api.make("network", "admin")
    qos = api.call("POST", "/qos/policies", {"policy": {"name": "slow"}}, token="admin").json["policy"]
    rules = {"bandwidth_limit_rule": {"max_kbps": 10}}
    path = f"/qos/policies/{qos['id']}/bandwidth_limit_rules"
    rule = api.call("POST", path, rules, token="admin").json["bandwidth_limit_rule"]
    shared = {
        "object_type": "qos_policy",
        "object_id": qos["id"],
        "action": "access_as_shared",
        "target_tenant": "p-bob",
    }
    rbac = api.call("POST", "/rbac-policies", {"rbac_policy": shared}, token="admin").json["rbac_policy"]
    objects = (
        network,
        subnet,
        port,
        router,
        public,
        group,
        addresses_of,
        floating,
        pool,
        scope,
        empty,
        qos,
        rbac,
        rule,
    )
    return {name: made["id"] for name, made in zip(IDS, objects, strict=True)}


def _filled(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, list):
        return [_filled(item, ids) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, ids) for name, item in value.items()}
    return value


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests(), min_size=1, max_size=8))
@example(
    [("PUT", "/routers/ROUTER", {"router": {"external_gateway_info": {"network_id": "PUBLIC", "enable_snat": None}}})]
)
def test_random_requests(calls: list[tuple[str, str, object]]) -> None:
    """Whatever an administrator sends: no 5xx, a refusal leaves all rows alone, each address is free or in use."""
    api = fresh()
    ids = _with_ids(api)
    for method, path, body in calls:
        before = api.tables()
        route = "/".join(ids.get(part, part) for part in path.split("/"))
        answer = api.call(method, route, _filled(body, ids), token="admin")
        assert answer.status < 500, (method, route, body, answer.raw)
        if answer.status >= 400:
            assert api.tables() == before
    _check_addresses(api)
    _check_blocks(api)


def _check_addresses(api: Api) -> None:
    """Of each subnet's pools every address is free or a port's, and never both."""
    with api.database.read() as tx:
        for subnet in tx.execute(select(tables.subnets.c.id)).scalars().all():
            ranges = [
                (int(ipaddress.ip_address(start)), int(ipaddress.ip_address(end)))
                for start, end in tx.execute(
                    select(tables.allocation_pools.c.start, tables.allocation_pools.c.end).where(
                        tables.allocation_pools.c.subnet_id == subnet
                    )
                )
            ]
            taken = {
                int(ipaddress.ip_address(address))
                for address in tx.execute(
                    select(tables.fixed_ips.c.ip_address).where(tables.fixed_ips.c.subnet_id == subnet)
                ).scalars()
            }
            free = [
                (int.from_bytes(first, "big"), int.from_bytes(last, "big"))
                for first, last in tx.execute(
                    select(tables.free_addresses.c.first, tables.free_addresses.c.last).where(
                        tables.free_addresses.c.subnet_id == subnet
                    )
                )
            ]
            inside = [n for n in taken if any(first <= n <= last for first, last in ranges)]
            assert not [n for n in taken if any(first <= n <= last for first, last in free)]
            size = sum(last - first + 1 for first, last in ranges)
            assert sum(last - first + 1 for first, last in free) + len(inside) == size


def _check_blocks(api: Api) -> None:
    """Of each pool's prefixes every block is free or a subnet's, and never both; no two subnets share one."""
    with api.database.read() as tx:
        for pool, prefixes in tx.execute(select(pools.subnet_pools.c.id, pools.subnet_pools.c.prefixes)).all():
            free = [
                str(ipaddress.ip_network((first, length)))
                for first, length in tx.execute(
                    select(pools.free_prefixes.c.first, pools.free_prefixes.c.prefixlen).where(
                        pools.free_prefixes.c.subnetpool_id == pool
                    )
                )
            ]
            cut = (
                tx.execute(select(tables.subnets.c.cidr).where(tables.subnets.c.subnetpool_id == pool)).scalars().all()
            )
            assert compact(free) == minus(prefixes, cut)
            assert minus(cut, prefixes) == ()
            size = sum(ipaddress.ip_network(cidr).num_addresses for cidr in cut)
            assert size == sum(ipaddress.ip_network(cidr).num_addresses for cidr in compact(cut))
