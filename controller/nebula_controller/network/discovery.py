"""What clients ask before and around the resources: versions and extensions.

No state of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nebula.errors import NotFound
from nebula.model import registry
from nebula.model.attribute import Extension
from nebula_controller.api.endpoint import Answer, Call, Handler, Operation

_EXTENSIONS: tuple[tuple[str, str, str], ...] = (
    ("agent", "agent", "The agent management extension."),
    ("availability_zone", "Availability Zone", "Availability zones: there is one."),
    ("availability_zone_filter", "Availability Zone Filter Extension", "Zones by name, resource and state."),
    ("dhcp_agent_scheduler", "DHCP Agent Scheduler", "Which agents serve a network."),
    ("empty-string-filtering", "Empty String Filtering Extension", "Allow filtering by attributes with empty string."),
    ("extraroute-atomic", "Atomically add/remove extra routes", "Edit extra routes of a router on server side."),
    ("filter-validation", "Filter parameters validation", "Unknown filters are refused."),
    ("floating-ip-port-forwarding-description", "Floating IP Port Forwarding new description field", "Their words."),
    ("ip-substring-filtering", "IP address substring filtering", "Filter ports by a part of an address."),
    ("l3_agent_scheduler", "L3 Agent Scheduler", "Which agent has a router."),
    ("net-mtu-writable", "Network MTU (writable)", "Provides a writable MTU attribute for a network resource."),
    ("network-ip-availability", "Network IP Availability", "How many addresses networks have, and have given out."),
    ("pagination", "Pagination support", "Extension that indicates that pagination is enabled."),
    ("port-security-groups-filtering", "Port filtering on security groups", "Filter ports by their groups."),
    ("qos-bw-limit-direction", "Direction for QoS bandwidth limit rule", "Limits of either direction."),
    ("qos-bw-minimum-ingress", "Ingress direction for QoS minimum bandwidth rule", "Guarantees of either direction."),
    ("qos-pps-minimum", "QoS minimum packet rate rule", "Rules for packets per second."),
    ("qos-pps-minimum-rule-alias", "QoS minimum packet rate rule alias", "Those rules without their policy."),
    ("qos-rule-type-details", "Details of QoS rule types", "What rules of a type may say."),
    ("qos-rule-type-filter", "QoS rule type filters", "Rule types of all drivers, or all that there are."),
    ("qos-rules-alias", "Ability to use QoS rules without their policy", "Rules without their policy in the path."),
    ("quota-check-limit", "Quota engine limit check", "check_limit: no limit below what is used."),
    ("quota_details", "Quota details management support", "Quotas with what is used."),
    ("quotas", "Quota management support", "Limits of projects."),
    ("rbac-address-group", "Add address_group type to RBAC", "Address groups can be shared with projects."),
    ("rbac-address-scope", "Address scope RBAC", "Address scopes can be shared with projects."),
    ("rbac-security-groups", "Add security_group type to network RBAC", "Security groups can be shared with projects."),
    ("rbac-subnetpool", "Subnet pool RBAC", "Subnet pools can be shared with projects."),
    ("revision-if-match", "If-Match constraints based on revision_number", "Header If-Match: revision_number=N."),
    (
        "security-groups-shared-filtering",
        "Security group filtering on the shared field",
        "Filter security groups by whether they are shared.",
    ),
    ("service-type", "Neutron Service Type Management", "Who realises which service."),
    ("sorting", "Sorting support", "Extension that indicates that sorting is enabled."),
    ("subnet_onboard", "Subnet Onboard", "Subnets of a network become those of a subnet pool."),
    ("subnetpool-prefix-ops", "Subnet Pool Prefix Operations", "Prefixes of pools are added and removed."),
)
"""Alias, name and description of what is realised and is no declared resource or attribute."""

_LISTED = re.compile(r"/v2\.0/([\w-]+)")


def operations(others: Sequence[Operation]) -> list[Operation]:
    """For the ``Service`` whose prefix is the network service's, which has the ``others`` too."""
    known = _known()
    extensions = [
        Operation("GET", "/v2.0/extensions", _all(known), rule="get_extension"),
        Operation("GET", "/v2.0/extensions/{alias}", _one(known), rule="get_extension"),
    ]
    resources = _resources(_names([*others, *extensions]))
    return [
        Operation("GET", "", _versions, open=True),
        Operation("GET", "/", _versions, open=True),
        Operation("GET", "/v2.0", resources, open=True),
        Operation("GET", "/v2.0/", resources, open=True),
        *extensions,
    ]


def _base(call: Call) -> str:
    return call.url.split("/network", 1)[0] + "/network"


def _versions(call: Call) -> Answer:
    version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{_base(call)}/v2.0/"}]}
    return Answer(200, {"versions": [version]})


def _names(operations: Sequence[Operation]) -> list[str]:
    """What can be listed right below the version; ``agents`` are of the nodes' service."""
    found = [_LISTED.fullmatch(operation.path) for operation in operations if operation.method == "GET"]
    return [*dict.fromkeys(match[1] for match in found if match), "agents"]


def _resources(names: Sequence[str]) -> Handler:
    def answer(call: Call) -> Answer:
        found = [
            {
                "name": name.removesuffix("ies") + "y" if name.endswith("ies") else name[:-1],
                "collection": name,
                "links": [{"rel": "self", "href": f"{_base(call)}/v2.0/{name}"}],
            }
            for name in names
        ]
        return Answer(200, {"resources": found})

    return answer


def _known() -> list[Extension]:
    resources = registry.of("network")
    attributes = [bound for resource in resources for bound in resource.attributes.values()]
    declared = {of.extension for of in resources} | {of.extension for of in attributes}
    known = [extension for extension in declared if extension is not None]
    return sorted([*known, *[Extension(*words) for words in _EXTENSIONS]], key=lambda extension: extension.alias)


def _described(extension: Extension) -> dict[str, object]:
    return {
        "alias": extension.alias,
        "name": extension.name,
        "description": extension.about,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }


def _all(known: Sequence[Extension]) -> Handler:
    return lambda _call: Answer(200, {"extensions": [_described(extension) for extension in known]})


def _one(known: Sequence[Extension]) -> Handler:
    def answer(call: Call) -> Answer:
        for extension in known:
            if extension.alias == call.path["alias"]:
                return Answer(200, {"extension": _described(extension)})
        alias = call.path["alias"][:100]
        raise NotFound(f"Extension with alias {alias} does not exist", type_name="ExtensionNotFound")

    return answer
