"""The policy of one resource: which rules follow from its declaration, how a call is judged. Pure.

Rules are named as Neutron's: ``create_network``, ``update_port:mac_address``, ``get_network:provider:network_type``; of
a member of an attribute ``update_router:external_gateway_info:enable_snat``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nebula.model.attribute import BoundAttribute, Resource, Who
from nebula_controller.api.context import RequestContext
from nebula_controller.api.policy import Target

MEMBER, READER = "rule:admin_or_project_member", "rule:admin_or_project_reader"
ADMIN = "rule:admin_only"
_VERBS = frozenset({"create", "get", "update", "delete"})
_BY_WHO = {Who.ADMIN: ADMIN, Who.NETWORK_OWNER: "rule:admin_or_net_owner_member"}


class Authority:
    """What the policy says of one resource."""

    def __init__(self, resource: Resource[Any], noun: str, texts: Mapping[str, str]) -> None:
        """``texts`` are the rules that are not the usual ones, by name without the noun: ``update``, ``create:x``."""
        self.noun = noun
        self._attributes = resource.attributes
        usual = {"create": MEMBER, "get": READER, "update": MEMBER, "delete": MEMBER}
        for bound in resource.attributes.values():
            usual.update(_of_attribute(bound))
        self.rules = {self.name(place): text for place, text in {**usual, **texts}.items()}
        self._seen = [
            (name, self.name(f"get:{name}")) for name, bound in self._attributes.items() if bound.attribute.sent
        ]

    def name(self, place: str) -> str:
        """``create:shared`` becomes ``create_network:shared``; an action (``add_router_interface``) keeps its name."""
        verb, colon, attribute = place.partition(":")
        if verb not in _VERBS:
            return place
        return f"{verb}_{self.noun}{colon}{attribute}"

    def require(self, context: RequestContext, verb: str, target: Target) -> None:
        """``Forbidden`` unless the caller may do this with the object."""
        context.require(self.name(verb), target)

    def require_attributes(self, context: RequestContext, verb: str, names: Iterable[str], target: Target) -> None:
        """``Forbidden`` unless the caller may set all that the request names."""
        for name in names:
            rule = self.name(f"{verb}:{name}")
            if rule in context.policy:
                context.require(rule, target)
            for member in _members(target.get(name)):
                if f"{rule}:{member}" in context.policy:
                    context.require(f"{rule}:{member}", target)

    def may_list(self, context: RequestContext) -> bool:
        """Whether there can be an object of the caller's own that the caller may see."""
        return context.allows(self.name("get"), _own(context))

    def is_usual(self, context: RequestContext) -> bool:
        """Whether it is the default that says who sees an object: which objects those are is then SQL's to say."""
        return self.name("get") not in context.policy.changed

    def hidden(self, context: RequestContext, target: Target | None = None) -> frozenset[str]:
        """API names that the caller is not shown; ``target`` None: judged by what does not depend on the object."""
        asked = _own(context) if target is None else target
        policy = context.policy
        return frozenset(
            name for name, rule in self._seen if rule in policy and not policy.allows(context.caller, rule, asked)
        )

    def hides_by_object(self, context: RequestContext) -> bool:
        """Whether what is hidden depends on the object."""
        return any(context.policy.keys(rule) for _, rule in self._seen if rule in context.policy)


def _of_attribute(bound: BoundAttribute) -> dict[str, str]:
    """The rules of an attribute; everybody's are there too, so that a policy file can name them."""
    attribute, name = bound.attribute, bound.name
    found = {}
    if attribute.post:
        found[f"create:{name}"] = _BY_WHO.get(attribute.set_by, "@")
    if attribute.put:
        who = attribute.set_by if attribute.changed_by is None else attribute.changed_by
        found[f"update:{name}"] = _BY_WHO.get(who, "@")
    if attribute.sent:
        found[f"get:{name}"] = _BY_WHO.get(attribute.seen_by, "@")
    return found


def _own(context: RequestContext) -> dict[str, object]:
    own = context.project_id
    names = ("project_id", "network:project_id", "security_group:project_id", "ext_parent:project_id")
    return dict.fromkeys(names, own)


def _members(value: object) -> Sequence[str]:
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, list):
        return list(dict.fromkeys(name for item in value if isinstance(item, Mapping) for name in item))
    return ()
