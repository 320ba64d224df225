"""QoS policies and the four kinds of their rules as the API has them. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, Resource, Who, describe
from nebula.model.extensions import extension
from nebula.model.standard import EXPANDED, Shared, Standard, Terse, flag, reference, settable

DSCP_MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 46, 48, 56)
"""The marks that Neutron takes: class selectors (RFC 2474), assured and expedited forwarding (RFC 2597, 3246)."""

INGRESS, EGRESS, ANY = "ingress", "egress", "any"
"""As the port sees it; ``any`` is both together."""

_rate = settable(accept.integer(0, 2**31 - 1), required=True)
_direction = settable(accept.choice((EGRESS, INGRESS)), length=7)


class QosPolicy(Standard, frozen=True, kw_only=True):
    """A named set of rules. ``is_default``: new networks of its project have it where they name none."""

    is_default: Annotated[
        bool,
        flag("The project's default policy.", title="Default", flag="--default/--no-default"),
        extension("qos-default"),
    ] = False
    shared: Annotated[bool, msgspec.structs.replace(Shared, set_by=Who.ANYONE)] = False
    rules: Annotated[tuple[dict[str, object], ...], EXPANDED] = ()


class QosRule(Terse, frozen=True, kw_only=True):
    """What all rules have: of the standard attributes, Neutron's have the id alone."""

    qos_policy_id: Annotated[
        str, reference("qos:QOS_POLICY", accept=None, sent=False, filtered=False, on_delete="CASCADE", indexed=True)
    ] = ""
    project_id: Annotated[str, Attribute(sent=False, filtered=False, indexed=True)] = ""


class BandwidthLimitRule(QosRule, frozen=True, kw_only=True):
    """At most so many kbit/s; ``max_burst_kbps`` in kbit, 0: as the switch chooses."""

    max_kbps: Annotated[int, _rate]
    max_burst_kbps: Annotated[int, settable(accept.integer(0, 2**31 - 1))] = 0
    direction: Annotated[str, _direction] = EGRESS


class DscpMarkingRule(QosRule, frozen=True, kw_only=True):
    """What the port sends bears this mark (RFC 2474)."""

    dscp_mark: Annotated[int, settable(accept.choice(DSCP_MARKS), required=True)]


class MinimumBandwidthRule(QosRule, frozen=True, kw_only=True):
    """At least so many kbit/s."""

    min_kbps: Annotated[int, _rate]
    direction: Annotated[str, _direction] = EGRESS


class MinimumPacketRateRule(QosRule, frozen=True, kw_only=True):
    """At least so many thousand packets/s."""

    min_kpps: Annotated[int, _rate]
    direction: Annotated[str, settable(accept.choice((EGRESS, INGRESS, ANY)), length=7)] = EGRESS


QOS_POLICY = describe(
    QosPolicy,
    "policy",
    "policies",
    words="QoS policy",
    path="/qos/policies",
    table="qos_policies",
    extension=Extension(
        "qos", "Quality of Service", "Policies with rules for ports, networks, floating IPs and gateways."
    ),
    listed="id name shared is_default project_id",
    asked="project_id shared",
)


def _rule(record: type[QosRule], name: str) -> Resource[QosRule]:
    return describe(record, name, f"{name}s", table=f"qos_{name}s")


BANDWIDTH_LIMIT = _rule(BandwidthLimitRule, "bandwidth_limit_rule")
DSCP_MARKING = _rule(DscpMarkingRule, "dscp_marking_rule")
MINIMUM_BANDWIDTH = _rule(MinimumBandwidthRule, "minimum_bandwidth_rule")
MINIMUM_PACKET_RATE = _rule(MinimumPacketRateRule, "minimum_packet_rate_rule")
QOS_RULES = (BANDWIDTH_LIMIT, DSCP_MARKING, MINIMUM_BANDWIDTH, MINIMUM_PACKET_RATE)


def rule_type(rule: Resource[QosRule]) -> str:
    """``bandwidth_limit``: the kind's name in a policy's rules and among the rule types."""
    return rule.singular.removesuffix("_rule")
