"""The agent's two threads against a small HTTP server that stands for the controller."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from nebula_agent.access import Access
from nebula_agent.report import Reporter
from nebula_agent.source import ControllerSource

from nebula.ids import Host
from nebula.view import codec
from nebula.view.records import NodeView
from nebula.view.report import NodeReport, Reason, Receipt

_VIEW = NodeView(epoch="e", revision=4, host=Host("n1"))


class _Controller:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.calls.append((self.command, self.path, headers, body))
                status, extra, content = outer.answers[self.command](headers)
                self.send_response(status)
                for name, value in {**extra, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = _answer

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def bodies(self, method: str) -> list[bytes]:
        return [body for found, _path, _headers, body in self.calls if found == method]


@pytest.fixture
def controller() -> Iterator[_Controller]:
    made = _Controller()
    yield made
    made.server.shutdown()
    made.server.server_close()


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_view_is_polled_with_its_etag(controller: _Controller) -> None:
    """The first answer is delivered; the next request names its ETag; an unchanged view is not delivered again."""

    def answer(headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if headers.get("if-none-match") == '"x"':
            time.sleep(0.02)
            return 304, {}, b""
        return 200, {"ETag": '"x"'}, codec.encode(_VIEW)

    controller.answers["GET"] = answer
    views: list[NodeView] = []
    source = ControllerSource(Access(controller.url, secret="secret"), "n1", views.append)
    source.start()
    _until(lambda: len(controller.calls) >= 3)
    assert views == [_VIEW]
    source.refetch()
    _until(lambda: len(views) == 2)
    source.stop()
    _method, path, headers, _body = controller.calls[0]
    assert path == "/nebula/v1/nodes/n1/view?wait=30"
    assert headers["authorization"] == "Bearer secret"


def test_a_broken_view_is_not_delivered(controller: _Controller) -> None:
    """Half a view, or an error, is asked for again."""
    answers = iter([(200, {}, codec.encode(_VIEW)[:-9]), (500, {}, b""), (200, {"ETag": '"x"'}, codec.encode(_VIEW))])
    last = (304, dict[str, str](), b"")
    controller.answers["GET"] = lambda _headers: next(answers, last)
    views: list[NodeView] = []
    source = ControllerSource(Access(controller.url, secret="s"), "n1", views.append)
    source.start()
    _until(lambda: len(views) == 1)
    source.stop()
    assert views == [_VIEW]


def _report() -> NodeReport:
    return NodeReport(Host("n1"), "1", "2026-01-01T00:00:00Z", "netdev", "10.0.0.1", 1500, ())


def _receipt(revision: int) -> Receipt:
    return Receipt(Host("n1"), "e", 0, revision, Reason.VIEW, "2026-01-01T00:00:00Z", 0.1)


def test_no_receipt_is_lost_while_the_controller_is_away(controller: _Controller) -> None:
    """Receipts come in order, each once, after the controller has failed for a while; the report comes first."""
    failing = [503, 503]
    controller.answers["PUT"] = lambda _h: (200, {}, b'{"epoch": "e", "heartbeat_s": 60}')
    controller.answers["POST"] = lambda _h: (failing.pop(), {}, b"") if failing else (204, {}, b"")
    lost: list[bool] = []
    reporter = Reporter(Access(controller.url, secret="s"), "n1", lambda: lost.append(True))
    reporter.report(_report())
    for revision in (1, 2, 3):
        reporter.receipt(_receipt(revision))
    reporter.start()
    _until(lambda: len(controller.bodies("POST")) == 5)
    reporter.stop()
    revisions = [msgspec.json.decode(body, type=Receipt).to_revision for body in controller.bodies("POST")]
    assert revisions == [1, 1, 1, 2, 3]
    assert controller.calls[0][:2] == ("PUT", "/nebula/v1/nodes/n1")
    assert lost == []


def test_heartbeats_come_in_the_controllers_rhythm(controller: _Controller) -> None:
    """The answer to a report says when the next one is due."""
    controller.answers["PUT"] = lambda _h: (200, {}, b'{"epoch": "e", "heartbeat_s": 0.05}')
    reporter = Reporter(Access(controller.url, secret="s"), "n1", lambda: None)
    reporter.start()
    reporter.report(_report())
    _until(lambda: len(controller.bodies("PUT")) >= 4)
    reporter.stop()


def test_a_refused_receipt_does_not_stand_in_the_way(controller: _Controller) -> None:
    """What the controller will never take is dropped and told, so that all statuses are sent anew."""
    answers = iter([404])
    controller.answers["PUT"] = lambda _h: (200, {}, b'{"epoch": "e", "heartbeat_s": 60}')
    controller.answers["POST"] = lambda _h: (next(answers, 204), {}, b"")
    lost: list[bool] = []
    reporter = Reporter(Access(controller.url, secret="s"), "n1", lambda: lost.append(True))
    reporter.report(_report())
    reporter.receipt(_receipt(1))
    reporter.receipt(_receipt(2))
    reporter.start()
    _until(lambda: len(controller.bodies("POST")) == 2)
    reporter.stop()
    assert lost == [True]
