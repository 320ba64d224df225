"""Settings for all floors, which file comes first, and what faults cost in this run, said at its end.

hypothesis: no ``explain`` phase, which traces every line of every example (before Python 3.12 that is most of the
time of a test); the same examples in every run of continuous integration, fresh ones by hand.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import Phase, settings
from nebula_runtime.log import JsonFormatter, TextFormatter

settings.register_profile(
    "nebula",
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("nebula")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The emulated machine first, whose worker only waits for it: it takes longer than any other file, and yields to
    what runs beside it."""
    items.sort(key=lambda item: item.path.name != "test_kernel_datapath.py")


@pytest.fixture(autouse=True)
def _logs_end_with_their_test() -> Iterator[None]:
    """A program that a test calls has its log go to that test's standard error, which later tests find closed."""
    yield
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if not isinstance(one.formatter, (JsonFormatter, TextFormatter))]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Streams by name, for the lines at the end of the run: what a fault cost."""

    def record(**streams: object) -> None:
        record_property("lost", ", ".join(f"{name.replace('_', '-')} {stream}" for name, stream in streams.items()))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each test that told what was lost."""
    lost = {
        report.nodeid.rpartition("/")[2]: str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "lost"
    }
    if lost:
        terminalreporter.section("packets lost by faults, of one each 50 ms")
    for test, value in sorted(lost.items()):
        terminalreporter.line(f"{test}: {value}")
