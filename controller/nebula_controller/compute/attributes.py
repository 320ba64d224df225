"""What a POST of a server may hold. Pure: JSON to a frozen record, or ``BadRequest`` that names the attribute."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from nebula.errors import BadRequest, InvalidAttribute
from nebula.model import accept
from nebula_controller.compute.static import FLAVOR_ID, IMAGE_ID, NAME
from nebula_controller.nodes.report import HOST_NAME

MOST_INTERFACES = 16
_ZONE = re.compile(r"nova(?::(?P<host>[^:]*))?")

_NOT_PRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})

_IGNORED = frozenset({"OS-DCF:diskConfig", "config_drive", "description", "hostname", "key_name"})
"""Attributes of Nova that mean nothing for a namespace and change nothing by being ignored."""


class Interface(msgspec.Struct, frozen=True):
    """One wanted interface: on a network (with a wanted address), or an existing port."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None


class NewServer(msgspec.Struct, frozen=True):
    """``interfaces`` None: on the project's only network. ``host`` None: anywhere."""

    name: str
    interfaces: tuple[Interface, ...] | None
    host: str | None
    metadata: dict[str, str]


def parse(body: object) -> NewServer:
    """A create request. Raises ``BadRequest`` or ``InvalidAttribute``."""
    given = wrapped(body)
    known = {"name", "networks", "host", "OS-EXT-SRV-ATTR:host", "availability_zone", "metadata", *_CHECKED, *_IGNORED}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise InvalidAttribute("server", f"additional properties are not allowed ('{accept.shown(unknown[0])}')")
    if "name" not in given:
        raise InvalidAttribute("name", "a server needs one")
    for attribute, check in _CHECKED.items():
        if attribute in given:
            check(attribute, given[attribute])
    return NewServer(
        name=name(given["name"]),
        interfaces=_interfaces(given.get("networks", "auto")),
        host=_host(given),
        metadata=metadata(given.get("metadata", {})),
    )


def wrapped(body: object) -> Mapping[str, Any]:
    """What is inside ``{"server": {...}}``."""
    if not isinstance(body, dict) or not isinstance(body.get("server"), dict):
        raise BadRequest("The body must be an object with 'server', an object.")
    server: dict[str, Any] = body["server"]
    return server


def name(value: object) -> str:
    """1 to 255 printable characters, none at the ends a space (Nova's rule)."""
    if not isinstance(value, str) or not 1 <= len(value) <= accept.NAME_LENGTH or value != value.strip():
        raise InvalidAttribute("name", "not a text of 1 to 255 characters without spaces at its ends")
    if any(unicodedata.category(character) in _NOT_PRINTABLE for character in value):
        raise InvalidAttribute("name", "control characters are not allowed")
    return value


def metadata(value: object) -> dict[str, str]:
    """Small texts by name, as Nova takes them."""
    if not isinstance(value, dict) or len(value) > 128:
        raise InvalidAttribute("metadata", "not an object of at most 128 texts")
    for key, text in value.items():
        if not isinstance(text, str) or len(text) > 255 or not 1 <= len(key) <= 255:
            raise InvalidAttribute("metadata", f"'{accept.shown(key)}' is not a text of at most 255 characters")
    return value


def _interfaces(value: object) -> tuple[Interface, ...] | None:
    if value in ("auto", None, []):
        return None
    if not isinstance(value, list) or len(value) > MOST_INTERFACES:
        raise InvalidAttribute("networks", f"not a list of 1 to {MOST_INTERFACES} objects, nor 'auto'")
    found = tuple(_interface(item) for item in value)
    ports = [interface.port_id for interface in found if interface.port_id is not None]
    if len(set(ports)) < len(ports):
        raise InvalidAttribute("networks", "a port is named twice")
    return found


def _interface(item: object) -> Interface:
    if not isinstance(item, dict) or item.keys() - {"uuid", "port", "fixed_ip"}:
        raise InvalidAttribute("networks", "an item is not an object of 'uuid' (and 'fixed_ip'), or of 'port'")
    try:
        network = None if item.get("uuid") is None else str(accept.identifier(item["uuid"]))
        port = None if item.get("port") is None else str(accept.identifier(item["port"]))
        fixed_ip = None if item.get("fixed_ip") is None else str(accept.ip_address(item["fixed_ip"]))
    except ValueError as error:
        raise InvalidAttribute("networks", str(error)) from None
    if port is not None:
        network = None
    if (network is None and port is None) or (port is not None and fixed_ip is not None):
        raise InvalidAttribute("networks", "an item is not an object of 'uuid' (and 'fixed_ip'), or of 'port'")
    return Interface(network, port, fixed_ip)


def _host(given: Mapping[str, Any]) -> str | None:
    """Nova's ``availability_zone: nova:HOST``, its newer ``host``, or the name of the attribute that shows it."""
    wanted: set[str] = {given[key] for key in ("host", "OS-EXT-SRV-ATTR:host") if isinstance(given.get(key), str)}
    zone = given.get("availability_zone")
    if zone is not None:
        match = _ZONE.fullmatch(zone) if isinstance(zone, str) else None
        if match is None:
            raise InvalidAttribute("availability_zone", "the only zone is 'nova'; 'nova:HOST' asks for a node")
        if match["host"]:
            wanted.add(match["host"])
    if any(given.get(key) is not None and not isinstance(given[key], str) for key in ("host", "OS-EXT-SRV-ATTR:host")):
        raise InvalidAttribute("host", "not a text")
    if not wanted:
        return None
    if len(wanted) > 1 or not HOST_NAME.fullmatch(host := wanted.pop()):
        raise InvalidAttribute("host", "not the name of one node")
    return host


def _only(*allowed: object) -> Any:
    def check(attribute: str, value: object) -> None:
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise InvalidAttribute(attribute, f"not supported here; known: {', '.join(map(repr, allowed))}")

    return check


def _block_devices(attribute: str, value: object) -> None:
    """The client says once more that the image is the root disk."""
    if not isinstance(value, list) or any(not isinstance(item, dict) or item.get("uuid") != IMAGE_ID for item in value):
        raise InvalidAttribute(attribute, "an instance has no disks")


def _reference(known: str) -> Any:
    def check(attribute: str, value: object) -> None:
        if not isinstance(value, str) or value.rsplit("/", 1)[-1] not in ("", known):
            raise InvalidAttribute(attribute, f"there is only '{NAME}' ({known})")

    return check


_CHECKED: dict[str, Any] = {
    "flavorRef": _reference(FLAVOR_ID),
    "imageRef": _reference(IMAGE_ID),
    "min_count": _only(1, "1", None),
    "max_count": _only(1, "1", None),
    "block_device_mapping_v2": _block_devices,
    "security_groups": _only([], [{"name": "default"}]),
    "user_data": _only(None, ""),
    "personality": _only([]),
    "tags": _only([]),
}
