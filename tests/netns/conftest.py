"""Runs tests marked ``sandbox`` in namespaces of their own: see ``sandbox.py``."""

from __future__ import annotations

import os
import time

import pytest
import sandbox


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sandbox: runs inside namespaces of its own, with real packets")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if item.get_closest_marker("sandbox") is None or os.environ.get("NEBULA_SANDBOX"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    began = time.time()
    reason = sandbox.missing()
    name = item.nodeid.partition("::")[2]
    outcome, text = ("skipped", f"Skipped: {reason}") if reason else sandbox.run(f"{item.path}::{name}")
    longrepr = text if outcome == "failed" else (str(item.path), item.location[1] or 0, text)
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=None if outcome == "passed" else longrepr,
        when="call",
        duration=time.time() - began,
    )
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # What an earlier test of this file had set up in this process: pytest's own protocol would have taken it down here.
    item.session._setupstate.teardown_exact(nextitem)
    return True
