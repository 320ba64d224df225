"""A real controller and clients that mean no good: refused soon, for little memory, while others are served."""

from __future__ import annotations

import http.client
import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from openstack_cloud import PASSWORD, Controller

ANSWER_S = 20
"""When a test gives up; what is refused is refused at once, but the machine may have other work."""
MORE_MIB = 24
"""So much more memory at most after any abuse than before; each of these cost hundreds when nothing was bounded."""
HOST = b"Host: x\r\n"
LOGIN = b"POST /identity/v3/auth/tokens HTTP/1.1\r\n" + HOST


class Target:
    """The controller as an attacker and as an honest client see it."""

    def __init__(self, folder: Path) -> None:
        self.controller = Controller(folder)
        self.port = int(self.controller.url.rpartition(":")[2])
        self.token = self._log_in()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S)

    def told(self, sent: bytes, *, parts: int = 1) -> int:
        """The status of the answer; 0 where the connection is just closed."""
        with self.connect() as made:
            with suppress(ConnectionError):
                for _ in range(parts):
                    made.sendall(sent)
            with suppress(ConnectionError):
                line = made.recv(100)
                return int(line.split(b" ", 2)[1]) if line else 0
            return 0

    def served(self) -> None:
        """An honest client, with a connection of its own, gets its answer."""
        status, body = self.request("GET", "/network/v2.0/networks?name=none", {"X-Auth-Token": self.token})
        assert (status, body) == (200, b'{"networks":[]}')

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        found = reply.status, reply.read()
        connection.close()
        return found

    @contextmanager
    def little_memory(self) -> Iterator[None]:
        """What happens within costs little memory, and the honest are served afterwards."""
        before = self._mebibytes()
        yield
        self.served()
        assert self._mebibytes() - before < MORE_MIB

    def _mebibytes(self) -> float:
        """Proportional set size of the process."""
        rollup = Path(f"/proc/{self.controller.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:"))

    def _log_in(self) -> str:
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        connection.request("POST", "/identity/v3/auth/tokens", json.dumps(body))
        reply = connection.getresponse()
        assert reply.status == 201
        token = reply.headers["X-Subject-Token"]
        connection.close()
        return token


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    made = Target(tmp_path_factory.mktemp("abuse"))
    yield made
    assert made.controller.stop() == 0
    assert "Traceback" not in made.controller.log.read_text()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET http://x HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\"<>'\r\n\r\n",
        b"GET /network/v2.0/networks HTTP/1.1\r\n" + HOST + b"X-Auth-Token: \xff\xfe\x80\r\n\r\n",
        b"GET /network/v2.0/networks HTTP/1.1\r\n" + HOST + b"X-Auth-Token: a\x01b\r\n\r\n",
        b"GET /network/v2.0/networks HTTP/1.1\r\n" + HOST + b"X-Auth-Token : a\r\n\r\n",
        LOGIN + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        LOGIN + b"Content-Length: -3\r\n\r\n",
        LOGIN + b"Content-Length: 99999999999999999999999\r\n\r\n",
        LOGIN + b"Content-Length: 9999999999\r\n\r\n",
        LOGIN + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        LOGIN + b"Content-Length: 0\r\n\r\n",
        LOGIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        LOGIN + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        LOGIN + b"Transfer-Encoding: gzip\r\n\r\n",
        LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n",
        LOGIN + b"Content-Length: 4\r\n\r\n\xff\xfe\x00{",
        LOGIN + b"Content-Length: 10\r\nContent-Encoding: gzip\r\n\r\n0123456789",
        b"PUT /nebula/v1/nodes/n1 HTTP/1.1\r\n" + HOST + b"Authorization: Bearer \xff\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_request(target: Target, sent: bytes) -> None:
    """Whatever the bytes, the answer is a 4xx."""
    assert 400 <= target.told(sent) < 500
    target.served()


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (b"GET /?", b"a" * 1_000_000),
        (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 1_000_000),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, b"a: b\r\n" * 100_000),
        (LOGIN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 100_000),
        (LOGIN + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 1_000_000),
        (LOGIN + b"Transfer-Encoding: chunked\r\n\r\n", b"80000\r\n" + b"a" * 0x80000 + b"\r\n"),
        (LOGIN + b"Content-Length: 99999999\r\n\r\n", b"a" * 1_000_000),
        (b"POST /nebula/v1/nodes/n1/receipts HTTP/1.1\r\nContent-Length: 16000000\r\n\r\n", b"a" * 1_000_000),
    ],
    ids=["url", "header", "headers", "trailers", "extension", "chunks", "body", "receipt-of-nobody"],
)
def test_what_is_too_large(target: Target, begin: bytes, part: bytes) -> None:
    """32 MB of anything, from ten clients: a 4xx or the end of the connection, and no memory."""
    with target.little_memory():
        for _ in range(10):
            with target.connect() as made:
                with suppress(ConnectionError):
                    made.sendall(begin)
                    for _ in range(32):
                        made.sendall(part)
                with suppress(ConnectionError):
                    line = made.recv(12)
                    assert line[9:10] in (b"", b"4")


