"""Names for shell completion, from the cloud.

Effects: HTTP. Whatever fails, a completion prints nothing: the shell is in the middle of a line. Nor does it wait
for long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from nebula.errors import NebulaError
from nebula.ids import (
    InstanceId,
    NetworkId,
    PortId,
    RouterId,
    dhcp_namespace,
    instance_namespace,
    router_namespace,
    tap_name,
)
from nebulactl.api import JsonObject, as_objects
from nebulactl.find import list_resources
from nebulactl.invocation import Invocation
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT, ROUTER, Noun

_PATIENCE_S = 1.0


def names(ctx: click.Context, nouns: Sequence[Noun]) -> list[str]:
    """The names of all resources of these kinds; of one kind alone the id where one has no name."""
    found = [
        str(resource.get(noun.known_by) or (resource.get("id") if len(nouns) == 1 else ""))
        for noun, resource in _resources(ctx, nouns)
    ]
    return sorted(set(filter(None, found)))


def things(ctx: click.Context) -> list[str]:
    """What an administrator meets on a node: namespaces, devices and addresses of what the cloud has."""
    found: set[str] = set()
    for noun, resource in _resources(ctx, (PORT, INSTANCE, ROUTER, NETWORK_NOUN)):
        found.update(_of_resource(noun, str(resource.get("id")), resource))
    return sorted(filter(None, found))


def _of_resource(noun: Noun, identity: str, resource: JsonObject) -> Iterator[str]:
    if noun is PORT:
        yield tap_name(PortId(identity))
        yield str(resource.get("mac_address") or "")
        yield from (str(item.get("ip_address") or "") for item in as_objects(resource.get("fixed_ips")))
    elif noun is INSTANCE:
        yield instance_namespace(InstanceId(identity))
    elif noun is ROUTER:
        yield router_namespace(RouterId(identity))
    else:
        yield dhcp_namespace(NetworkId(identity))


def _resources(ctx: click.Context, nouns: Iterable[Noun]) -> list[tuple[Noun, JsonObject]]:
    root = ctx.find_root().params
    flags = {name.removeprefix("os_"): str(value) for name, value in root.items() if name.startswith("os_") and value}
    invocation = Invocation(flags)
    invocation.timeout_s = _PATIENCE_S
    try:
        return [(noun, resource) for noun in nouns for resource in list_resources(invocation.api, noun)]
    except NebulaError:
        return []
