"""The network service put together. Effects: prepares the free VNIs in the database.

service = network_service(database, NetworkSettings())
create_application(authenticator, [service, ...])
"""

from __future__ import annotations

from typing import Any

from nebula.model import registry
from nebula_controller import network
from nebula_controller.api.context import internal
from nebula_controller.api.endpoint import Service
from nebula_controller.api.special import special
from nebula_controller.network import discovery, segments, service_providers, zones
from nebula_controller.network.ip_availability import IpAvailability
from nebula_controller.network.limited import Limited
from nebula_controller.network.policies import BASE_RULES, OTHER_RULES
from nebula_controller.network.qos_api import rule_type_operations
from nebula_controller.network.quotas_api import Quotas
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.store.database import Database
from nebula_controller.store.records import RecordTable

PREFIX = "/network"


def network_service(database: Database, settings: NetworkSettings) -> Service:
    """All operations below ``/network``, but for the agents', which the nodes' service adds."""
    with database.write(internal("network")) as tx:
        segments.prepare(tx, settings)
    served = collections(database, settings)
    operations = [
        *zones.operations(),
        *service_providers.operations(),
        *Quotas(database).operations(),
        *rule_type_operations(),
        *IpAvailability(database).operations(),
        *[operation for collection in served for operation in collection.operations()],
    ]
    return Service(
        PREFIX,
        [*discovery.operations(operations), *operations],
        rules={
            **BASE_RULES,
            **OTHER_RULES,
            **{name: text for collection in served for name, text in collection.authority.rules.items()},
        },
    )


def collections(database: Database, settings: NetworkSettings) -> list[Limited[Any]]:
    """One for each resource that is declared: of the class that says more of it, or as it is declared."""
    kinds = special(network, Limited, "of")
    more = {rows.resource.table: (kind, rows) for kind in kinds for rows in kind.of}
    made: dict[str, Limited[Any]] = {}
    for resource in registry.of("network"):
        kind, rows = more.get(resource.table) or (Limited, RecordTable(resource))
        made[resource.table] = kind(database, rows, settings)
    for collection in made.values():
        collection.others = made
    return list(made.values())