def test_requests_sent_ahead(target: Target) -> None:
    """Who sends requests and reads no answers is left alone with them."""
    with target.little_memory(), target.connect() as made, suppress(ConnectionError):
        for _ in range(200):
            made.sendall(b"GET /identity/v3 HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        raise AssertionError("16 MB of requests were taken")


def test_many_who_say_nothing(target: Target) -> None:
    """3,000 idle connections and 500 slow senders, and a newcomer is served at once."""
    with target.little_memory(), ExitStack() as stack:
        for number in range(3000):
            made = stack.enter_context(target.connect())
            if number % 6 == 0:
                with suppress(ConnectionError):
                    made.sendall(LOGIN + b"Content-Length: 100000\r\n\r\n{")
            if number % 500 == 0:
                target.served()
        target.served()


def test_slow_heads_end(target: Target) -> None:
    """A head that trickles in is cut off after seconds, though it never stops."""
    with target.connect() as made:
        made.sendall(b"GET / HTTP/1.1\r\n")
        made.settimeout(0.5)
        until = time.monotonic() + 60
        line = b""
        while not line and time.monotonic() < until:
            try:
                made.sendall(b"a: b\r\n")
                line = made.recv(100)
            except TimeoutError:
                pass
            except ConnectionError:
                break
        assert line[9:12] in (b"", b"408")
        assert time.monotonic() < until


def test_tokens(target: Target) -> None:
    """Cut, with a bit turned, longer, of other alphabets: 401, always; the token itself stays good."""
    chance = random.Random(1)
    token = target.token.encode()
    wrong = [token[:size] for size in (1, 10, 20, len(token) // 2, len(token) - 1)]
    for _ in range(200):
        place = chance.randrange(len(token) - 1)  # the last character holds bits that mean nothing
        turned = bytes([token[place] ^ (1 << chance.randrange(5))])
        wrong.append(token[:place] + turned.translate(None, b"\r\n\0 \t") + token[place + 1 :])
    wrong += [token * 2, token * 100, b"a" * 60_000, b"gAAAAA" + b"=" * 1000, "ключ".encode(), b"\xe9" * 100, b"%00"]
    wrong = [each for each in wrong if each != token and b"=" * 3 not in each[-3:]]
    for each in wrong:
        head = b"GET /identity/v3/users HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + each + b"\r\n\r\n"
        assert target.told(head) in (400, 401), each
        head = b"GET /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + token
        assert target.told(head + b"\r\nX-Subject-Token: " + each + b"\r\n\r\n") in (400, 404), each
    target.served()


def test_requests_with_broken_bytes(target: Target) -> None:
    """Right requests with bits turned, bytes more and less: never a failure of ours."""
    chance = random.Random(2)
    token = b"X-Auth-Token: " + target.token.encode() + b"\r\n"
    network = b'{"network": {"name": "x", "tags": ["a"], "mtu": 1400, "description": "d"}}'
    user = b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "u", "password": "p"}}}}}'
    right = [
        b"GET /network/v2.0/networks?name=a&limit=2&fields=id HTTP/1.1\r\n" + HOST + token + b"\r\n",
        LOGIN + b"Content-Length: %d\r\n\r\n" % len(user) + user,
        b"POST /network/v2.0/networks HTTP/1.1\r\nX-Nebula-Plan: true\r\nIf-Match: revision_number=1\r\n"
        + HOST
        + token
        + b"Content-Length: %d\r\n\r\n" % len(network)
        + network,
    ]
    odd = [b"\r\n", b"\0", b"%00", b"\xff", b"{", b'"', b"9" * 30, b"null", b"\\u0000", b"\xf0\x9f\x98\x80"]
    answered = 0
    for number in range(150):
        sent = bytearray(right[number % len(right)])
        for _ in range(chance.choice([1, 1, 2, 8])):
            place = chance.randrange(len(sent))
            start, end = sent.find(token), sent.find(token) + len(token)
            if start <= place < end and number % 4:
                continue  # most with a good token, or all would be the same 401
            how = chance.randrange(3)
            if how == 0:
                sent[place] ^= 1 << chance.randrange(8)
            elif how == 1:
                sent[place:place] = chance.choice(odd)
            else:
                del sent[place : place + chance.randrange(1, 5)]
        with target.connect() as made:
            made.settimeout(0.1)  # a body may have become shorter than its length
            with suppress(ConnectionError, TimeoutError):
                made.sendall(sent)
                line = made.recv(12)
                assert line[9:10] in (b"", b"2", b"4"), bytes(sent)
                answered += bool(line)
    assert answered > 30
    target.served()


