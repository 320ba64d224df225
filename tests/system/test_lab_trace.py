"""Traces in a lab: which way, by which rules, and what would let it through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.trace_lab import TraceLab, hosts, steps


@pytest.fixture(scope="module")
def lab() -> Iterator[TraceLab]:
    made = TraceLab()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    ("words", "there", "back"),
    [
        (("web", "near", "tcp", "80"), ["compute1"], ["compute1"]),
        (("web", "db", "udp", "53"), ["compute1", "compute2"], ["compute2", "compute1"]),
        (("web", "198.51.100.10", "tcp", "80"), ["compute1", "net1", ""], ["", "net1", "compute1"]),
        (("198.51.100.10", "app", "tcp", "80"), ["", "net1", "compute2"], ["compute2", "net1", ""]),
        (("web", "203.0.113.77"), ["compute1", "net1", "compute2"], ["compute2", "net1", "compute1"]),
        (("web", "r"), ["compute1", "net1"], ["net1", "compute1"]),
        (("web", "dhcp"), ["compute1", "net1"], ["net1", "compute1"]),
    ],
)
def test_what_arrives(lab: TraceLab, words: tuple[str, ...], there: list[str], back: list[str]) -> None:
    """Node by node, and the answer's way back."""
    found = lab.trace(*words)
    assert (found["code"], found["verdict"]) == (0, "reached"), found["text"]
    assert (hosts(found["there"]), hosts(found["back"])) == (there, back)


def test_every_table_by_name_with_its_owner(lab: TraceLab) -> None:
    """As the switch has them; what is there for an object of the API leads to it."""
    found = lab.trace("web", "db", "tcp", "80")["there"]
    names = [step["name"] for step in steps(found, "table")]
    expected = ["0 LOCAL_SWITCHING", "25 MAC_SPOOF", "60 TRANSIENT", "71 BASE_EGRESS", "72 RULES_EGRESS"]
    assert names[:5] == expected
    assert {"20 UCAST_TO_TUN", "4 VXLAN_TUN_TO_LV", "82 RULES_INGRESS", "95 DELIVERY"} <= set(names)
    owners = {(step["owner"]["kind"], step["owner"]["name"]) for step in steps(found, "table") if step["owner"]}
    assert {("network", "n"), ("security_group", "default")} <= owners


def test_what_is_dropped_and_what_would_help(lab: TraceLab) -> None:
    """The call that is advised lets it through."""
    found = lab.trace("web", "app", "tcp", "22")
    assert (found["code"], found["verdict"], found["there"]["host"]) == (3, "dropped", "compute2")
    assert found["owner"]["name"] == "p-app"
    advice = found["advice"][0]
    source = found["start"]["address"]
    assert advice["text"] == f"a rule of security group open, which port p-app has: ingress tcp 22 from {source}/32"
    made = lab.good(*advice["command"].split()[1:], "--wait", "-f", "value", "-c", "id")
    assert lab.trace("web", "app", "tcp", "22")["code"] == 0
    lab.good("security", "group", "rule", "delete", made.strip(), "--wait")


def test_called_wrongly(lab: TraceLab) -> None:
    """One line each, and a code of its own."""
    for words, code in (
        (("web",), 2),
        (("web", "db", "tcp"), 2),
        (("web", "db", "tcp", "0"), 2),
        (("web", "db", "gre"), 2),
        (("web", "nobody"), 1),
        (("r", "web"), 1),
        (("web", "db", "--size", "1"), 1),
    ):
        found, out, error = lab.call("trace", *words)
        assert (found, out) == (code, ""), error
        assert "Traceback" not in error
