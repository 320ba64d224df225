"""The agent's side of a capture, with real packets and a small HTTP server that stands for the controller."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_node import eventually, sh
from nebula_agent.access import Access
from nebula_agent.captures import Captures, Point
from nebula_agent.edge import netns

from nebula.capture.order import CaptureOrder, ListenAt, Listening
from nebula.capture.stream import Chunk, frames_of, unpack
from nebula.errors import Conflict, NebulaError
from nebula.ids import Host, PortId
from nebula.view.question import Ask, NodeAnswer, Question

pytestmark = pytest.mark.sandbox
AHEAD_NS = 5_000_000_000


class Controller:
    """Takes chunks while ``wanted``; its clock is five seconds ahead."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.wanted = True
        self.killed = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer(200, json.dumps({"time_ns": time.time_ns() + AHEAD_NS}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.killed:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if outer.wanted:
                    outer.chunks += unpack(body)
                self._answer(204 if outer.wanted else 404, b"")

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def frames(self) -> list[tuple[int, bytes]]:
        return [(index, data) for chunk in self.chunks for index, _f, _l, _t, data in frames_of(chunk)]


@pytest.fixture
def controller() -> Iterator[Controller]:
    made = Controller()
    netns.ensure_folder()
    sh("ip", "netns", "add", "guest")
    sh("ip", "link", "add", "tap0", "type", "veth", "peer", "name", "eth0", "netns", "guest")
    for words in (("", "tap0", "1"), ("guest", "eth0", "2")):
        ip = ("ip", "-n", words[0]) if words[0] else ("ip",)
        sh(*ip, "link", "set", words[1], "addrgenmode", "none", "up")
        sh(*ip, "address", "add", f"192.0.2.{words[2]}/24", "dev", words[1])
    yield made
    made.server.shutdown()


POINTS = (ListenAt(0, PortId("p")), ListenAt(1), ListenAt(2, PortId("q")))
PLACES = (Point(POINTS[0], "guest", "eth0"), Point(POINTS[1], "", "lo"), Point(POINTS[2], "gone", "eth0"))


def rings() -> int:
    return Path("/proc/self/maps").read_text().count("socket:")


def begun(controller: Controller, expression: str = "icmp", identity: str = "c1") -> tuple[Captures, NodeAnswer]:
    """As the questions' thread and the loop do it."""
    captures = Captures(Access(controller.url, secret="s"), Host("n1"))
    return captures, ask(captures, expression, identity)


def ask(captures: Captures, expression: str, identity: str) -> NodeAnswer:
    answers: list[NodeAnswer] = []

    def loop(question: Question, reply: Callable[[NodeAnswer], None]) -> None:
        reply(NodeAnswer(question.id, Host("n1"), listening=captures.start(question, PLACES)))

    order = CaptureOrder(identity, POINTS, expression, 262_144, 1 << 20)
    captures.prepared(loop)(Question(7, Ask.CAPTURE, capture=order), answers.append)
    return answers[0]


def ping() -> None:
    sh("ping", "-c", "1", "-W", "2", "192.0.2.2")


def test_what_is_heard_is_sent(controller: Controller) -> None:
    """In a namespace; what is not there is named; the clock's offset is measured; it ends when nobody wants it."""
    captures, answer = begun(controller)
    assert answer.listening[:2] == (Listening(0, "guest", "eth0"), Listening(1, "", "lo"))
    assert "network namespace gone is not there" in answer.listening[2].error
    ping()
    eventually(lambda: len(controller.frames()) >= 2, "both frames")
    assert [(index, data[34]) for index, data in controller.frames()] == [(0, 8), (0, 0)]
    head = controller.chunks[-1].head
    assert abs(head.offset_ns - AHEAD_NS) <= head.error_ns < 1_000_000_000
    eventually(lambda: controller.chunks[-1].head.complete_ns > time.time_ns() - 1_000_000_000, "a sign of life")
    assert [(count.index, count.seen, count.dropped) for count in controller.chunks[-1].head.counts] == [
        (0, 2, 0),
        (1, 0, 0),
    ]
    assert rings() == 2
    controller.wanted = False
    eventually(lambda: rings() == 0, "the rings are given back")
    captures.stop()


def test_its_own_talk_is_not_heard(controller: Controller) -> None:
    """On the device over which the chunks go: no packet of the capture is in the capture."""
    captures, _answer = begun(controller, expression="")
    sh("ping", "-c", "1", "-W", "2", "127.0.0.1")
    time.sleep(1)
    kinds = {data[23] for index, data in controller.frames() if index == 1}
    assert kinds == {1}
    captures.stop()


def test_a_device_that_goes_is_said_and_the_rest_goes_on(controller: Controller) -> None:
    """Its count has the error; the other point is still listened at."""
    captures, _answer = begun(controller)
    ping()
    sh("ip", "link", "delete", "tap0")

    def gone() -> bool:
        counts = controller.chunks[-1].head.counts if controller.chunks else ()
        return [count.index for count in counts if count.error] == [0] and len(counts) == 2

    eventually(gone, "the error")
    assert len(controller.frames()) == 2
    assert rings() == 1
    captures.stop()
    eventually(lambda: rings() == 0, "the ring is given back")


def test_a_controller_that_has_gone_ends_it(controller: Controller) -> None:
    """No retry: who asked is gone with it."""
    captures, _answer = begun(controller)
    eventually(lambda: bool(controller.chunks), "it runs")
    controller.killed = True
    eventually(lambda: rings() == 0, "the rings are given back")
    captures.stop()


def test_asked_twice_it_runs_once(controller: Controller) -> None:
    """The controller asks again when it did not get the answer; and there are not more than eight at once."""
    captures, _answer = begun(controller)
    ask(captures, "icmp", "c1")
    eventually(lambda: rings() == 2, "the first has ended")
    for number in range(7):
        ask(captures, "icmp", f"d{number}")
    with pytest.raises(Conflict, match="8 captures run"):
        ask(captures, "icmp", "more")
    captures.stop()
    eventually(lambda: rings() == 0, "the rings are given back")


def test_a_filter_is_refused_before_the_loop_hears_of_it(controller: Controller) -> None:
    """With tcpdump's words; nothing is opened."""
    captures, answer = begun(controller, expression="hots 1")
    assert "can't parse filter expression" in answer.error
    assert rings() == 0
    captures.stop()


def test_a_question_that_waited_for_too_long_is_refused(controller: Controller) -> None:
    """Its filters are forgotten: nothing is listened at without them."""
    captures = Captures(Access(controller.url, secret="s"), Host("n1"))
    order = CaptureOrder("c1", POINTS, "icmp", 262_144, 1 << 20)
    with pytest.raises(NebulaError, match="too long ago"):
        captures.start(Question(9, Ask.CAPTURE, capture=order), PLACES)
    assert rings() == 0
