"""Joining, renewal, revocation: a node's side and the controller's over real TLS sockets on the loopback address."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from nebula_agent import certificate_request, identity
from nebula_agent.access import Access, find_access
from nebula_agent.join import join
from nebula_agent.report import Reporter
from nebula_agent.settings import Settings
from nebula_agent.source import ControllerSource
from nebula_controller.tls.accept import HANDSHAKES_LIMIT
from nebula_controller.tls.authorities import Authorities
from nebula_controller.tls.listener import names_of
from nebula_runtime.http import Client, Trust
from southbound_world import BEARER, MEMBER, node_report
from tls_controller import TlsController, ask

from nebula.errors import BadRequest, ConfigError, Conflict, Forbidden, Unavailable, Untrusted
from nebula.view.joining import parse_token
from nebula.view.question import NodeAnswer
from nebula.view.records import NodeView
from nebula.view.report import Reason, Receipt

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsController]:
    made = TlsController(tmp_path_factory.mktemp("controller"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def right_clock(controller: TlsController) -> Iterator[None]:
    yield
    controller.wall.ahead_s = 0.0


def _view(host: str, wait_s: int = 0) -> str:
    return f"/nebula/v1/nodes/{host}/view?wait={wait_s}"


def _register(access: Access, host: str, number: int) -> None:
    body = msgspec.json.encode(node_report(host, number))
    assert ask(access, "PUT", f"/nebula/v1/nodes/{host}", body).status == 200


def test_a_node_joins_and_gets_its_view(controller: TlsController, tmp_path: Path) -> None:
    """The token's way: key and certificate come to be on the node, for root alone, and the controller believes them."""
    said = join(controller.url, controller.token(), "a1", tmp_path / "identity")
    assert said[0].startswith(f"a1 has joined {controller.url}")
    access = find_access(Settings(host="a1", state_dir=str(tmp_path)))
    assert access is not None and access.url == controller.url and access.headers == {}
    _register(access, "a1", 1)
    answer = ask(access, "GET", _view("a1"))
    assert (answer.status, msgspec.json.decode(answer.body)["host"]) == (200, "a1")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "identity").iterdir()}
    assert modes == dict.fromkeys(("authority.pem", "joined.json", "node.pem"), 0o600)


def test_what_is_another_nodes_is_refused(controller: TlsController, tmp_path: Path) -> None:
    """View, questions, answers, receipts, report, certificate: each is 403 to any but the node itself."""
    mine, other = controller.joined("b1", tmp_path / "b1"), controller.joined("b2", tmp_path / "b2")
    _register(mine, "b1", 11)
    _register(other, "b2", 12)
    path = "/nebula/v1/nodes/b2"
    receipt = msgspec.json.encode(Receipt(node_report("b2", 1).host, "e", 0, 1, Reason.VIEW, "2026-01-01T00:00:00Z", 1))
    answer = msgspec.json.encode(NodeAnswer(1, node_report("b2", 1).host))
    tried = {
        "view": ask(mine, "GET", _view("b2")),
        "questions": ask(mine, "GET", f"{path}/questions"),
        "answers": ask(mine, "POST", f"{path}/answers", answer),
        "receipts": ask(mine, "POST", f"{path}/receipts", receipt),
        "report": ask(mine, "PUT", path, msgspec.json.encode(node_report("b2", 13))),
        "certificate": ask(mine, "POST", f"{path}/certificate", b""),
    }
    assert {name: found.status for name, found in tried.items()} == dict.fromkeys(tried, 403)
    assert b"node b1's" in tried["view"].body
    in_own_path = ask(mine, "POST", "/nebula/v1/nodes/b1/receipts", receipt)
    assert in_own_path.status == 400  # another's receipt is not taken there either


