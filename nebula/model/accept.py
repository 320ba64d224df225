"""What the API accepts for one attribute: functions from JSON to the value, in neutron-lib's words where they refuse.

Pure. Each raises ``ValueError`` with the reason; the caller adds the attribute's name. What a person sent is shown in
reasons shortened, because it may be a megabyte.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Sequence

import msgspec

Accept = Callable[[object], object]
"""From JSON to the attribute's value; raises ``ValueError`` with neutron-lib's words for what is wrong."""

NAME_LENGTH = 255
"""Neutron's limit for names and descriptions, in characters."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII)
_DNS_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def shown(value: object) -> str:
    """The value for a message, at most 100 characters."""
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def optional(accept: Accept) -> Accept:
    """Null, or what ``accept`` takes."""
    return lambda value: None if value is None else accept(value)


def default_for_null(default: object, accept: Accept) -> Accept:
    """Null stands for ``default``."""
    return lambda value: default if value is None else accept(value)


def string(max_length: int = NAME_LENGTH) -> Accept:
    """Any Unicode text, control characters too, of at most so many characters."""

    def accept(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"'{shown(value)}' is not a valid string")
        if len(value) > max_length:
            raise ValueError(f"'{shown(value)}' exceeds maximum length of {max_length}")
        return value

    return accept


def not_empty(accept: Accept) -> Accept:
    """What ``accept`` takes, but neither empty text nor blanks alone."""

    def accept_some(value: object) -> object:
        accepted = accept(value)
        if isinstance(accepted, str) and not accepted.strip():
            raise ValueError(f"'{shown(value)}' Blank strings are not permitted")
        return accepted

    return accept_some


def boolean(value: object) -> object:
    """True and false, and Neutron's other words for them: "true", "false", "1", "0", 1, 0."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        word = str(value).lower()
        if word in ("true", "1"):
            return True
        if word in ("false", "0"):
            return False
    raise ValueError(f"'{shown(value)}' cannot be converted to boolean")


def boolean_false(value: object) -> object:
    """False, where Neutron has a feature that Nebula has not."""
    if boolean(value):
        raise ValueError("not supported here")
    return False


def integer(first: int, last: int) -> Accept:
    """A number in a range, or text that is one."""

    def accept(value: object) -> object:
        number = value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value, re.ASCII):
            number = int(value)
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"'{shown(value)}' is not an integer")
        if number < first:
            raise ValueError(f"'{shown(value)}' is too small - must be at least '{first}'")
        if number > last:
            raise ValueError(f"'{shown(value)}' is too large - must be no larger than '{last}'")
        return number

    return accept


class choice(msgspec.Struct, frozen=True):
    """One of a few values."""

    allowed: Sequence[object]

    def __call__(self, value: object) -> object:
        number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else value
        for candidate in (value, number):
            if not isinstance(candidate, bool | list | dict) and candidate in self.allowed:
                return candidate
        raise ValueError(f"'{shown(value)}' is not in {list(self.allowed)}")


def identifier(value: object) -> object:
    """A UUID; other spellings of it become the usual one."""
    if isinstance(value, str) and len(value) <= 45:
        try:
            return str(uuid.UUID(value))
        except ValueError:
            pass
    raise ValueError(f"'{shown(value)}' is not a valid UUID")


def mac_address(value: object) -> object:
    """A unicast Ethernet address that is not all zeros; becomes lower case with colons."""
    if isinstance(value, str):
        text = value.lower().replace("-", ":")
        if _MAC.fullmatch(text) and text != "00:00:00:00:00:00" and not int(text[:2], 16) & 1:
            return text
    raise ValueError(f"'{shown(value)}' is not a valid MAC address")


def address(value: object) -> IpAddress:
    """An IPv4 or IPv6 address, without a zone."""
    if isinstance(value, str) and len(value) <= 45 and "%" not in value:
        try:
            return ipaddress.ip_address(value)
        except ValueError:
            pass
    raise ValueError(f"'{shown(value)}' is not a valid IP address")


def ip_address(value: object) -> object:
    """An address in canonical text (RFC 5952)."""
    return str(address(value))


def network(value: object) -> IpNetwork:
    """A CIDR without host bits."""
    if isinstance(value, str) and len(value) <= 49 and "%" not in value and "/" in value:
        prefix = value.rsplit("/", 1)[1]
        try:
            found = ipaddress.ip_network(value, strict=False)
        except ValueError:
            found = None
        if found is not None and prefix.isascii() and prefix.isdigit():
            if ipaddress.ip_interface(value).ip != found.network_address:
                raise ValueError(f"'{value}' isn't a recognized IP subnet cidr, '{found}' is recommended")
            return found
    if isinstance(value, str) and len(value) <= 45 and "/" not in value:
        try:
            alone = ipaddress.ip_network(value)
        except ValueError:
            pass
        else:
            raise ValueError(f"'{value}' isn't a recognized IP subnet cidr, '{alone}' is recommended")
    raise ValueError(f"'{shown(value)}' is not a valid IP subnet")


def address_or_cidr(value: object) -> object:
    """An address or a block, in canonical text."""
    try:
        return ip_address(value)
    except ValueError:
        return cidr(value)


def cidr(value: object) -> object:
    """A CIDR in canonical text."""
    return str(network(value))


def json_object(value: object) -> object:
    """An object, kept as it is; null is the empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"'{shown(value)}' is not a dictionary")
    return value


