"""NodeState: all objects that a node shall hold, or does hold, by key.

Pure. Desired and observed states are of the same type, so that a diff compares like with like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from nebula.desired.kinds import KernelObject, Key

NodeState = Mapping[Key, KernelObject]


def node_state(objects: Iterable[KernelObject]) -> NodeState:
    """A read-only state. Two objects with one key are a mistake of the caller: ValueError."""
    state: dict[Key, KernelObject] = {}
    for item in objects:
        key = item.key
        if key in state:
            raise ValueError(f"two objects are called {key.kind} {key.name}")
        state[key] = item
    return MappingProxyType(state)


EMPTY: NodeState = MappingProxyType({})
