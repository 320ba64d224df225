"""All tables, by area. Importing this package fills ``store.metadata.metadata``: each area's module is found by itself.

An area adds a file here (``identity.py``, ``compute.py``, ``nodes.py``) and a migration, nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil

from nebula_controller.store.metadata import metadata

__all__ = ["metadata"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
