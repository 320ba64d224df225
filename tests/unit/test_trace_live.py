"""A question that comes twice, since its answer did not get through, sends one packet and listens once."""

from __future__ import annotations

from typing import Any, cast

import pytest
from nebula_agent.tracing import live
from nebula_agent.tracing.live import Live
from nebula_agent.tracing.site import Site

from nebula.errors import CommandFailed
from nebula.trace.live import LiveOrder, Sightings
from nebula.trace.packet import Packet

ORDER = LiveOrder(7, Packet("icmp", "192.168.50.3", "192.168.50.5", source_port=1, destination_port=1, type=8))


class _Site:
    spaces: dict[str, Any] = {}


SITE = cast(Site, _Site())


def test_one_packet_however_often_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another trace's is another."""
    sent: list[int] = []
    monkeypatch.setattr(live, "_send", lambda _site, order: sent.append(order.tag))
    traces = Live()
    for tag in (7, 7, 8):
        assert traces.send(SITE, LiveOrder(tag, ORDER.packet)) == Sightings()
    assert sent == [7, 8]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (CommandFailed(["ovs-ofctl"], 1, "no such port"), "ovs-ofctl: exit 1: no such port"),
    ],
)
def test_what_the_kernel_or_the_switch_refuses_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """In its words."""

    def refuse(_site: Site, _order: LiveOrder) -> None:
        raise error

    monkeypatch.setattr(live, "_send", refuse)
    assert Live().send(SITE, ORDER).refused == said


def test_what_was_seen_is_told_once_it_is_known() -> None:
    """Nothing is listened at: the answer comes when the time is over; of what nobody listens for, at once."""
    traces, told = Live(), []
    assert traces.listen(SITE, ORDER) == Sightings()
    assert traces.listen(SITE, ORDER) == Sightings()
    ear = traces._ears[ORDER.tag]
    traces.seen(LiveOrder(7, ORDER.packet, listen_s=0.01), told.append)
    ear.join(10)
    traces.seen(ORDER, told.append)
    assert told == [Sightings(), Sightings()]
