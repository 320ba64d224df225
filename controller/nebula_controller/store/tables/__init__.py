"""All tables, by area. Importing this package fills ``store.metadata.metadata``: each area's module is found by itself.

An area adds a file here (``identity.py``, ``compute.py``, ``nodes.py``) and a migration, nothing else. A resource that
none of them names has the table that its declaration makes; ``metadata.table`` gives it.
"""

from __future__ import annotations

import importlib
import pkgutil

from nebula.model import registry
from nebula_controller.store.metadata import metadata, table_of

__all__ = ["metadata"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

for _resource in [*registry.of("network"), *registry.of("identity")]:
    if _resource.table not in metadata.tables:
        table_of(_resource)
