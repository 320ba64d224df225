"""What people see of a declared resource (``nebula.model``): the titles of its columns, and the names of its options.

Pure. A declaration is imported when it is first asked for: a call needs that of its own noun alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nebula.model.attribute import BoundAttribute, Resource

_UPPER = {"dhcp", "dns", "id", "ip", "mac", "mtu", "url"}


def resource(declared: str) -> Resource[Any]:
    """``network:NETWORK`` is ``nebula.model.network.NETWORK``."""
    from nebula.model import registry

    return registry.declared(declared)


def title(resource: Resource[Any], name: str) -> str:
    """The title in lists: ``mac_address`` is ``MAC Address``, ``network_id`` the ``Network``."""
    bound = resource.attributes.get(name)
    if bound is not None and bound.attribute.title:
        return bound.attribute.title
    words = (base(bound) if bound is not None else name).rpartition(":")[2].split("_")
    return " ".join(word.upper() if word in _UPPER else word.capitalize() for word in words)


def flag(bound: BoundAttribute) -> str:
    """Its option: ``--mac-address``, ``--network``, ``--dns-nameserver`` of several, ``--x/--no-x`` of a truth."""
    if bound.attribute.flag:
        return bound.attribute.flag
    name = base(bound).replace(":", "-").replace("_", "-")
    if bound.type is tuple:
        name = name.removesuffix("s")
    return f"--{name}/--no-{name}" if bound.type is bool else f"--{name}"


def base(bound: BoundAttribute) -> str:
    """The name without ``_id``, where it names another object: people give its name too."""
    return bound.name.removesuffix("_id") if names_another(bound) else bound.name


def names_another(bound: BoundAttribute) -> bool:
    """Whether its value is the id of another object."""
    return bool(bound.attribute.refers_to) or bound.name == "project_id"
