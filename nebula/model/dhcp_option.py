"""Which DHCP options for IPv4 a port may have, and what a value of each must be. Pure.

The names and forms are those of dnsmasq 2.90 (``dnsmasq --help dhcp``), the numbers IANA's (RFC 2132 and later). What
passes here is one line of dnsmasq's options file, and means there what it says.
"""

from __future__ import annotations

import enum
import re
from ipaddress import IPv4Address, IPv4Network


class Form(enum.StrEnum):
    """What a value is, in words for a person."""

    ADDRESSES = "IPv4 addresses with commas between them"
    ADDRESS = "an IPv4 address"
    BYTE = "a number up to 255"
    SHORT = "a number up to 65535"
    LONG = "a number up to 4294967295"
    TEXT = "text without quotes and backslashes"
    NAMES = "domain names with commas between them"
    ROUTES = "destinations and next hops in turn, with commas between them"
    BYTES = "two or more bytes in hexadecimal with colons between them"
    RAW = "numbers, letters and any of . : / _ - with commas between them"


_MOST = {Form.BYTE: 2**8 - 1, Form.SHORT: 2**16 - 1, Form.LONG: 2**32 - 1}
_NUMBERS = {
    Form.ADDRESSES: {
        "router": 3,
        "dns-server": 6,
        "log-server": 7,
        "lpr-server": 9,
        "swap-server": 16,
        "nis-server": 41,
        "ntp-server": 42,
        "netbios-ns": 44,
        "netbios-dd": 45,
        "x-windows-fs": 48,
        "x-windows-dm": 49,
        "nis+-server": 65,
        "mobile-ip-home": 68,
        "smtp-server": 69,
        "pop3-server": 70,
        "nntp-server": 71,
        "irc-server": 74,
        "sip-server": 120,
        "tftp-server-address": 150,
    },
    Form.ADDRESS: {"netmask": 1, "router-solicitation": 32, "server-ip-address": 255},
    Form.BYTE: {
        "ip-forward-enable": 19,
        "non-local-source-routing": 20,
        "default-ttl": 23,
        "all-subnets-local": 27,
        "router-discovery": 31,
        "trailer-encapsulation": 34,
        "ethernet-encap": 36,
        "tcp-ttl": 37,
        "netbios-nodetype": 46,
    },
    Form.SHORT: {"boot-file-size": 13, "max-datagram-reassembly": 22, "mtu": 26},
    Form.LONG: {"time-offset": 2, "arp-timeout": 35, "tcp-keepalive": 38, "T1": 58, "T2": 59, "ipv6-only": 108},
    Form.TEXT: {
        "domain-name": 15,
        "root-path": 17,
        "extension-path": 18,
        "nis-domain": 40,
        "netbios-scope": 47,
        "vendor-class": 60,
        "nis+-domain": 64,
        "tftp-server": 66,
        "bootfile-name": 67,
        "user-class": 77,
        "posix-timezone": 100,
        "tzdb-timezone": 101,
    },
    Form.NAMES: {"domain-search": 119},
    Form.ROUTES: {"classless-static-route": 121},
}
"""The options that dnsmasq has a name for, by the form of their value."""
FORMS: dict[str, Form] = {name: form for form, numbers in _NUMBERS.items() for name in numbers}
_OF_NUMBER = {str(number): form for form, numbers in _NUMBERS.items() for number in numbers.values() if number < 255}
_OF_NUMBER |= {"28": Form.ADDRESS, "43": Form.BYTES}
"""By number; dnsmasq knows the forms of broadcast and vendor-encap, but has no name of theirs to set them by."""
MAY_BE_EMPTY = ("router", "classless-static-route")
"""Options that may have an empty value, which tells a guest that there is none (Neutron's list)."""

_NO_PORTS = frozenset({21, 33, *range(50, 58), 61, 80, 81, 82, 90, 93, 94, 97, 118, 125})
"""Numbers that the server and the client use between them (RFC 2132 section 9, 3011, 3046, 3118, 4039, 4578, 4702), and
three that dnsmasq would encode in ways of its own."""
_NUMBER = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_LONGEST = 255
"""Characters of a value. dnsmasq would read a line beyond 1024 as two."""
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_BYTES = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+", re.ASCII)
_RAW = re.compile(r"[A-Za-z0-9./:_-]+(?:,[A-Za-z0-9./:_-]+)*", re.ASCII)
_DOMAIN = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*"
_DOMAINS = re.compile(f"{_DOMAIN}(?:,{_DOMAIN})*", re.ASCII)


def form(name: str) -> Form:
    """The form of the option's value. Raises ``ValueError`` for a name or number that no port can have."""
    known = FORMS.get(name) or _OF_NUMBER.get(name)
    if known is not None:
        return known
    if _NUMBER.fullmatch(name) and int(name) < 255 and int(name) not in _NO_PORTS:
        return Form.RAW
    raise ValueError(
        f"'{name[:100]}' is not a DHCP option; the names are {', '.join(sorted(FORMS))}, or a number below 255"
    )


def line(name: str, value: str) -> str:
    """The option as dnsmasq's options file has it after its tag. Raises ``ValueError`` where it is none."""
    wanted = form(name)
    number = f"option:{name}" if name in FORMS else name
    if not value and name in MAY_BE_EMPTY:
        return number
    if len(value) > _LONGEST or not _has_form(value, wanted):
        raise ValueError(f"'{value[:100]}' is no value of the DHCP option {name}, which is {wanted}")
    return f'{number},"{value}"' if wanted is Form.TEXT else f"{number},{value}"


def _has_form(value: str, wanted: Form) -> bool:
    match wanted:
        case Form.BYTE | Form.SHORT | Form.LONG:
            return _DIGITS.fullmatch(value) is not None and int(value) <= _MOST[wanted]
        case Form.TEXT:
            return bool(value.strip()) and value.isascii() and value.isprintable() and not set(value) & set('"\\')
        case Form.NAMES:
            return _DOMAINS.fullmatch(value) is not None
        case Form.BYTES:
            return _BYTES.fullmatch(value) is not None
        case Form.RAW:
            return _RAW.fullmatch(value) is not None
        case _:
            return _are_addresses(value.split(","), wanted)


def _are_addresses(parts: list[str], wanted: Form) -> bool:
    try:
        if wanted is Form.ROUTES:
            pairs = list(zip(parts[::2], parts[1::2], strict=True))
            return all(str(IPv4Network(to)) == to and str(IPv4Address(by)) == by for to, by in pairs)
        return all(str(IPv4Address(part)) == part for part in parts) and (wanted is Form.ADDRESSES or len(parts) == 1)
    except ValueError:
        return False
