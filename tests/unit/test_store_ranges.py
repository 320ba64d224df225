"""Free numbers as ranges, against a plain set."""

from __future__ import annotations

import itertools
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from nebula_controller.api.context import internal
from nebula_controller.store.database import Database
from nebula_controller.store.ranges import FreeRanges, without
from nebula_controller.store.tables.network import free_segments
from sqlalchemy import select

LAST = 12


@given(st.sets(st.integers(0, 40)), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=5))
def test_without(taken: set[int], gaps: list[tuple[int, int]]) -> None:
    """The ranges less the numbers hold what a set would, in order, and never touch each other."""
    ranges, position = [], 0
    for gap, length in gaps:
        ranges.append((position + gap, position + gap + length - 1))
        position += gap + length + 1
    left = list(without(ranges, sorted(taken)))
    expected = {n for first, last in ranges for n in range(first, last + 1)} - taken
    assert [n for first, last in left for n in range(first, last + 1)] == sorted(expected)


def test_against_a_set(tmp_path: Path) -> None:
    """However numbers are taken and given back, the table holds the free ones as few ranges, and gives the lowest."""
    database = Database(tmp_path / "x.sqlite")
    ranges = FreeRanges(free_segments, free_segments.c.network_type)

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.free = set(range(1, LAST + 1))
            with database.write(internal("t")) as tx:
                ranges.fill(tx, "vxlan", [(1, LAST)])

        @rule()
        def lowest(self) -> None:
            with database.write(internal("t")) as tx:
                found = ranges.take_lowest(tx, "vxlan")
            assert found == min(self.free, default=None)
            self.free -= {found}

        @rule(number=st.integers(0, LAST + 1))
        def take(self, number: int) -> None:
            with database.write(internal("t")) as tx:
                ranges.take(tx, "vxlan", number)
            self.free -= {number}

        @rule(number=st.integers(1, LAST))
        def give_back(self, number: int) -> None:
            with database.write(internal("t")) as tx:
                ranges.give_back(tx, "vxlan", number)
            self.free |= {number}

        @invariant()
        def same(self) -> None:
            with database.read() as tx:
                rows = tx.execute(select(free_segments.c.first, free_segments.c.last).order_by(free_segments.c.first))
                found = [(first, last) for first, last in rows]
            assert [n for first, last in found for n in range(first, last + 1)] == sorted(self.free)
            assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))

    case = Machine.TestCase
    case.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
    case().runTest()
    database.close()


@pytest.mark.parametrize("number", [0, 2**32 - 1, 2**128 - 1])
def test_packed_addresses(tmp_path: Path, number: int) -> None:
    """Numbers as large as IPv6 addresses survive the table."""
    from nebula_controller.network.addresses import _number, _packed

    assert _number(_packed(number)) == number
    del tmp_path
