"""Free numbers (VNIs, addresses) kept as ranges: the lowest is found, any taken or given back, in logarithmic time.

Effects: SQL in a transaction. Whoever gives a number back has taken it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Column, Select, Table, bindparam, delete, insert, select, update

from nebula_controller.store.database import Transaction

Range = tuple[int, int]
"""First and last, both included."""


class FreeRanges:
    """A table of ranges with columns ``first`` and ``last``, and a column that says which set a range belongs to."""

    def __init__(
        self,
        table: Table,
        scope: Column[str],
        encode: Callable[[int], object] = lambda number: number,
        decode: Callable[[object], int] = lambda stored: int(str(stored)),
    ) -> None:
        self._scope = scope
        self._encode, self._decode = encode, decode
        columns = table.c
        mine = scope == bindparam("of")
        ranges = select(columns.first, columns.last).where(mine)
        self._lowest = ranges.order_by(columns.first).limit(1)
        self._at_or_below = ranges.where(columns.first <= bindparam("number")).order_by(columns.first.desc()).limit(1)
        self._starting_at = ranges.where(columns.first == bindparam("number"))
        self._delete_all = delete(table).where(mine)
        self._delete_one = delete(table).where(mine, columns.first == bindparam("start"))
        self._update = update(table).where(mine, columns.first == bindparam("start"))
        self._move_start = self._update.values(first=bindparam("next"))
        self._extend = self._update.values(last=bindparam("end"))
        self._insert = insert(table)

    def fill(self, tx: Transaction, scope: str, ranges: Iterable[Range]) -> None:
        """Replace the whole set; the ranges do not overlap."""
        tx.execute(self._delete_all, {"of": scope})
        for first, last in ranges:
            self._add(tx, scope, first, last)

    def take_lowest(self, tx: Transaction, scope: str) -> int | None:
        """Take the lowest free number; None where there is none."""
        found = self._find(tx, self._lowest, scope)
        if found is None:
            return None
        first, last = found
        key = {"of": scope, "start": self._encode(first)}
        if first == last:
            tx.execute(self._delete_one, key)
        else:
            tx.execute(self._move_start, {**key, "next": self._encode(first + 1)})
        return first

    def take(self, tx: Transaction, scope: str, number: int) -> None:
        """Take this number, if the set has it."""
        found = self._find(tx, self._at_or_below, scope, number)
        if found is not None and found[1] >= number:
            first, last = found
            self._replace(tx, scope, first, [(first, number - 1), (number + 1, last)])

    def give_back(self, tx: Transaction, scope: str, number: int) -> None:
        """Put a number into the set again."""
        first = last = number
        below = self._find(tx, self._at_or_below, scope, number)
        if below is not None and below[1] >= number:
            return
        above = self._find(tx, self._starting_at, scope, number + 1)
        if above is not None:
            last = above[1]
            tx.execute(self._delete_one, {"of": scope, "start": self._encode(above[0])})
        if below is not None and below[1] == number - 1:
            first = below[0]
            key = {"of": scope, "start": self._encode(first)}
            tx.execute(self._extend, {**key, "end": self._encode(last)})
        else:
            self._add(tx, scope, first, last)

    def _find(
        self, tx: Transaction, statement: Select[tuple[Any, Any]], scope: str, number: int | None = None
    ) -> Range | None:
        parameters: dict[str, object] = {"of": scope}
        if number is not None:
            parameters["number"] = self._encode(number)
        row = tx.execute(statement, parameters).one_or_none()
        if row is None:
            return None
        first, last = row
        return self._decode(first), self._decode(last)

    def _replace(self, tx: Transaction, scope: str, start: int, ranges: list[Range]) -> None:
        tx.execute(self._delete_one, {"of": scope, "start": self._encode(start)})
        for first, last in ranges:
            if first <= last:
                self._add(tx, scope, first, last)

    def _add(self, tx: Transaction, scope: str, first: int, last: int) -> None:
        values = {self._scope.name: scope, "first": self._encode(first), "last": self._encode(last)}
        tx.execute(self._insert, values)


def without(ranges: Iterable[Range], taken: Iterable[int]) -> Iterator[Range]:
    """The ranges less some numbers. Both are sorted; the ranges do not overlap."""
    numbers = iter(taken)
    number = next(numbers, None)
    for start, last in ranges:
        first = start
        while number is not None and number <= last:
            if number >= first:
                if number > first:
                    yield first, number - 1
                first = number + 1
            number = next(numbers, None)
        if first <= last:
            yield first, last
