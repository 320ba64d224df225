"""What must hold between the rules of a QoS policy. Pure; the words are Neutron's."""

from __future__ import annotations

from collections.abc import Sequence

from nebula.errors import Conflict, NebulaError
from nebula.model.qos import (
    ANY,
    QOS_RULES,
    BandwidthLimitRule,
    MinimumBandwidthRule,
    MinimumPacketRateRule,
    QosRule,
    rule_type,
)

_TYPES = {resource.record: rule_type(resource) for resource in QOS_RULES}


def check(new: QosRule, present: Sequence[QosRule]) -> list[NebulaError]:
    """One rule of a kind and direction; no limit below what is to be guaranteed."""
    problems: list[NebulaError] = []
    for other in present:
        if other.id == new.id:
            continue
        if type(other) is type(new) and _same_direction(new, other):
            problems.append(
                Conflict(
                    f"Rule {_TYPES[type(new)]} conflicts with rule {other.id} which already exists in QoS Policy "
                    f"{new.qos_policy_id}.",
                    type_name="QoSRulesConflict",
                )
            )
        limit, least = (new, other) if isinstance(new, BandwidthLimitRule) else (other, new)
        if (
            isinstance(limit, BandwidthLimitRule)
            and isinstance(least, MinimumBandwidthRule)
            and limit.direction == least.direction
            and limit.max_kbps < least.min_kbps
        ):
            value, existing = (limit.max_kbps, least.min_kbps) if limit is new else (least.min_kbps, limit.max_kbps)
            problems.append(
                Conflict(
                    f"Unable to add the rule with value {value} to the policy {new.qos_policy_id} as the existing rule "
                    f"of type {_TYPES[type(other)]} restricts the bandwidth to {existing}.",
                    type_name="QoSRuleParameterConflict",
                )
            )
    return problems


def _same_direction(new: QosRule, other: QosRule) -> bool:
    """DSCP marks have no direction; a packet rate in any direction clashes with one in a single direction."""
    both = {getattr(new, "direction", ""), getattr(other, "direction", "")}
    return len(both) == 1 or (isinstance(new, MinimumPacketRateRule) and ANY in both)
