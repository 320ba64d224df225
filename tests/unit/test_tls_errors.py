"""What a client of ours says when TLS comes to nothing: the reason, and what to do; real sockets, the real listener."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from nebula_agent import certificate_request, identity
from nebula_agent.access import Access
from nebula_controller.tls.authorities import Authorities
from nebula_runtime.http import Client, Trust
from tls_controller import TlsController, ask

from nebula.errors import Unavailable, UnknownAuthority, Untrusted
from nebula.ids import Host

LONG = b"x" * 1_000_000


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsController]:
    made = TlsController(tmp_path_factory.mktemp("controller"))
    yield made
    made.stop()


class _Named(Trust):
    server_name = "cloud.example"


def _said(client: Client, error: type[Unavailable], method: str = "GET", body: bytes | None = None) -> str:
    try:
        with pytest.raises(error) as raised:
            client.request(method, "/network/", body=body)
    finally:
        client.close()
    assert raised.type is error
    return raised.value.message.partition("does not answer: ")[2]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b"{}"), ("PUT", LONG)])
def test_a_certificate_of_another_authority_is_told(
    controller: TlsController, tmp_path: Path, method: str, body: bytes | None
) -> None:
    """The controller's alert comes to the node, also when it sends more than the connection takes: not just an end."""
    controller.joined("a1", tmp_path / "a1", controller.token(host="a1"))
    shutil.copytree(tmp_path / "a1", tmp_path / "forged")
    key, request = certificate_request.make("a1")
    signed = Authorities(tmp_path / "stranger", lifetime_s=3600).signing.sign_request(request, Host("a1"), "x")
    (tmp_path / "forged/node.pem").write_text(key + signed.certificate)
    forged = Access(controller.url, identity.Identity(tmp_path / "forged"))
    said = _said(forged.client(10), Unavailable, method, body)
    assert said == "the certificate shown to it is of another authority than its own"


def test_an_authority_that_is_not_trusted_here_is_told(controller: TlsController, tmp_path: Path) -> None:
    """By the machine's, or by a file with another one; an error of its own, for which nebulactl has advice."""
    other = tmp_path / "authority.pem"
    other.write_text(Authorities(tmp_path / "other", lifetime_s=60).bundle)
    for trust in (Trust(), Trust(str(other))):
        said = _said(Client(controller.url, tls=trust), UnknownAuthority)
        assert said == "its certificate is not to be trusted: it is of an authority that is not trusted here"


def test_a_name_that_is_not_in_the_certificate_is_told(controller: TlsController) -> None:
    """With both ways out of it."""
    said = _said(Client(controller.url, tls=_Named(str(controller.folder / "tls/authority.pem"))), Untrusted)
    assert "not valid for 'cloud.example': call it by a name that is in it, or let it have this one (tls_name)" in said


def test_a_certificate_that_has_ended_is_told(controller: TlsController) -> None:
    """With what the clock here says, which may be the one that is wrong."""
    controller.wall.ahead_s = -3 * 86_400.0
    try:
        controller.in_loop(controller.tls.listener.renew)
        said = _said(Client(controller.url, tls=Trust(str(controller.folder / "tls/authority.pem"))), Untrusted)
    finally:
        controller.wall.ahead_s = 0.0
        controller.in_loop(controller.tls.listener.renew)
    assert "certificate has expired (the clock here says 20" in said


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", LONG)])
def test_http_to_the_tls_port_is_answered(controller: TlsController, method: str, body: bytes | None) -> None:
    """In clear, as OpenStack's errors look, so that any client shows it."""
    client = Client(controller.url.replace("https", "http"))
    answer = client.request(method, "/identity/v3", body=body)
    client.close()
    said = msgspec.json.decode(answer.body)["error"]["message"]
    assert (answer.status, said) == (400, "TLS is spoken here: call https:// instead of http://.")


def test_tls_to_an_http_port_is_told() -> None:
    """What answers there is no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _address = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        said = _said(Client(f"https://127.0.0.1:{listening.getsockname()[1]}"), Unavailable)
        thread.join(5)
    assert "it does not speak TLS there (http:// instead of https://" in said


def test_who_trusts_anybody_gets_in(controller: TlsController) -> None:
    """Without any authority, and with the file of one not even read."""
    client = Client(controller.url, tls=Trust("/nowhere", anybody=True))
    assert client.request("GET", "/network/").status == 200
    client.close()


def test_a_refused_client_that_stays_is_let_go(controller: TlsController, tmp_path: Path) -> None:
    """It may send on, and nothing of that is kept; when it ends, so does the controller's side."""
    stranger = Authorities(tmp_path / "stranger", lifetime_s=3600)
    key, request = certificate_request.make("z1")
    own = tmp_path / "own.pem"
    own.write_text(key + stranger.signing.sign_request(request, Host("z1"), "x").certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(own)
    raw = socket.create_connection(("127.0.0.1", int(controller.url.rpartition(":")[2])), timeout=10)
    with context.wrap_socket(raw) as refused:
        for _ in range(10):
            refused.send(LONG)
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            refused.recv(1)
    answer = ask(controller.joined("z1", tmp_path / "z1"), "GET", "/nebula/v1/nodes/z1/questions")
    assert answer.status == 200
