"""The declarations of resources, found by looking through this package: a file is enough.

Pure but for the imports.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import nebula.model
from nebula.model.attribute import Resource

_WITHOUT = frozenset(
    {"accept", "attribute", "dhcp_option", "extensions", "identity_standard", "registry", "snapshot", "standard"}
)
"""Files that have no resource: they need not be imported to know."""


def declared(name: str) -> Resource[Any]:
    """``network:NETWORK`` is ``nebula.model.network.NETWORK``."""
    module, _, variable = name.partition(":")
    found: Resource[Any] = getattr(importlib.import_module(f"nebula.model.{module}"), variable)
    return found


def files() -> list[str]:
    """The names of the package's modules in which resources are to be found."""
    return [found.name for found in pkgutil.iter_modules(nebula.model.__path__) if found.name not in _WITHOUT]


def of_file(file: str) -> dict[str, Resource[Any]]:
    """Those that a module has, by the names of its variables."""
    variables = vars(importlib.import_module(f"nebula.model.{file}"))
    return {name: value for name, value in variables.items() if isinstance(value, Resource)}


def of(service: str) -> list[Resource[Any]]:
    """All of a service's API, by the names of their files and in their order there."""
    every = {found.path: found for file in files() for found in of_file(file).values()}
    return [found for found in every.values() if found.service == service]