def test_bodies(target: Target) -> None:
    """JSON of any depth and size, to anybody who takes JSON: a 4xx, and no memory."""
    depth = 100_000
    bodies = [
        b"[" * depth,
        b'{"a":' * depth,
        b"[" * depth + b"]" * depth,
        b'{"network": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"network": {"name": "' + b"a" * 900_000 + b'"}}',
        b'{"network": {"mtu": ' + b"9" * 900_000 + b"}}",
        b'{"network": {"mtu": 1e' + b"9" * 1000 + b"}}",
        b'{"networks": [' + b"{}," * 300_000 + b"{}]}",
        b'{"network": {' + b",".join(b'"a%d": 1' % number for number in range(60_000)) + b"}}",
        b'{"network": {"name": "\\ud800"}}',
        b'{"network": {"tags": [' + b",".join(b'"%d"' % number for number in range(90_000)) + b"]}}",
        b"\xef\xbb\xbf{}",
        b" " * 1_000_000,
        b"null",
        b"\0" * 1000,
    ]
    for path, headers in (
        ("/network/v2.0/networks", {"X-Auth-Token": target.token}),
        ("/identity/v3/users", {"X-Auth-Token": target.token}),
        ("/compute/v2.1/servers", {"X-Auth-Token": target.token}),
        ("/identity/v3/auth/tokens", {}),
        ("/identity/v3/users/none/password", {}),
        ("/nebula/v1/nodes/n1/receipts", {"Authorization": f"Bearer {PASSWORD}"}),
    ):
        with target.little_memory():
            for body in bodies:
                status, answer = target.request("POST", path, headers, body)
                assert 400 <= status < 500, (path, body[:30], status)
                assert len(answer) < 2000


def test_queries(target: Target) -> None:
    """Long and odd query strings: an answer below 500."""
    odd = ["a=b&" * 15_000, "name=" + "a" * 60_000, "&".join(f"id={n}" for n in range(500)), "%zz", "%00=%ff", "&&=&="]
    odd += ["limit=999999999999", "marker=%27", "sort_key=id&" * 500, "fields=" + "a," * 20_000, "tags=" + "," * 5000]
    odd += ["name=a&" * 499 + "name=b", "fixed_ips=ip_address_substr%3D1&" * 499, "name__contains=a&" * 499]
    odd += ["&".join(f"tags={n}&not-tags={n}" for n in range(250))]
    odd += ["tags=" + ",".join(f"t{n}" for n in range(10_000)), "not-tags-any=" + ",".join("ab" * 10_000)]
    with target.little_memory():
        for query in odd:
            for path in (
                "/network/v2.0/ports",
                "/identity/v3/users",
                "/identity/v3/projects",
                "/identity/v3/credentials",
                "/identity/v3/limits",
                "/compute/v2.1/servers",
            ):
                status, answer = target.request("GET", f"{path}?{query}", {"X-Auth-Token": target.token})
                assert status < 500, (path, query[:40], answer[:200])
                assert len(answer) < 100_000
