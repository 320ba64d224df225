"""All services behind one ASGI application. No effects of its own.

create_application(authenticator, [identity_service, network_service, compute_service, nebula_service])
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Lifespan

from nebula_controller.api.context import Authenticator
from nebula_controller.api.endpoint import Answered, Beyond, Endpoint, Nowhere, Operation, Service
from nebula_controller.api.policy import Policy


def create_application(
    authenticator: Authenticator,
    services: Sequence[Service],
    lifespan: Lifespan[Starlette] | None = None,
    beyond: Beyond | None = None,
    policy: Policy | None = None,
    *,
    answered: Answered | None = None,
) -> Starlette:
    """One route per path, in the services' order; ``lifespan`` is Starlette's, for what runs beside the requests.

    ``beyond`` grants what changing calls of all services may ask for by headers. ``policy`` None: the defaults.
    ``answered`` is told of each request.
    """
    if policy is None:
        policy = Policy(default_rules(services))
    routes = []
    for service in services:
        paths: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in service.operations:
            paths[service.prefix + operation.path].append(operation)
        routes += [
            Route(
                path,
                Endpoint(
                    operations,
                    service.shape,
                    authenticator,
                    policy,
                    beyond,
                    answered=answered,
                    service=service.prefix.lstrip("/") or "document",
                ),
                methods=None,
            )
            for path, operations in paths.items()
        ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.router.redirect_slashes = False
    application.router.default = Nowhere(services, authenticator, answered)
    return application


def default_rules(services: Sequence[Service]) -> dict[str, str]:
    """The policy's defaults of all services."""
    return {name: text for service in services for name, text in service.rules.items()}
