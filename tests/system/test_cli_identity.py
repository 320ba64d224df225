"""nebulactl's nouns of identity against a real controller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack_cloud import Controller

from tests import forked


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("cli-identity"))
    yield made
    made.stop()


@pytest.fixture
def run(controller: Controller, tmp_path: Path) -> Any:
    """Runs nebulactl as the administrator: its JSON, or None where it prints none."""

    def nebulactl(line: str, exit_code: int = 0) -> Any:
        variables = {**controller.environment(), "XDG_CACHE_HOME": str(tmp_path)}
        done = forked.run("nebulactl", line.split(), variables)
        assert done.returncode == exit_code, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else None

    return nebulactl


def test_groups_and_domains(run: Any) -> None:
    """A group's role, inherited from a domain, effective for its members."""
    domain = run("domain create --description d hall -f json")
    assert (domain["name"], domain["enabled"], domain["description"]) == ("hall", True, "d")
    assert [row["Name"] for row in run("domain list -f json")] == ["Default", "hall"]
    run("user create --password pw anna")
    run("group create --domain default class")
    run("group add user class anna")
    run("role add --group class --domain default --inherited reader")
    given = run("role assignment list --names --group class -f json")
    assert [(row["Role"], row["Group"], row["Domain"], row["Inherited"]) for row in given] == [
        ("reader", "class@Default", "Default", True)
    ]
    effective = run("role assignment list --names --effective --user anna -f json")
    assert [(row["Role"], row["Project"]) for row in effective] == [("reader", "admin@Default")]
    run("role remove --group class --domain default --inherited reader")
    run("group remove user class anna")
    assert run("role assignment list --effective --user anna -f json") == []
    run("role add --user anna --project admin --domain default reader", exit_code=2)
    run("role add --project admin reader", exit_code=2)


def test_services(run: Any) -> None:
    """Made, shown, taken out of the catalogue, deleted."""
    run("service create --name designate dns")
    assert "designate" in [row["Name"] for row in run("service list -f json")]
    run("service set --disable designate")
    assert run("service show designate -f json")["enabled"] is False
    run("service delete designate")


def test_bench_tokens(run: Any) -> None:
    """Two providers, new and remembered tokens; a UUID token costs a row and a look-up more."""
    rows = run("bench tokens --tokens 10 -f json")
    assert [(row["Provider"], row["Token"]) for row in rows] == [
        ("fernet", "new"),
        ("fernet", "remembered"),
        ("uuid", "new"),
        ("uuid", "remembered"),
    ]
    assert [row["Rows per token"] for row in rows] == [0, 0, 1, 1]
    assert rows[2]["Look-ups per validation"] - rows[0]["Look-ups per validation"] == 1
    assert min(row["Validations/s"] for row in rows) > 0
