"""How an agent measures its clock for a capture, with a controller that answers quickly or slowly."""

from __future__ import annotations

import time
from typing import Any

import pytest
from nebula_agent import captures
from nebula_runtime.http import Response

from nebula.ids import Host

MS = 1_000_000


class Far:
    """A controller whose clock is 5 s ahead; each answer takes so long, the third one a tenth of it."""

    headers: dict[str, str] = {}

    def __init__(self, takes_ns: int) -> None:
        self.now_ns, self.asked, self._takes_ns = 1_800_000_000_000 * MS, 0, takes_ns

    def client(self, timeout_s: float) -> Far:
        assert timeout_s > 0
        return self

    def request(self, *_what: str, **_more: Any) -> Response:
        self.asked += 1
        takes_ns = self._takes_ns // (10 if self.asked == 3 else 1)
        there_ns = self.now_ns + takes_ns // 2 + 5000 * MS
        self.now_ns += takes_ns
        return Response(200, {}, b'{"time_ns": %d}' % there_ns)


@pytest.mark.parametrize(("takes_ms", "asked", "error_ms"), [(10, 8, 0.5), (400, 4, 20.0), (4000, 1, 2000.0)])
def test_the_clock_is_measured_within_a_second(
    monkeypatch: pytest.MonkeyPatch, takes_ms: int, asked: int, error_ms: float
) -> None:
    """By the quickest of eight answers; where they take long by fewer, for the controller must hear of the node."""
    far = Far(takes_ms * MS)
    monkeypatch.setattr(time, "time_ns", lambda: far.now_ns)
    capture: Any = captures._Capture(far, Host("n1"), "c1", {})  # type: ignore[arg-type]
    capture._measure_clock()
    assert (far.asked, capture._offset_ns, capture._error_ns) == (asked, 5000 * MS, error_ms * MS)