def dns_name(value: object) -> object:
    """Empty, or dot-separated DNS labels (RFC 1123 section 2.1) of at most 255 characters."""
    if value is None:
        return ""
    string()(value)
    assert isinstance(value, str)
    if value and not all(_DNS_LABEL.fullmatch(label) for label in value.removesuffix(".").split(".")):
        raise ValueError(f"'{shown(value)}' not a valid PQDN or FQDN")
    return value


def dns_domain(value: object) -> object:
    """Empty, or a whole domain name with its final dot."""
    name = str(dns_name(value))
    if name and not name.endswith("."):
        raise ValueError(f"'{shown(value)}' is not a FQDN")
    return name


def list_of(
    accept: Accept, what: str, duplicate: str, distinct: Callable[[object], object] = lambda found: found
) -> Accept:
    """A list of distinct values; null is the empty one. ``what`` and ``duplicate`` are words for the reasons.

    ``distinct`` says what of a value no other may have; None for a value that there may be more of.
    """

    def accept_list(value: object) -> object:
        if value is None:
            return []
        if not isinstance(value, list):
            raise ValueError(f"Invalid data format for {what}: '{shown(value)}'")
        if len(value) > 1000:
            raise ValueError(f"more than 1000 entries in {what} list")
        accepted: list[object] = []
        seen: set[str] = set()
        for item in value:
            found = accept(item)
            alone = distinct(found)
            if alone is not None and repr(alone) in seen:
                raise ValueError(f"Duplicate {duplicate} '{shown(item)}'")
            seen.add(repr(alone))
            accepted.append(found)
        return accepted

    return accept_list


def fields(what: str, required: dict[str, Accept], allowed: dict[str, Accept] | None = None) -> Accept:
    """An object with just these members."""
    members = {**required, **(allowed or {})}

    def accept(value: object) -> object:
        if not isinstance(value, dict) or not required.keys() <= value.keys() <= members.keys():
            raise ValueError(f"Invalid data format for {what}: '{shown(value)}'")
        return {name: members[name](member) for name, member in value.items()}

    return accept


def tag(value: object) -> object:
    """A tag: text of 1 to 255 characters without a comma or slash (it stands in URLs and filters)."""
    string()(value)
    assert isinstance(value, str)
    if not value or "," in value or "/" in value:
        raise ValueError(f"'{shown(value)}' is not a valid tag")
    return value


_SERVICE_PREFIXES = ("baremetal:", "compute:", "network:", "neutron:", "trunk:")


def service_type(value: object) -> object:
    """A device owner, or the beginning that all of a service have (``compute:nova``, ``network:floatingip``)."""
    string()(value)
    if not str(value).startswith(_SERVICE_PREFIXES):
        raise ValueError(f"Service type '{shown(value)}' does not correspond to a valid device owner")
    return value


tags = list_of(tag, "tags", "tag")
host_routes = list_of(fields("hostroute", {"destination": cidr, "nexthop": ip_address}), "hostroute", "hostroute")
nameservers = list_of(ip_address, "nameserver", "nameserver")
pools = list_of(fields("IP pool", {"start": ip_address, "end": ip_address}), "IP pool", "IP pool")


def _address_of(fixed_ip: object) -> object:
    assert isinstance(fixed_ip, dict)
    return fixed_ip.get("ip_address")


_fixed_ips = list_of(
    fields("fixed IP", {}, {"subnet_id": identifier, "ip_address": ip_address}), "fixed IP", "IP address", _address_of
)


def fixed_ips(value: object) -> object:
    """Wanted addresses; null is refused, because it could mean both "none" and "any".

    An address stands there once, a subnet as often as the port is to have addresses of it (as in Neutron).
    """
    if value is None:
        raise ValueError("Invalid data format for fixed IP: 'None'")
    return _fixed_ips(value)


identifiers = list_of(identifier, "uuid", "uuid")
