"""Desired and observed state to ordered changes.

Pure. Equal means no change: the diff of a state with itself is empty.
"""

from __future__ import annotations

import msgspec

from nebula.desired.kinds import KernelObject, Key
from nebula.desired.order import RANK
from nebula.desired.state import NodeState
from nebula.view.report import Action


class Change(msgspec.Struct, frozen=True):
    """One object to add, change or remove. ``before`` is None for an add, ``after`` for a removal."""

    action: Action
    before: KernelObject | None
    after: KernelObject | None

    @property
    def subject(self) -> KernelObject:
        """The object as it shall be, or, when it goes, as it was."""
        subject = self.after if self.after is not None else self.before
        assert subject is not None
        return subject

    @property
    def key(self) -> Key:
        return self.subject.key


def diff(desired: NodeState, observed: NodeState) -> tuple[Change, ...]:
    """Changes that turn ``observed`` into ``desired``: adds and changes in ORDER, then removals in reverse."""
    forward = [
        Change(Action.ADD, None, item) if key not in observed else Change(Action.CHANGE, observed[key], item)
        for key, item in desired.items()
        if key not in observed or observed[key] != item
    ]
    backward = [Change(Action.REMOVE, item, None) for key, item in observed.items() if key not in desired]
    forward.sort(key=lambda change: (RANK[change.key.kind], change.key.name))
    backward.sort(key=lambda change: (-RANK[change.key.kind], change.key.name))
    return (*forward, *backward)
