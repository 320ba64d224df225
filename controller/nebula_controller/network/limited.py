"""Resources of the network service: limited by the project's quota, where their declaration says so. Effects: SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from nebula.model.standard import Nameless
from nebula_controller.api.collection import Collection
from nebula_controller.network import quotas
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.store.database import Database, Transaction
from nebula_controller.store.records import RecordTable

S = TypeVar("S", bound=Nameless)


class Limited(Collection[S]):
    """What a declaration alone makes; a subclass has ``of``, the resources that it says more of."""

    of: ClassVar[tuple[RecordTable[Any], ...]] = ()

    def __init__(
        self, database: Database, rows: RecordTable[S] | None = None, settings: NetworkSettings | None = None
    ) -> None:
        """``rows``: by default the first ``of``."""
        super().__init__(database, self.of[0] if rows is None else rows)
        self.settings = settings or NetworkSettings()

    def limit(self, tx: Transaction, projects: Sequence[str]) -> None:
        if self.resource.limited:
            quotas.check(tx, self.resource.singular, projects)
