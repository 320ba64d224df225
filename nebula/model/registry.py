"""The declarations of resources, found by looking through this package: a file with one in it is enough.

Pure but for the imports.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import nebula.model
from nebula.model.attribute import Resource
from nebula.model.standard import Nameless


def declared(name: str) -> Resource[Any]:
    """``network:NETWORK`` is ``nebula.model.network.NETWORK``."""
    module, _, variable = name.partition(":")
    found: Resource[Any] = getattr(importlib.import_module(f"nebula.model.{module}"), variable)
    return found


def files() -> list[str]:
    """The names of the package's modules."""
    return [module.name for module in pkgutil.iter_modules(nebula.model.__path__)]


def of_network() -> list[Resource[Any]]:
    """All of the network API, by the names of their files and in their order there."""
    found = {}
    for file in files():
        for value in vars(importlib.import_module(f"nebula.model.{file}")).values():
            if isinstance(value, Resource) and issubclass(value.record, Nameless):
                found[value.table] = value
    return list(found.values())
