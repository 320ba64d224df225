"""``/v3/policies``: texts that services may keep here. Nobody reads them but those who ask (Keystone's own words:
deprecated). Effects: the database.
"""

from __future__ import annotations

from nebula.model.identity import POLICY
from nebula_controller.identity.collection import Collection
from nebula_controller.store.tables.identity import policies


class Policies(Collection):
    """``/v3/policies``."""

    resource = POLICY
    table = policies
