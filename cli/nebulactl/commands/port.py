"""``nebulactl port``: options and attributes of ports. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_set, add_show, add_unset
from nebulactl.api import Api, JsonObject
from nebulactl.common_settings import DESCRIPTION, ENABLE, NAME, OWNER, STATUS, TAG, TAGS
from nebulactl.find import find_id, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT, ROUTER, SUBNET
from nebulactl.options import Given, KeyValues, Setting, lists, settings
from nebulactl.output import Output
from nebulactl.security_nouns import SECURITY_GROUP


def fixed_ip(cloud: Api, value: dict[str, str]) -> JsonObject:
    """``subnet=NAME,ip-address=IP`` with the subnet's id."""
    pairs: JsonObject = {name: content for name, content in value.items() if name != "subnet"}
    if "subnet" in value:
        pairs["subnet_id"] = find_id(cloud, SUBNET, value["subnet"])
    return pairs


FIXED_IP_TYPE = KeyValues("subnet ip-address")
FIXED_IP_METAVAR = "subnet=SUBNET,ip-address=IP"

_NETWORK = Setting(flag="--network", attribute="network_id", noun=NETWORK_NOUN, help="Its network (name or id).")
_FIXED_IP = Setting(
    flag="--fixed-ip",
    attribute="fixed_ips",
    type=FIXED_IP_TYPE,
    metavar=FIXED_IP_METAVAR,
    convert=fixed_ip,
    many=True,
    help="Subnet, address or both.",
)
_CLEARABLE_FIXED_IP = msgspec.structs.replace(_FIXED_IP, clear="--no-fixed-ip")
_MAC = Setting(flag="--mac-address", attribute="mac_address", help="MAC address.")
_HOST = Setting(flag="--host", attribute="binding:host_id", help="Node that it is bound to.")
_DEVICE = Setting(flag="--device", attribute="device_id", help="Id of what uses it.")
_DEVICE_OWNER = Setting(flag="--device-owner", attribute="device_owner", help="Kind of what uses it: network:dhcp.")
_PORT_SECURITY = Setting(
    flag="--enable-port-security/--disable-port-security",
    attribute="port_security_enabled",
    help="Whether only its own addresses may speak.",
)
_GROUP = Setting(
    flag="--security-group", attribute="security_groups", noun=SECURITY_GROUP, many=True, help="Group (name or id)."
)
_CLEARABLE_GROUP = msgspec.structs.replace(_GROUP, clear="--no-security-group")
_PAIR = Setting(
    flag="--allowed-address",
    attribute="allowed_address_pairs",
    type=KeyValues("ip-address mac-address", required="ip-address"),
    metavar="ip-address=IP[,mac-address=MAC]",
    many=True,
    help="Address beyond its own that it may use.",
)
_CLEARABLE_PAIR = msgspec.structs.replace(_PAIR, clear="--no-allowed-address")
_VNIC = Setting(flag="--vnic-type", attribute="binding:vnic_type", help="normal.")


@click.group()
def port() -> None:
    """Ports: where an instance, a router or a DHCP server is plugged into a network."""


add_create(
    port,
    PORT,
    msgspec.structs.replace(_NETWORK, required=True),
    _CLEARABLE_FIXED_IP,
    _MAC,
    _HOST,
    _DEVICE,
    _DEVICE_OWNER,
    _VNIC,
    ENABLE,
    _PORT_SECURITY,
    _CLEARABLE_GROUP,
    _PAIR,
    OWNER,
    DESCRIPTION,
    TAG,
    example="nebulactl port create web0 --network nebula_net --fixed-ip subnet=nebula_subnet,ip-address=192.168.50.10",
)


def _fixed_ip_filter(cloud: Api, value: dict[str, str]) -> str:
    """The API takes one condition a filter: ``fixed_ips=ip_address=192.168.50.7``."""
    (name, content), *more = fixed_ip(cloud, value).items()
    if more:
        raise click.UsageError("--fixed-ip of a list takes one of subnet=, ip-address=, ip-substring=; repeat it.")
    return f"{'ip_address_substr' if name == 'ip_substring' else name}={content}"


@port.command("list")
@click.option("--long", is_flag=True, help="More columns.")
@settings(
    _NETWORK,
    msgspec.structs.replace(_DEVICE, flag="--device-id"),
    msgspec.structs.replace(_DEVICE, flag="--router", noun=ROUTER, help="On this router (name or id)."),
    msgspec.structs.replace(_DEVICE, flag="--server", noun=INSTANCE, help="On this instance (name or id)."),
    _DEVICE_OWNER,
    _HOST,
    _MAC,
    NAME,
    STATUS,
    _GROUP,
    OWNER,
    TAGS,
    Setting(
        flag="--fixed-ip",
        attribute="fixed_ips",
        type=KeyValues("subnet ip-address ip-substring"),
        metavar="subnet=SUBNET|ip-address=IP|ip-substring=TEXT",
        convert=_fixed_ip_filter,
        many=True,
        help="With such an address.",
    ),
)
@lists
def list_ports(output: Output, given: Given, long: bool) -> None:
    """List ports.

    \b
    Examples:
      nebulactl port list --network nebula_net
      nebulactl port list --router nebula_router -f value -c ID
    """
    columns = PORT.columns + PORT.long_columns if long else PORT.columns
    output.resources(PORT, list_resources(api(), PORT, given.query), columns)


add_show(port, PORT)
add_set(
    port,
    PORT,
    NAME,
    _CLEARABLE_FIXED_IP,
    _MAC,
    _HOST,
    _DEVICE,
    _DEVICE_OWNER,
    _VNIC,
    ENABLE,
    _PORT_SECURITY,
    _CLEARABLE_GROUP,
    _CLEARABLE_PAIR,
    DESCRIPTION,
    TAG,
    example="nebulactl port set web0 --disable",
)
add_unset(
    port,
    PORT,
    _FIXED_IP,
    _GROUP,
    _PAIR,
    blank={
        "--host": ("binding:host_id", None),
        "--device": ("device_id", ""),
        "--device-owner": ("device_owner", ""),
    },
)
add_delete(port, PORT)
