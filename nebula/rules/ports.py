"""What follows for a port from what was asked of it: its DHCP options, its names. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nebula.view.project import hostname
from nebula.view.records import DNS_DOMAIN, FixedIp

DhcpOption = Mapping[str, str | int | None]
"""``opt_name``, ``opt_value`` and ``ip_version``."""


def with_options(present: Sequence[DhcpOption], given: Sequence[DhcpOption]) -> list[DhcpOption]:
    """The options of a port after a request: those given are new or replace their namesakes, null takes one away.

    Those that the request does not name stay, as in Neutron.
    """
    found = {(option["opt_name"], option["ip_version"]): option for option in present}
    for option in given:
        key = (option["opt_name"], option["ip_version"])
        if option["opt_value"] is None:
            found.pop(key, None)
        else:
            found[key] = option
    return list(found.values())


def dns_assignment(dns_name: str, fixed_ips: Sequence[FixedIp]) -> list[dict[str, str]]:
    """The names of a port's addresses, as the DHCP server of its network gives them out."""
    names = [hostname(dns_name, (fixed,)) for fixed in fixed_ips]
    return [
        {"ip_address": fixed.ip_address, "hostname": name, "fqdn": f"{name}.{DNS_DOMAIN}."}
        for fixed, name in zip(fixed_ips, names, strict=True)
    ]
