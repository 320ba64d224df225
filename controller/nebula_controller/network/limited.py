"""Collections whose objects are limited by the project's quota. Effects: SQL in a transaction."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TypeVar

from nebula.model.standard import Nameless
from nebula_controller.api.collection import Collection
from nebula_controller.network import quotas
from nebula_controller.store.database import Transaction

S = TypeVar("S", bound=Nameless)


class Limited(Collection[S], ABC):
    """A collection with a row in ``quotas.COUNTED``. Ports are not one: they are counted wherever they are made."""

    def limit(self, tx: Transaction, projects: Sequence[str]) -> None:
        quotas.check(tx, self.resource.singular, projects)
