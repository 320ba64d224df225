"""``nebulactl port``: options and attributes of ports. Effects: through the verbs of ``actions``."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, add_unset
from nebulactl.api import Api, JsonObject, as_object
from nebulactl.common_settings import EXTRA_OUT, STATUS, TAG_OUT
from nebulactl.find import find_id
from nebulactl.nouns import INSTANCE, PORT, ROUTER, SUBNET
from nebulactl.options import KeyValues, Setting
from nebulactl.plain_settings import of_attribute
from nebulactl.security_nouns import SECURITY_GROUP


def fixed_ip(cloud: Api, value: dict[str, str]) -> JsonObject:
    """``subnet=NAME,ip-address=IP`` with the subnet's id."""
    pairs: JsonObject = {name: content for name, content in value.items() if name != "subnet"}
    if "subnet" in value:
        pairs["subnet_id"] = find_id(cloud, SUBNET, value["subnet"])
    return pairs


FIXED_IP_TYPE = KeyValues("subnet ip-address")
FIXED_IP_METAVAR = "subnet=SUBNET,ip-address=IP"

_NETWORK = of_attribute(PORT, "network_id")
_DEVICE = of_attribute(PORT, "device_id")
_FIXED_IP = msgspec.structs.replace(
    of_attribute(PORT, "fixed_ips"), type=FIXED_IP_TYPE, metavar=FIXED_IP_METAVAR, convert=fixed_ip
)
_CLEARABLE_FIXED_IP = msgspec.structs.replace(_FIXED_IP, clear="--no-fixed-ip")
_GROUP = msgspec.structs.replace(of_attribute(PORT, "security_groups"), noun=SECURITY_GROUP, help="Group (name or id).")
_CLEARABLE_GROUP = msgspec.structs.replace(_GROUP, clear="--no-security-group")
_PAIR = msgspec.structs.replace(
    of_attribute(PORT, "allowed_address_pairs"),
    type=KeyValues("ip-address mac-address", required="ip-address"),
    metavar="ip-address=IP[,mac-address=MAC]",
)
_CLEARABLE_PAIR = msgspec.structs.replace(_PAIR, clear="--no-allowed-address")


def _dhcp_option(_api: Api, value: dict[str, str]) -> JsonObject:
    version: JsonObject = {"ip_version": int(value["ip_version"])} if value.get("ip_version") in ("4", "6") else {}
    return {"opt_name": value["name"], "opt_value": value.get("value"), **version}


_DHCP_OPTION = msgspec.structs.replace(
    of_attribute(PORT, "extra_dhcp_opts"),
    type=KeyValues("name value ip-version", required="name"),
    metavar="name=NAME[,value=VALUE,ip-version=4|6]",
    convert=_dhcp_option,
)


def _profile_part(_api: Api, text: str) -> JsonObject:
    """``key=value``, or a JSON object."""
    if text.startswith("{"):
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            raise click.UsageError(f"--binding-profile: {text!r} is no JSON object.") from None
    key, separator, value = text.partition("=")
    if not separator:
        raise click.UsageError(f"--binding-profile: {text!r} is neither key=value nor a JSON object.")
    return {key: value}


_PROFILE = Setting(
    flag="--binding-profile",
    attribute="binding:profile",
    metavar="KEY=VALUE|JSON",
    many=True,
    convert=_profile_part,
    help="What the driver of the binding is told.",
)


def _with_profile(attributes: JsonObject, current: JsonObject) -> JsonObject:
    """Parts of a profile are one object, with what is there already."""
    parts = attributes.get("binding:profile")
    if not isinstance(parts, list):
        return attributes
    profile = {} if not parts else as_object(current.get("binding:profile"))
    for part in parts:
        profile = {**profile, **as_object(part)}
    return {**attributes, "binding:profile": profile}


@click.group()
def port() -> None:
    """Ports: where an instance, a router or a DHCP server is plugged into a network."""


add_create(
    port,
    PORT,
    _CLEARABLE_FIXED_IP,
    _CLEARABLE_GROUP,
    _PAIR,
    _DHCP_OPTION,
    _PROFILE,
    complete=lambda attributes: _with_profile(attributes, {}),
    example="nebulactl port create web0 --network nebula_net --fixed-ip subnet=nebula_subnet,ip-address=192.168.50.10",
)


def _fixed_ip_filter(cloud: Api, value: dict[str, str]) -> str:
    """The API takes one condition a filter: ``fixed_ips=ip_address=192.168.50.7``."""
    (name, content), *more = fixed_ip(cloud, value).items()
    if more:
        raise click.UsageError("--fixed-ip of a list takes one of subnet=, ip-address=, ip-substring=; repeat it.")
    return f"{'ip_address_substr' if name == 'ip_substring' else name}={content}"


add_list(
    port,
    PORT,
    msgspec.structs.replace(_DEVICE, flag="--device-id"),
    msgspec.structs.replace(_DEVICE, flag="--router", noun=ROUTER, help="On this router (name or id)."),
    msgspec.structs.replace(_DEVICE, flag="--server", noun=INSTANCE, help="On this instance (name or id)."),
    STATUS,
    _GROUP,
    Setting(
        flag="--fixed-ip",
        attribute="fixed_ips",
        type=KeyValues("subnet ip-address ip-substring"),
        metavar="subnet=SUBNET|ip-address=IP|ip-substring=TEXT",
        convert=_fixed_ip_filter,
        many=True,
        help="With such an address.",
    ),
    example="nebulactl port list --network nebula_net\nnebulactl port list --router nebula_router -f value -c ID",
)
add_show(port, PORT)
add_set(
    port,
    PORT,
    _CLEARABLE_FIXED_IP,
    _CLEARABLE_GROUP,
    _CLEARABLE_PAIR,
    _DHCP_OPTION,
    msgspec.structs.replace(_PROFILE, clear="--no-binding-profile"),
    settle=_with_profile,
    example="nebulactl port set web0 --disable",
)
add_unset(
    port,
    PORT,
    _FIXED_IP,
    _GROUP,
    _PAIR,
    Setting(
        flag="--binding-profile", attribute="binding:profile", metavar="KEY", many=True, help="Key of the profile."
    ),
    TAG_OUT,
    EXTRA_OUT,
    blank={
        "--host": ("binding:host_id", None),
        "--device": ("device_id", ""),
        "--device-owner": ("device_owner", ""),
        "--qos-policy": ("qos_policy_id", None),
    },
)
add_delete(port, PORT)
