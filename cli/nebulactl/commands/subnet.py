"""``nebulactl subnet``: options and attributes of subnets. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, add_unset
from nebulactl.api import Api, JsonObject
from nebulactl.common_settings import DESCRIPTION, NAME, OWNER, SHARE, TAG, TAGS
from nebulactl.nouns import NETWORK_NOUN, SUBNET
from nebulactl.options import KeyValues, Setting
from nebulactl.pool_nouns import ADDRESS_SCOPE, SUBNET_POOL


def _gateway(_api: Api, value: str) -> str | msgspec.UnsetType | None:
    return {"auto": msgspec.UNSET, "none": None}.get(value.lower(), value)


_NETWORK = Setting(flag="--network", attribute="network_id", noun=NETWORK_NOUN, help="Its network (name or id).")
_RANGE = Setting(flag="--subnet-range", attribute="cidr", metavar="CIDR", help="Its addresses: 192.168.50.0/24.")
_DHCP = Setting(flag="--dhcp/--no-dhcp", attribute="enable_dhcp", help="Whether DHCP answers.")
_GATEWAY = Setting(
    flag="--gateway", attribute="gateway_ip", convert=_gateway, help="An address, 'auto' (the first one) or 'none'."
)
_VERSION = Setting(
    flag="--ip-version",
    attribute="ip_version",
    type=click.Choice(["4", "6"]),
    convert=lambda _api, value: int(value),
    help="4 or 6; by default what the range is.",
)
_POOL = Setting(
    flag="--allocation-pool",
    attribute="allocation_pools",
    type=KeyValues("start end", required="start end"),
    metavar="start=IP,end=IP",
    many=True,
    help="Addresses to give to ports.",
)
_DNS = Setting(flag="--dns-nameserver", attribute="dns_nameservers", many=True, help="DNS server told to guests.")
_ROUTE = Setting(
    flag="--host-route",
    attribute="host_routes",
    type=KeyValues("destination gateway", required="destination gateway", gateway="nexthop"),
    metavar="destination=CIDR,gateway=IP",
    many=True,
    help="Route told to guests.",
)


def _clearable(setting: Setting, flag: str) -> Setting:
    return msgspec.structs.replace(setting, clear=flag)


def _with_version(attributes: JsonObject) -> JsonObject:
    """The API wants the IP version; the range tells it."""
    return {"ip_version": 6 if ":" in str(attributes.get("cidr")) else 4, **attributes}


@click.group()
def subnet() -> None:
    """Subnets: a range of addresses on a network."""


add_create(
    subnet,
    SUBNET,
    msgspec.structs.replace(_NETWORK, required=True),
    _RANGE,
    Setting(flag="--subnet-pool", attribute="subnetpool_id", noun=SUBNET_POOL, help="Pool to cut it from."),
    Setting(flag="--prefix-length", attribute="prefixlen", type=click.INT, help="Its length, out of a pool."),
    _VERSION,
    _GATEWAY,
    _DHCP,
    _POOL,
    _DNS,
    _ROUTE,
    OWNER,
    DESCRIPTION,
    TAG,
    example="nebulactl subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24",
    complete=_with_version,
)
add_list(subnet, SUBNET, _NETWORK, NAME, _RANGE, _DHCP, _VERSION, _GATEWAY, OWNER, TAGS)
add_show(subnet, SUBNET)
add_set(
    subnet,
    SUBNET,
    NAME,
    _DHCP,
    _GATEWAY,
    DESCRIPTION,
    _clearable(_POOL, "--no-allocation-pool"),
    _clearable(_DNS, "--no-dns-nameservers"),
    _clearable(_ROUTE, "--no-host-route"),
    TAG,
    example="nebulactl subnet set nebula_subnet --dns-nameserver 198.51.100.53",
)
add_unset(subnet, SUBNET, _POOL, _DNS, _ROUTE, blank={"--gateway": ("gateway_ip", None)})
add_delete(subnet, SUBNET)


_PREFIX = Setting(flag="--pool-prefix", attribute="prefixes", metavar="CIDR", many=True, help="Prefix to cut from.")
_LENGTHS = (
    Setting(flag="--default-prefix-length", attribute="default_prefixlen", type=click.INT, help="Length by default."),
    Setting(flag="--min-prefix-length", attribute="min_prefixlen", type=click.INT, help="Shortest length."),
    Setting(flag="--max-prefix-length", attribute="max_prefixlen", type=click.INT, help="Longest length."),
)
_QUOTA = Setting(flag="--default-quota", attribute="default_quota", type=click.INT, help="Quota of each project.")
_SCOPE = Setting(flag="--address-scope", attribute="address_scope_id", noun=ADDRESS_SCOPE, help="Its address scope.")
_DEFAULT = Setting(flag="--default/--no-default", attribute="is_default", help="The default of its IP version.")


@subnet.group("pool")
def pool() -> None:
    """Subnet pools: where subnets get their range from."""


add_create(
    pool,
    SUBNET_POOL,
    msgspec.structs.replace(_PREFIX, required=True),
    *_LENGTHS,
    _QUOTA,
    _SCOPE,
    _DEFAULT,
    SHARE,
    OWNER,
    DESCRIPTION,
    TAG,
    example="nebulactl subnet pool create campus --pool-prefix 10.8.0.0/16 --default-prefix-length 24",
)
add_list(pool, SUBNET_POOL, NAME, _SCOPE, _DEFAULT, SHARE, OWNER, TAGS)
add_show(pool, SUBNET_POOL)
add_set(pool, SUBNET_POOL, NAME, _PREFIX, *_LENGTHS, _QUOTA, _SCOPE, _DEFAULT, DESCRIPTION, TAG)
add_delete(pool, SUBNET_POOL)
