"""A controller to be measured: a process on 127.0.0.1 with a database of its own, no agents; and requests as load.

A prepared request goes over a plain socket: the client's own work would else be a third of what is measured.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from nebula_runtime.http import Client

BIN = Path(sys.executable).parent


class Controller(msgspec.Struct):
    """A running controller with an admin's token."""

    pid: int
    url: str
    password: str
    database: Path
    token: str = ""

    def call(self, client: Client, method: str, path: str, body: object = None) -> dict[str, object]:
        answer = client.request(
            method,
            path,
            headers={"X-Auth-Token": self.token, "Content-Type": "application/json"},
            body=None if body is None else json.dumps(body).encode(),
        )
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
        return json.loads(answer.body) if answer.body else {}

    def login(self, client: Client) -> str:
        domain = {"id": "default"}
        answer = client.request(
            "POST",
            "/identity/v3/auth/tokens",
            headers={"Content-Type": "application/json"},
            body=json.dumps(
                {
                    "auth": {
                        "identity": {
                            "methods": ["password"],
                            "password": {"user": {"name": "admin", "domain": domain, "password": self.password}},
                        },
                        "scope": {"project": {"name": "admin", "domain": domain}},
                    }
                }
            ).encode(),
        )
        if answer.status != 201:
            raise RuntimeError(f"no token: {answer.status} {answer.body[:200]!r}")
        return answer.headers["x-subject-token"]


@contextlib.contextmanager
def controller() -> Iterator[Controller]:
    """A controller with an empty database; gone, with its files, afterwards."""
    with tempfile.TemporaryDirectory(prefix="nebula-bench-") as folder:
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        password = secrets.token_urlsafe(12)
        for name in ("password", "secret"):
            path = Path(folder) / name
            path.touch(mode=0o600)
            path.write_text(password)
        argv = [str(BIN / "nebula-controller"), "--state-dir", f"{folder}/state", "--listen-fd", str(listener.fileno())]
        argv += ["--admin-password-file", f"{folder}/password", "--node-secret-file", f"{folder}/secret"]
        argv += ["--pid-file", f"{folder}/pid", "--log-level", "warning"]
        process = subprocess.Popen(argv, pass_fds=(listener.fileno(),))
        listener.close()
        try:
            it = Controller(process.pid, url, password, Path(folder) / "state/nebula.sqlite")
            it.token = it.login(Client(url))
            yield it
        finally:
            process.terminate()
            process.wait(timeout=20)


def milliseconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    started_at = time.perf_counter()
    action()
    return (time.perf_counter() - started_at) * 1000


class Load:
    """One request, again and again over one kept connection."""

    def __init__(self, it: Controller, method: str, path: str, body: object = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"X-Auth-Token: {it.token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
        self._request = "\r\n".join(lines).encode() + content
        host, _, port = it.url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> bytes:
        """The answer's body. RuntimeError for an error's status."""
        self._socket.sendall(self._request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = int(head[9:12])
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        parts = [rest]
        missing = length - len(rest)
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        if status >= 300:
            raise RuntimeError(f"{self._request[:60]!r}: {status} {parts[0][:200]!r}")
        return b"".join(parts)

    def _receive(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise RuntimeError("the controller closed the connection")
        return part

    def times(self, count: int) -> list[float]:
        """Milliseconds of each."""
        return [milliseconds(self.send) for _ in range(count)]


def together(loads: list[Load], count: int) -> tuple[list[float], float]:
    """Where all send at once, ``count`` each: the milliseconds of every request, and requests per second."""
    times: list[float] = []
    threads = [threading.Thread(target=lambda load=load: times.extend(load.times(count))) for load in loads]  # type: ignore[misc]
    started_at = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, len(loads) * count / (time.perf_counter() - started_at)


def cpu_ms(pid: int) -> float:
    """Processor time of all threads of a process so far (schedstat): other work on the machine does not count."""
    return (
        sum(int(Path(path, "schedstat").read_text().split()[0]) for path in Path(f"/proc/{pid}/task").iterdir()) / 1e6
    )
