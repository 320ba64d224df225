"""What nebulactl remembers between calls."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nebulactl.cache import Cache, Grant
from nebulactl.credentials import Credentials

_DAY_S = 86_400


def test_what_nobody_used_for_weeks_is_removed_at_a_login(tmp_path: Path) -> None:
    """Every lab has a port of its own and so files of its own here; what is not ours, or young, stays."""
    ages = {"token-a.json": 8, "request-a": 8, "token-b.json": 6, "request-b": 1, "notes": 99}
    for name, days in ages.items():
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, times=(time.time() - days * _DAY_S,) * 2)
    credentials = Credentials("http://h/v3", "u", "p", "n", "", {}, {}, "", "test")
    cache = Cache(credentials, tmp_path)
    grant = Grant("t", time.time() + 3600, "", "u", "p", {})
    cache.keep(grant)
    assert cache.grant() == grant
    kept = {path.name for path in tmp_path.iterdir()} & set(ages)
    assert kept == {"token-b.json", "request-b", "notes"}
