"""The network service put together. Effects: prepares the free VNIs in the database.

service = network_service(database, NetworkSettings())
create_application(authenticator, [service, ...])
"""

from __future__ import annotations

from typing import Any

from nebula_controller.api.collection import Collection
from nebula_controller.api.context import internal
from nebula_controller.api.endpoint import Service
from nebula_controller.network import discovery, qos, segments, service_providers, zones
from nebula_controller.network.address_groups_api import AddressGroups
from nebula_controller.network.address_scopes_api import AddressScopes
from nebula_controller.network.floating_ips_api import FloatingIps
from nebula_controller.network.ip_availability import IpAvailability
from nebula_controller.network.networks_api import Networks
from nebula_controller.network.policies import BASE_RULES, OTHER_RULES
from nebula_controller.network.port_forwardings_api import PortForwardings
from nebula_controller.network.ports_api import Ports
from nebula_controller.network.qos_api import QosPolicies, QosRules, rule_type_operations
from nebula_controller.network.quotas_api import Quotas
from nebula_controller.network.rbac_api import RbacPolicies
from nebula_controller.network.routers_api import Routers
from nebula_controller.network.security_groups_api import SecurityGroupRules, SecurityGroups
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.network.subnet_pools_api import SubnetPools
from nebula_controller.network.subnets_api import Subnets
from nebula_controller.store.database import Database

PREFIX = "/network"


def network_service(database: Database, settings: NetworkSettings) -> Service:
    """All operations below ``/network``, but for the agents', which the nodes' service adds."""
    with database.write(internal("network")) as tx:
        segments.prepare(tx, settings)
    rules, floating, policies = SecurityGroupRules(database), FloatingIps(database), QosPolicies(database)
    collections: list[Collection[Any]] = [
        Networks(database, settings),
        Subnets(database),
        SubnetPools(database),
        AddressScopes(database),
        Ports(database),
        Routers(database),
        SecurityGroups(database, rules),
        rules,
        AddressGroups(database),
        floating,
        PortForwardings(database, floating),
        RbacPolicies(database),
        policies,
        *[QosRules(database, kind, policies) for kind in qos.RULES],
    ]
    operations = [operation for collection in collections for operation in collection.operations()]
    return Service(
        PREFIX,
        [
            *discovery.operations(),
            *zones.operations(),
            *service_providers.operations(),
            *Quotas(database).operations(),
            *rule_type_operations(),
            *IpAvailability(database).operations(),
            *operations,
        ],
        rules={
            **BASE_RULES,
            **OTHER_RULES,
            **{name: text for collection in collections for name, text in collection.authority.rules.items()},
        },
    )