def test_nobody_without_a_certificate(controller: TlsController, tmp_path: Path) -> None:
    """No certificate, or any secret: 401. A certificate of another authority does not even come in."""
    anonymous = Client(controller.url, tls=Trust(str(controller.folder / "tls/authority.pem")))
    assert anonymous.request("GET", _view("a1")).status == 401
    assert anonymous.request("GET", _view("a1"), headers=BEARER).status == 401
    anonymous.close()
    controller.joined("c1", tmp_path / "c1")
    stranger = Authorities(tmp_path / "stranger", lifetime_s=3600).signing
    key, request = certificate_request.make("c1")
    forged = stranger.sign_request(request, node_report("c1", 1).host, "x").certificate
    (tmp_path / "c1/node.pem").write_text(key + forged)
    with pytest.raises(Unavailable, match="of another authority than its own"):
        ask(Access(controller.url, identity.Identity(tmp_path / "c1")), "GET", _view("c1"))


def test_a_token_is_good_once_for_its_host_and_its_time(controller: TlsController, tmp_path: Path) -> None:
    """Used, late, of another host, unknown, deleted: each refused with its reason, and nothing is kept on the node."""
    used = controller.token()
    controller.joined("d1", tmp_path / "d1", used)
    late, bound, gone = controller.token(lifetime_s=60), controller.token(host="d3"), controller.token()
    controller.call("DELETE", f"/join-tokens/{parse_token(gone).id}", expect=204)
    wrong = parse_token(bound)
    guessed = msgspec.structs.replace(wrong, secret="0" * 32).text()
    controller.wall.ahead_s = 61
    for token, words in (
        (used, "was used by d1"),
        (late, "has ended"),
        (bound, "for d3 alone"),
        (gone, "no such token"),
        (guessed, "no such token"),
    ):
        with pytest.raises(Forbidden, match=words):
            join(controller.url, token, "d2", tmp_path / "d2")
    assert not (tmp_path / "d2").exists()
    states = {
        found["id"]: (found["state"], found["used_by"])
        for found in controller.call("GET", "/join-tokens")["join_tokens"]
    }
    assert states[parse_token(used).id] == ("used", "d1")
    assert states[parse_token(late).id] == ("expired", None)
    controller.joined("d3", tmp_path / "d3", bound)  # the wrong host has not used it up


def test_a_token_is_hashed_at_rest(controller: TlsController) -> None:
    """Neither the database nor its journal has the secret."""
    secret = parse_token(controller.token()).secret.encode()
    files = [path for path in controller.folder.iterdir() if path.is_file()]
    assert files and not any(secret in path.read_bytes() for path in files)


def test_a_name_that_has_joined_is_taken(controller: TlsController, tmp_path: Path) -> None:
    """Who gets some token does not become another node; a token for the node itself replaces its old certificate."""
    old = controller.joined("e1", tmp_path / "old")
    with pytest.raises(Conflict, match=r"token create --host e1"):
        join(controller.url, controller.token(), "e1", tmp_path / "thief")
    assert ask(old, "GET", "/nebula/v1/nodes/e1/questions").status == 200
    new = controller.joined("e1", tmp_path / "new", controller.token(host="e1"))
    assert ask(new, "GET", "/nebula/v1/nodes/e1/questions").status == 200
    answer = ask(old, "GET", "/nebula/v1/nodes/e1/questions")
    assert (answer.status, b"joined anew" in answer.body) == (403, True)


def test_the_pin_is_checked_before_the_secret_is_sent(controller: TlsController, tmp_path: Path) -> None:
    """Somebody who stands between has another authority: the node says so, and has sent nothing of the token."""
    token = msgspec.structs.replace(parse_token(controller.token()), pin="0" * 64)
    controller.requests.clear()
    with pytest.raises(Forbidden, match="was not sent"):
        join(controller.url, token.text(), "f1", tmp_path / "f1")
    assert controller.requests == ["GET /nebula/v1/authority"]


def test_wrong_urls_and_tokens_are_said_at_once(controller: TlsController, tmp_path: Path) -> None:
    """http, a text that is no token, a port where nobody listens; a folder that cannot be written."""
    with pytest.raises(BadRequest, match="give https://HOST:PORT"):
        join(controller.url.replace("https", "http"), controller.token(), "g1", tmp_path / "g1")
    with pytest.raises(BadRequest, match="not a token"):
        join(controller.url, "topsecret", "g1", tmp_path / "g1")
    with pytest.raises(Unavailable, match="does not answer"):
        join("https://127.0.0.1:1", controller.token(), "g1", tmp_path / "g1")
    (tmp_path / "file").write_text("")
    token = controller.token()
    with pytest.raises(ConfigError, match="cannot write"):
        join(controller.url, token, "g1", tmp_path / "file/g1")


