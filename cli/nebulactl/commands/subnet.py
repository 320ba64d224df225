"""``nebulactl subnet``: options and attributes of subnets. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, add_unset
from nebulactl.api import Api, JsonObject
from nebulactl.common_settings import EXTRA_OUT, TAG_OUT
from nebulactl.find import find_id, item_path
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, SUBNET
from nebulactl.options import KeyValues, Setting, changes, names_of
from nebulactl.plain_settings import of_attribute
from nebulactl.plain_verbs import add_plain
from nebulactl.pool_nouns import SUBNET_POOL


def _gateway(_api: Api, value: str) -> str | msgspec.UnsetType | None:
    return {"auto": msgspec.UNSET, "none": None}.get(value.lower(), value)


_GATEWAY = msgspec.structs.replace(
    of_attribute(SUBNET, "gateway_ip"), convert=_gateway, help="An address, 'auto' (the first one) or 'none'."
)
_VERSION = msgspec.structs.replace(
    of_attribute(SUBNET, "ip_version"), required=False, help="4 or 6; by default what the range is."
)
_POOL = Setting(
    flag="--allocation-pool",
    attribute="allocation_pools",
    type=KeyValues("start end", required="start end"),
    metavar="start=IP,end=IP",
    many=True,
    help="Addresses to give to ports.",
)
_DNS = msgspec.structs.replace(of_attribute(SUBNET, "dns_nameservers"), clear="--no-dns-nameservers")
_SERVICE = of_attribute(SUBNET, "service_types")
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


def _plain(setting: Setting) -> Setting:
    return msgspec.structs.replace(setting, clear="")


def _one(setting: Setting) -> Setting:
    return msgspec.structs.replace(setting, many=False)


def _with_version(attributes: JsonObject) -> JsonObject:
    """The API wants the IP version; the range tells it."""
    return {"ip_version": 6 if ":" in str(attributes.get("cidr")) else 4, **attributes}


@click.group()
def subnet() -> None:
    """Subnets: a range of addresses on a network."""


add_create(
    subnet,
    SUBNET,
    _VERSION,
    _GATEWAY,
    _POOL,
    _ROUTE,
    example="nebulactl subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24",
    complete=_with_version,
)
add_list(
    subnet,
    SUBNET,
    _VERSION,
    _GATEWAY,
    _one(_SERVICE),
)
add_show(subnet, SUBNET)
add_set(
    subnet,
    SUBNET,
    _GATEWAY,
    _DNS,
    _clearable(_POOL, "--no-allocation-pool"),
    _clearable(_ROUTE, "--no-host-route"),
    example="nebulactl subnet set nebula_subnet --dns-nameserver 198.51.100.53",
)
add_unset(
    subnet, SUBNET, _POOL, _plain(_DNS), _ROUTE, _SERVICE, TAG_OUT, EXTRA_OUT, blank={"--gateway": ("gateway_ip", None)}
)
add_delete(subnet, SUBNET)


@subnet.group("pool")
def pool() -> None:
    """Subnet pools: where subnets get their range from."""


add_plain(
    pool,
    SUBNET_POOL,
    example="nebulactl subnet pool create campus --pool-prefix 10.8.0.0/16 --default-prefix-length 24",
)


@pool.group("add")
def add() -> None:
    """Take subnets into a pool."""


@add.command("network")
@click.argument("name", metavar="POOL", shell_complete=names_of(SUBNET_POOL))
@click.argument("network_name", metavar="NETWORK", shell_complete=names_of(NETWORK_NOUN))
@changes
def add_network(name: str, network_name: str) -> None:
    """Take the subnets of a network into a pool: their blocks are the pool's from now on."""
    path = item_path(SUBNET_POOL, find_id(api(), SUBNET_POOL, name))
    body: JsonObject = {"network_id": find_id(api(), NETWORK_NOUN, network_name)}
    api().put(SUBNET_POOL.service, f"{path}/onboard_network_subnets", body)
