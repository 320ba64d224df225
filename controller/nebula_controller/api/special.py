"""The classes that say more of resources than their declarations do, found in a service's folder. Effects: imports."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def special(folder: ModuleType, base: type[T], of: str) -> Iterator[type[T]]:
    """Those of its modules ``*_api`` that stand on ``base`` and name in ``of`` what they are for."""
    for found in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if found.name.endswith("_api"):
            for kind in vars(importlib.import_module(found.name)).values():
                if isinstance(kind, type) and issubclass(kind, base) and getattr(kind, of, None):
                    yield kind
