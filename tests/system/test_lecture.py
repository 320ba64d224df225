"""The lecture page: its commands work, and it is the one that its script writes."""

from __future__ import annotations

import pytest

from tests.system import lecture


def test_the_page_is_the_scripts() -> None:
    """Text and commands; the outputs are those of the run that wrote it."""
    page = lecture.PAGE.read_text(encoding="utf-8")
    assert lecture.commands(page) == lecture.commands(lecture.STORY), "python -m tests.system.lecture writes it anew"


@pytest.mark.timeout(180)
def test_every_command_works() -> None:
    """From a lab that is not there to one that is gone: each ends with the exit code that the page says, and its
    telling line is in its output.
    """
    page = lecture.written()
    for telling in (
        "net1: 20 changes",
        "SNAT --to-source 203.0.113.",
        "PUT /network/v2.0/routers",
        "REACHED: it arrives, and its answer does",
        "packet 1, hop 5 of 5, before NAT 192.168.50.3:",
        "DROPPED on compute1",
        "is missing, for port",
        "  mended",
        "SEEN as predicted, at every point.",
        "Lab nebula is down.",
    ):
        assert telling in page, telling
