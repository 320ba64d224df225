"""Every route of the controller as every kind of caller, against ``docs/policy.md``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from identity_routes import documented as identity_documented
from policy_routes import BEGIN, END, RULES_BEGIN, RULES_END, Walk, documented, rules

from nebula.errors import ConfigError

WRITE = "python tests/unit/policy_routes.py writes the tables anew"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    made = Walk(tmp_path_factory.mktemp("policy"))
    yield made
    made.controller.close()


@pytest.fixture(scope="module")
def rows(walk: Walk) -> list[str]:
    return walk.rows()


def test_every_route_lets_in_whom_the_document_says(rows: list[str]) -> None:
    """Also one that is new: it has no row."""
    assert rows == documented(BEGIN, END), WRITE


def test_every_route_of_identity_has_a_row() -> None:
    """In its own document; ``test_identity_policy`` walks them."""
    assert len(identity_documented()) > 100


def test_only_versions_and_joining_answer_without_a_token(rows: list[str]) -> None:
    """The nodes' routes ask for a node's certificate; by ``authority`` and ``join`` one comes to have it."""
    first = {row.split("`")[1]: row.split(" | ")[1] for row in rows}
    answered = sorted(route for route, cell in first.items() if cell not in ("401", "node"))
    versions = (
        f"GET /{service}{version}{slash}"
        for service, versions in (("network", ("", "/v2.0")), ("compute", ("", "/v2.1")), ("image", ("",)))
        for version in versions
        for slash in ("", "/")
    )
    assert answered == sorted([*versions, "GET /nebula/v1/authority", "POST /nebula/v1/join"])


def test_a_reader_changes_nothing(rows: list[str]) -> None:
    """No row lets the project's reader POST, PUT or DELETE."""
    changing = [row.split(" | ") for row in rows if not row.startswith(("| `GET", "| `POST /nebula/v1/join`"))]
    assert {cells[3] for cells in changing} <= {"403", "404", "node", "400"}, changing


def test_every_rule_is_in_the_document(walk: Walk) -> None:
    """With its default."""
    assert rules(walk) == documented(RULES_BEGIN, RULES_END), WRITE


def test_the_controller_does_not_start_with_a_wrong_policy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It says which file and which rule."""
    from nebula_controller.assembly import assemble
    from nebula_controller.settings import Settings

    folder = tmp_path_factory.mktemp("wrong")
    file = folder / "policy.yaml"
    file.write_text('"create_network": "rule:teacher"\n')
    with pytest.raises(ConfigError, match=r"policy\.yaml: create_network: there is no rule 'teacher'"):
        assemble(folder, Settings(policy_file=str(file)), "secret")