def test_a_certificate_is_renewed_before_it_ends(controller: TlsController, tmp_path: Path) -> None:
    """The controller says when; the agent's connections then show the newer one, and no request fails on the way."""
    access = controller.joined("i1", tmp_path / "i1")
    reporter = Reporter(access, "i1", lambda: None)
    views: list[NodeView] = []
    source = ControllerSource(access, "i1", views.append)
    report = node_report("i1", 31)
    reporter.start()
    reporter.report(report)
    source.start()
    assert access.identity is not None
    try:
        _until(lambda: bool(views))
        first, context = access.identity.joined.expires_at_s, access.identity.context()
        controller.wall.ahead_s = 2500  # of 3600: less than a third is left
        reporter.report(msgspec.structs.replace(report, version="0.2"))
        _until(lambda: (tmp_path / "i1/joined.json").read_bytes() != b"" and access.identity.context() is not context)
        assert access.identity.joined.expires_at_s > first + 2000
        controller.wall.ahead_s = 4000  # the first one has ended by now
        answer = ask(access, "GET", _view("i1"))
        assert answer.status == 200, answer.body
        reporter.report(msgspec.structs.replace(report, version="0.3"))
        before = len(controller.requests)
        _until(lambda: "PUT /nebula/v1/nodes/i1" in controller.requests[before:])
    finally:
        reporter.stop()
        source.stop()


def test_an_expired_node_is_told_what_to_do(controller: TlsController, tmp_path: Path) -> None:
    """By the controller, at each request; by the agent itself, when it starts."""
    controller.wall.ahead_s = -DAY_S / 2  # joined half a day ago, for an hour
    access = controller.joined("j1", tmp_path / "identity")
    controller.wall.ahead_s = 0.0
    answer = ask(access, "GET", _view("j1"))
    assert (answer.status, b"has expired. To have it back" in answer.body) == (403, True)
    assert ask(access, "POST", "/nebula/v1/nodes/j1/certificate", b"").status == 403
    assert "token create --host j1" in access.trouble()
    with pytest.raises(Conflict):
        join(controller.url, controller.token(), "j1", tmp_path / "identity")
    back = controller.joined("j1", tmp_path / "identity", controller.token(host="j1"))
    assert back.trouble() == ""
    assert ask(access, "GET", "/nebula/v1/nodes/j1/questions").status == 200  # the running agent too, with no restart


def test_clocks_that_differ(controller: TlsController, tmp_path: Path) -> None:
    """A node whose clock is hours behind joins and works (certificates begin a day earlier), and hears of it."""
    controller.wall.ahead_s = 3 * 3600.0
    said = join(controller.url, controller.token(), "k1", tmp_path / "k1")
    assert said[1:] == ["This node's clock is 180 minutes behind the controller's: have it set (NTP)."]
    answer = ask(Access(controller.url, identity.Identity(tmp_path / "k1")), "GET", "/nebula/v1/nodes/k1/questions")
    assert answer.status == 200


def test_a_clock_that_is_days_off_is_named(controller: TlsController, tmp_path: Path) -> None:
    """A node that lives before the controller's certificate cannot check it: it says what its own clock says."""
    controller.wall.ahead_s = 3 * DAY_S
    controller.in_loop(controller.tls.listener.renew)
    try:
        with pytest.raises(Unavailable, match=r"not yet valid \(the clock here says 20"):
            join(controller.url, controller.token(), "m1", tmp_path / "m1")
    finally:
        controller.wall.ahead_s = 0
        controller.in_loop(controller.tls.listener.renew)
    assert not (tmp_path / "m1").exists()


