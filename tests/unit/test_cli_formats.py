"""What nebulactl prints is, byte for byte, what the openstack client prints for the same answers of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_case_study import fill
from cli_cloud import Cloud, running_cloud
from cli_golden import LINES, golden_file
from hypothesis import given
from hypothesis import strategies as st
from nebulactl import nouns
from nebulactl.main import run
from nebulactl.tables import draw

from nebula.model.network import NETWORK
from nebula.model.port import PORT as PORT_MODEL


@pytest.fixture(scope="module")
def case_study() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        fill(cloud)
        yield cloud


@pytest.mark.parametrize("line", LINES)
def test_output_is_the_openstack_clients(
    line: str, case_study: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables, json, value, csv, yaml and shell output equal the real client's (see cli_golden.py)."""
    for name, value in {**case_study.environment, "XDG_CACHE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    code = run(line.split())
    assert (code, capsys.readouterr().out) == (0, golden_file(line).read_text())


@pytest.mark.parametrize(
    ("declared", "noun"), [(NETWORK, nouns.NETWORK_NOUN), (PORT_MODEL, nouns.PORT)], ids=["network", "port"]
)
def test_show_has_every_attribute_of_the_model(declared: object, noun: nouns.Noun) -> None:
    """Nothing that the controller declares of a network or port is missing from ``show``."""
    names = {bound.name for bound in declared.attributes.values() if bound.attribute.sent}  # type: ignore[attr-defined]
    shown = {column.attribute for column in noun.fields} | noun.hidden
    assert noun.open_ended or names - shown == set()
    assert {column.attribute for column in noun.columns} <= names


def test_table_of_nothing_is_empty() -> None:
    """As in the openstack client, a list without rows prints an empty line, no frame."""
    assert draw(["ID"], []) == ""


def test_table_counts_columns_as_a_terminal_does() -> None:
    """Wide characters take two columns, combining ones none, so that borders stay straight."""
    drawn = draw(["Name", "N"], [["網路", 5], ["e\u0301", 12]])
    assert drawn.split("\n") == [
        "+------+----+",
        "| Name |  N |",
        "+------+----+",
        "| 網路 |  5 |",
        "| e\u0301    | 12 |",
        "+------+----+",
    ]


def test_table_writes_control_characters_out() -> None:
    """An escape sequence in a name does not reach the terminal."""
    assert "| a\\x1b[2Jb\\t |" in draw(["Name"], [["a\x1b[2Jb\t"]])


@given(
    rows=st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=2, max_size=2), min_size=1),
    limit=st.integers(min_value=0, max_value=60),
)
def test_table_lines_are_of_one_width(rows: list[list[str]], limit: int) -> None:
    """Whatever the cells hold, no line is broken: each starts and ends with a border."""
    lines = draw(["A", "Second"], rows, limit=limit).split("\n")
    assert all(line[0] in "+|" and line[-1] == line[0] for line in lines)
