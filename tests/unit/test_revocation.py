"""Revocation: what it ends at once, what the other nodes hear of it, and the way back; over real TLS sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nebula_agent.access import Access
from nebula_controller.metrics import ControllerMetrics
from southbound_world import ADMIN, node_report
from tls_controller import TlsController, ask

from nebula.errors import Unavailable
from nebula.view import codec
from nebula.view.records import NodeView


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsController]:
    made = TlsController(tmp_path_factory.mktemp("controller"))
    yield made
    made.stop()


def _view(host: str, wait_s: int = 0) -> str:
    return f"/nebula/v1/nodes/{host}/view?wait={wait_s}"


def _seen(access: Access, host: str) -> NodeView:
    answer = ask(access, "GET", _view(host))
    assert answer.status == 200, answer.body
    return codec.decode(answer.body)


def _register(access: Access, host: str, number: int) -> None:
    body = msgspec.json.encode(node_report(host, number))
    assert ask(access, "PUT", f"/nebula/v1/nodes/{host}", body).status == 200


def _people(controller: TlsController, method: str, path: str, body: object = None) -> dict[str, dict[str, Any]]:
    content = None if body is None else msgspec.json.encode(body)
    answer = controller.people.request(method, f"/network/v2.0{path}", headers=ADMIN, body=content)
    assert answer.status < 300, answer.body
    return msgspec.json.decode(answer.body, type=dict[str, dict[str, Any]]) if answer.body else {}


def test_the_others_tunnels_lose_a_revoked_node_until_it_reports_again(
    controller: TlsController, tmp_path: Path
) -> None:
    """No peer, no flooding to it, none of its ports; joining alone brings back none of that: its address may be new."""
    other, gone = controller.joined("p1", tmp_path / "p1"), controller.joined("p2", tmp_path / "p2")
    _register(other, "p1", 41)
    _register(gone, "p2", 42)
    network = _people(controller, "POST", "/networks", {"network": {"name": "n"}})["network"]["id"]
    ports = {}
    for host in ("p1", "p2"):
        body = {"port": {"network_id": network, "binding:host_id": host}}
        ports[host] = _people(controller, "POST", "/ports", body)["port"]["id"]

    def known() -> tuple[bool, tuple[str, ...], list[str]]:
        view = _seen(other, "p1")
        (there,) = view.networks
        return "10.0.0.42" in view.peers, there.flood_vteps, [port.id for port in there.remote_ports]

    assert known() == (True, ("10.0.0.42",), [ports["p2"]])
    controller.call("DELETE", "/nodes/p2/membership", expect=204)
    assert known() == (False, (), [])
    assert _people(controller, "GET", f"/ports/{ports['p2']}")["port"]["status"] == "DOWN"
    told = controller.in_loop(
        lambda: ControllerMetrics("x").collect(controller.database, controller.southbound.realised)
    )
    assert ('nebula_node_up{host="p1"} 1' in told.decode(), 'host="p2"' in told.decode()) == (True, False)
    (call,) = controller.call("GET", "/calls?object=p2&limit=1")["calls"]
    assert (call["method"], call["path"]) == ("DELETE", "/nebula/v1/nodes/p2/membership")
    back = controller.joined("p2", tmp_path / "again", controller.token())
    assert known() == (False, (), [])
    assert ask(back, "GET", _view("p2")).status == 404  # until it has said where it is
    _register(back, "p2", 43)
    assert known() == (False, ("10.0.0.43",), [ports["p2"]])
    assert _seen(back, "p2").ports[0].id == ports["p2"]


def test_revocation_ends_an_open_long_poll_at_once(controller: TlsController, tmp_path: Path) -> None:
    """The poll ends within a second, not when its time is over; from then on every request is 403; the node is down."""
    access = controller.joined("h1", tmp_path / "h1")
    _register(access, "h1", 21)
    etag = ask(access, "GET", _view("h1")).headers["etag"]
    ended: list[tuple[float, str]] = []

    def poll() -> None:
        client = access.client(60)
        client.request("GET", "/nebula/v1/nodes/h1/questions")  # so that the poll is on a kept connection
        before = len(controller.requests)
        started.append(before)
        try:
            client.request("GET", _view("h1", 30), headers={"If-None-Match": etag})
            ended.append((time.monotonic(), "answered"))
        except Unavailable as error:
            ended.append((time.monotonic(), error.message))

    started: list[int] = []
    thread = threading.Thread(target=poll)
    thread.start()
    _until(lambda: bool(started) and controller.requests[started[0] :].count("GET /nebula/v1/nodes/h1/view") == 1)
    revoked_at = time.monotonic()
    controller.call("DELETE", "/nodes/h1/membership", expect=204)
    _until(lambda: controller.requests.count("GET /nebula/v1/nodes/h1/view") >= 3)  # the client tries once more
    thread.join(10)
    ((at, how),) = ended
    assert (at - revoked_at < 5, how) == (True, "answered")  # ... and is answered: 403
    answer = ask(access, "GET", _view("h1"))
    assert (answer.status, b"was revoked at" in answer.body) == (403, True)
    agents = controller.people.request("GET", "/network/v2.0/agents?host=h1", headers={"X-Auth-Token": "admin"})
    assert {agent["alive"] for agent in msgspec.json.decode(agents.body)["agents"]} == {False}
    controller.call("DELETE", "/nodes/h1/membership", expect=204)  # again: it is so
    controller.call("DELETE", "/nodes/nobody/membership", expect=404)
    again = controller.joined("h1", tmp_path / "again", controller.token())  # a revoked name is free
    _register(again, "h1", 21)


def _until(reached: object) -> None:
    end = time.monotonic() + 20
    assert callable(reached)
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)