def test_another_controller_is_not_believed(
    controller: TlsController, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One with an authority of its own at the same place: the node sends it nothing, and says what to do."""
    other = TlsController(tmp_path / "other")
    try:
        joined = controller.joined("o1", tmp_path / "o1")
        misled = Access(other.url, joined.identity)
        with pytest.raises(Untrusted):
            ask(misled, "GET", _view("o1"))
        source = ControllerSource(misled, "o1", lambda _view: None)
        source.start()
        _until(lambda: "is not the controller that this node has joined" in caplog.text)
        source.stop()
        assert other.requests == []
    finally:
        other.stop()


def test_a_joined_host_is_not_believed_by_the_secret(tmp_path: Path) -> None:
    """No way back by itself: not at the controller, and not at the agent."""
    made = TlsController(tmp_path / "controller", secret=b"s3cret")
    try:
        anonymous = Client(made.url, tls=Trust(str(made.folder / "tls/authority.pem")))
        path = "/nebula/v1/nodes/l1/questions"
        assert anonymous.request("GET", path, headers=BEARER).status == 200
        made.joined("l1", tmp_path / "state/identity")
        refused = anonymous.request("GET", path, headers=BEARER)
        assert (refused.status, b"only its certificate counts" in refused.body) == (403, True)
        anonymous.close()
    finally:
        made.stop()
    plain = Settings(host="l1", state_dir=str(tmp_path / "state"), controller="http://c", node_secret_file="f")
    with pytest.raises(ConfigError, match="has joined https://"):
        find_access(plain)
    with pytest.raises(ConfigError, match="called l2 now"):
        find_access(Settings(host="l2", state_dir=str(tmp_path / "state")))


def test_joining_needs_tls_and_an_administrator(controller: TlsController) -> None:
    """Without TLS no token is made; others than administrators neither make, nor see, nor revoke."""
    for method, path in (("POST", "/join-tokens"), ("GET", "/join-tokens"), ("DELETE", "/nodes/x/membership")):
        answer = controller.people.request(method, f"/nebula/v1{path}", headers=MEMBER, body=b"{}")
        assert answer.status == 403
    for body in (b"", b"[]", b'{"lifetime_s": 0}', b'{"host": "a/b"}', b'{"more": 1}'):
        answer = controller.people.request(
            "POST", "/nebula/v1/join-tokens", headers={"X-Auth-Token": "admin"}, body=body
        )
        assert answer.status == 400, body


def test_the_controllers_own_certificate_is_renewed_while_it_serves(controller: TlsController) -> None:
    """New connections see the new one; those that are open go on."""
    controller.call("GET", "/join-tokens")
    before = _served(controller)
    controller.in_loop(controller.tls.listener.renew)
    assert _served(controller) != before
    controller.call("GET", "/join-tokens")
    assert controller.tls.listener.left_s() > 2000


def test_who_never_shakes_hands_keeps_nobody_out(controller: TlsController, tmp_path: Path) -> None:
    """Of connections that say nothing only the newest are kept; a node gets through, and their files are given back."""
    access = controller.joined("n1", tmp_path / "n1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    address = ("127.0.0.1", int(controller.url.rpartition(":")[2]))
    silent = [socket.create_connection(address, timeout=5) for _ in range(3 * HANDSHAKES_LIMIT)]
    try:
        assert ask(access, "GET", "/nebula/v1/nodes/n1/questions").status == 200
        for connection in silent[:HANDSHAKES_LIMIT]:
            assert connection.recv(1) == b""  # ended by the controller
        _until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before + len(silent) + HANDSHAKES_LIMIT)
    finally:
        for connection in silent:
            connection.close()
    _until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
    assert ask(access, "GET", "/nebula/v1/nodes/n1/questions").status == 200


def test_names_of_the_controller() -> None:
    """What is listened on, the machine's, those of the settings; a wrong one is named."""
    found = names_of([("192.0.2.1", 9697)], "https://cloud.example:9697", ["api.example", "192.0.2.9"])
    assert {"192.0.2.1", "cloud.example", "api.example", "192.0.2.9", "localhost", "127.0.0.1"} <= set(found)
    assert "127.0.0.1" in names_of([("0.0.0.0", 9697)], "", [])
    with pytest.raises(ConfigError, match="tls_name 'a b'"):
        names_of([], "", ["a b"])


def _served(controller: TlsController) -> str:
    host, port = "127.0.0.1", int(controller.url.rpartition(":")[2])
    return ssl.get_server_certificate((host, port))


def _until(reached: object) -> None:
    end = time.monotonic() + 20
    assert callable(reached)
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)
