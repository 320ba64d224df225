"""What every driver is: the pair of eyes and hands for one or a few kinds of kernel object.

Effects belong to the drivers; here is only their common shape. A driver never decides what shall be: it reads
what of ours is there, in the records of :mod:`nebula.desired.kinds`, and carries out changes it is given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from nebula.desired.diff import Change
from nebula.desired.kinds import KernelObject, Key
from nebula.desired.state import NodeState
from nebula.errors import NebulaError, Unavailable

Failures = Mapping[Key, str]
"""Why a change of that object failed. What is not named was done."""


class Driver(Protocol):
    """One stage of a pass."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Applied together, in one step where the kernel or OVS has one."""

    def observe(self, desired: NodeState) -> Iterable[KernelObject]:
        """Our objects of these kinds as they are now.

        ``desired`` lets a driver read only what is asked for where the kernel has a value for everything
        (sysctls), and names the owner where the kernel cannot keep it (an address). Raises NebulaError.
        """

    def apply(self, changes: Sequence[Change]) -> Failures:
        """Carry out all changes; a failure of one is not a failure of the others. Does not raise NebulaError."""

    @property
    def dirty(self) -> bool:
        """True when something may have changed since the last observe."""

    def mark_dirty(self) -> None:
        """Read everything anew at the next observe."""


@contextlib.contextmanager
def into(failures: dict[Key, str], change: Change) -> Iterator[None]:
    """Note what the block raises as the change's failure."""
    try:
        yield
    except (NebulaError, OSError) as error:
        failures[change.key] = str(error) or type(error).__name__


def together(changes: Sequence[Change], step: Callable[[Sequence[Change]], None]) -> dict[Key, str]:
    """All in one step; where that is refused, halves, so that one bad object does not hold up the others.

    Where nobody answers at all, halves would not help: all have failed.
    """
    if not changes:
        return {}
    try:
        step(changes)
    except Unavailable as error:
        return {change.key: error.message for change in changes}
    except (NebulaError, OSError) as error:
        if len(changes) == 1:
            return {changes[0].key: str(error) or type(error).__name__}
        middle = len(changes) // 2
        return together(changes[:middle], step) | together(changes[middle:], step)
    return {}
