"""What must hold for port forwardings, and how they are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from nebula.errors import BadRequest, NebulaError
from nebula.model.floating_ip import PortForwarding


def complete(forwarding: PortForwarding, given: Mapping[str, object]) -> PortForwarding:
    """The forwarding with the port numbers that a request gave, alone (``external_port``) or as a range.

    What is not given stays. Raises ``BadRequest`` where both forms, or neither ever, are given.
    """
    found = {}
    for side, have in (("external", forwarding.external_first), ("internal", forwarding.internal_first)):
        alone, span = given.get(f"{side}_port"), given.get(f"{side}_port_range")
        if alone is not None and span is not None and span != f"{alone}:{alone}":
            raise bad_request(f"{side}_port and {side}_port_range cannot both be given")
        if alone is None and span is None:
            if not have:
                raise bad_request(f"{side}_port or {side}_port_range must be given")
            continue
        first, _, last = str(span if span is not None else f"{alone}:{alone}").partition(":")
        found[f"{side}_first"], found[f"{side}_last"] = int(first), int(last)
    return msgspec.structs.replace(forwarding, **found)


def check(forwarding: PortForwarding, others: Sequence[PortForwarding]) -> list[NebulaError]:
    """Ranges fit each other, and overlap none of the floating IP's other forwardings on either side."""
    problems: list[NebulaError] = []
    outer = forwarding.external_last - forwarding.external_first
    inner = forwarding.internal_last - forwarding.internal_first
    if inner not in (0, outer):
        problems.append(
            bad_request("The internal port range must have the size of the external one, or be a single port")
        )
    for other in others:
        if other.id == forwarding.id or other.protocol != forwarding.protocol:
            continue
        if _overlap(forwarding.external_first, forwarding.external_last, other.external_first, other.external_last):
            problems.append(_duplicate("external_port_range", other))
        elif other.internal_ip_address == forwarding.internal_ip_address and _overlap(
            forwarding.internal_first, forwarding.internal_last, other.internal_first, other.internal_last
        ):
            problems.append(_duplicate("internal_port_range", other))
    return problems


def shown(forwarding: PortForwarding) -> dict[str, object]:
    """As the API shows it: single ports also alone."""
    answer: dict[str, object] = {
        "id": forwarding.id,
        "description": forwarding.description,
        "protocol": forwarding.protocol,
        "internal_port_id": forwarding.internal_port_id,
        "internal_ip_address": forwarding.internal_ip_address,
    }
    for side, first, last in (
        ("external", forwarding.external_first, forwarding.external_last),
        ("internal", forwarding.internal_first, forwarding.internal_last),
    ):
        answer[f"{side}_port_range"] = f"{first}:{last}"
        if first == last:
            answer[f"{side}_port"] = first
    return answer


def bad_request(problem: str) -> BadRequest:
    """Neutron's ``BadRequest`` for port forwardings."""
    return BadRequest(f"Bad port_forwarding request: {problem}.", type_name="BadRequest")


def _overlap(first: int, last: int, other_first: int, other_last: int) -> bool:
    return first <= other_last and other_first <= last


def _duplicate(what: str, other: PortForwarding) -> BadRequest:
    return bad_request(
        "A duplicate port forwarding entry with same attributes already exists, conflicting values are "
        f"{what} of port forwarding {other.id}"
    )
