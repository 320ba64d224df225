"""What a node says about itself: the checks before anybody believes it. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from nebula.errors import InvalidAttribute
from nebula.view.report import NodeReport

HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
"""At most 64 characters; nothing that means something in a path, a file of dnsmasq or a log line."""

_PHYSICAL_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)", re.ASCII)
_SHORT = re.compile(r"[ -~]{0,64}")

LEAST_MTU_BYTES = 576
MOST_MTU_BYTES = 65_535


def check(report: NodeReport, host: str) -> None:
    """Raises ``InvalidAttribute`` for the first thing that cannot be; ``host`` is the name in the request's path."""
    if not HOST_NAME.fullmatch(host):
        raise InvalidAttribute("host", "a node's name has up to 64 letters, digits, '.', '-' and '_'")
    if report.host != host:
        raise InvalidAttribute("host", f"the report is of another node than {host}, whose path it was sent to")
    check_vtep(report.vtep_ip)
    if not LEAST_MTU_BYTES <= report.underlay_mtu_bytes <= MOST_MTU_BYTES:
        raise InvalidAttribute("underlay_mtu_bytes", f"not in {LEAST_MTU_BYTES}..{MOST_MTU_BYTES}")
    if not _TIME.fullmatch(report.started_at):
        raise InvalidAttribute("started_at", "not an RFC 3339 time in UTC")
    for attribute, text in (("version", report.version), ("datapath_type", report.datapath_type)):
        if not _SHORT.fullmatch(text):
            raise InvalidAttribute(attribute, "not at most 64 printable ASCII characters")
    if len(report.capabilities) > 100 or not all(map(_SHORT.fullmatch, report.capabilities)):
        raise InvalidAttribute("capabilities", "not at most 100 texts of at most 64 printable ASCII characters")
    for physical_network, bridge in report.bridge_mappings.items():
        if not _PHYSICAL_NETWORK.fullmatch(physical_network) or not _DEVICE.fullmatch(bridge):
            raise InvalidAttribute("bridge_mappings", "a physical network or bridge has characters that no name has")


def check_vtep(address: str) -> None:
    """A unicast address in canonical text, so that two nodes cannot spell one address in two ways."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidAttribute("vtep_ip", "not an IP address") from None
    if str(parsed) != address:
        raise InvalidAttribute("vtep_ip", f"write it as {parsed}")
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback or address == "255.255.255.255":
        raise InvalidAttribute("vtep_ip", "not an address that another node can send to")
