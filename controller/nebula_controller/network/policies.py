"""Neutron's named rules, on which the rules of all resources of the network API stand. Pure.

Rules that resources do not make themselves are here too: those of agents, quotas and the like.
"""

from __future__ import annotations

BASE_RULES: dict[str, str] = {
    "admin_only": "role:admin",
    "owner": "project_id:%(project_id)s",
    "network_owner": "project_id:%(network:project_id)s",
    "sg_owner": "project_id:%(security_group:project_id)s",
    "admin_or_project_member": "rule:admin_only or (role:member and rule:owner)",
    "admin_or_project_reader": "rule:admin_only or (role:reader and rule:owner)",
    "admin_or_net_owner_member": "rule:admin_only or (role:member and rule:network_owner)",
    "admin_or_net_owner_reader": "rule:admin_only or (role:reader and rule:network_owner)",
    "admin_or_sg_owner_member": "rule:admin_only or (role:member and rule:sg_owner)",
    "admin_or_sg_owner_reader": "rule:admin_only or (role:reader and rule:sg_owner)",
    "network_device": "field:port:device_owner=~^network:",
    "restrict_wildcard": "rule:admin_only or not field:rbac_policy:target_tenant=*",
}

OTHER_RULES: dict[str, str] = {
    "get_extension": "@",
    "get_availability_zone": "rule:admin_or_project_reader",
    "get_network_ip_availability": "rule:admin_only",
    "get_quota": "rule:admin_only",
    "get_own_quota": "rule:admin_or_project_reader",
    "update_quota": "rule:admin_only",
    "delete_quota": "rule:admin_only",
    "get_rule_type": "rule:admin_only",
    "get_service_provider": "@",
}
