"""Free blocks of a pool, against plain sets of addresses."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from nebula_controller.api.context import internal
from nebula_controller.network import prefixes
from nebula_controller.network.subnet_pools import POOLS
from nebula_controller.store.database import Database
from nebula_controller.store.tables.pools import free_prefixes
from sqlalchemy import delete, select

from nebula.model.subnet_pool import SubnetPool
from nebula.rules.subnet_pools import compact, minus

PREFIXES = ("10.0.0.0/28", "10.0.0.32/29")
SMALLEST = 28

blocks = st.builds(
    lambda offset, length: str(ipaddress.ip_network((f"10.0.0.{offset}", length), strict=False)),
    st.integers(0, 63),
    st.integers(SMALLEST - 1, 32),
)


def addresses(*cidrs: str) -> set[str]:
    return {str(address) for cidr in cidrs for address in ipaddress.ip_network(cidr)}


def test_against_sets(tmp_path: Path) -> None:
    """However blocks are cut and given back: none is given twice, the table holds the rest in as few blocks as can be,
    and a block comes from the smallest that has one."""
    database = Database(tmp_path / "x.sqlite")
    with database.write(internal("t")) as tx:
        POOLS.insert(tx, SubnetPool(id="pool", name="pool"))

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.given: list[str] = []
            with database.write(internal("t")) as tx:
                tx.execute(delete(free_prefixes))
                prefixes.give_back(tx, "pool", PREFIXES)

        def free(self) -> tuple[str, ...]:
            return minus(PREFIXES, self.given)

        @rule(length=st.integers(SMALLEST, 32))
        def take_any(self, length: int) -> None:
            fitting = [block for block in map(ipaddress.ip_network, self.free()) if block.prefixlen <= length]
            best = min(fitting, key=lambda block: (-block.prefixlen, block.network_address), default=None)
            with database.write(internal("t")) as tx:
                found = prefixes.take_any(tx, "pool", 4, length)
            assert found == (None if best is None else f"{best.network_address}/{length}")
            self.given += [found] if found else []

        @rule(cidr=blocks)
        def take(self, cidr: str) -> None:
            with database.write(internal("t")) as tx:
                taken = prefixes.take(tx, "pool", cidr)
            assert taken == (addresses(cidr) <= addresses(*self.free()))
            self.given += [cidr] if taken else []

        @rule(choice=st.integers(0, 100))
        def give_back(self, choice: int) -> None:
            if self.given:
                with database.write(internal("t")) as tx:
                    prefixes.give_back(tx, "pool", [self.given.pop(choice % len(self.given))])

        @invariant()
        def the_table_holds_what_is_left(self) -> None:
            with database.read() as tx:
                rows = tx.execute(select(free_prefixes.c.first, free_prefixes.c.prefixlen)).all()
            stored = [str(ipaddress.ip_network((first, length))) for first, length in rows]
            assert tuple(sorted(stored, key=ipaddress.ip_network)) == self.free() == compact(stored)

    Machine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
    Machine.TestCase().runTest()
    database.close()
