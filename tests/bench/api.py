"""The control plane alone: one controller process on 127.0.0.1, a database of its own, no agents."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from nebula_runtime.http import Client

from tests.bench.figures import Figure, pss_mib, quantile

BIN = Path(sys.executable).parent
PORTS = 1000


class Controller(msgspec.Struct):
    """A running controller with an admin's token."""

    pid: int
    url: str
    password: str
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
        import socket

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
            it = Controller(process.pid, url, password)
            it.token = it.login(Client(url))
            yield it
        finally:
            process.terminate()
            process.wait(timeout=20)


def _milliseconds(action: object) -> float:
    started_at = time.perf_counter()
    action()  # type: ignore[operator]
    return (time.perf_counter() - started_at) * 1000


def figures() -> list[Figure]:
    """Port creation by one and by eight clients, lists, a whole nebulactl call, memory."""
    found: list[Figure] = []
    with controller() as it:
        client = Client(it.url)
        network = it.call(client, "POST", "/network/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]  # type: ignore[index]
        subnet = {"network_id": network, "cidr": "10.0.0.0/16", "ip_version": 4}
        it.call(client, "POST", "/network/v2.0/subnets", {"subnet": subnet})
        body = {"port": {"network_id": network}}

        def create(own: Client) -> None:
            it.call(own, "POST", "/network/v2.0/ports", body)

        for _ in range(20):
            create(client)
        one = [_milliseconds(lambda: create(client)) for _ in range(PORTS - 420)]
        found += [
            Figure("POST /v2.0/ports, one client, p50", "ms", (quantile(one, 0.5),), "5", "288"),
            Figure("POST /v2.0/ports, one client, p99", "ms", (quantile(one, 0.99),), "20"),
        ]

        def burst() -> None:
            own = Client(it.url)
            for _ in range(50):
                create(own)

        threads = [threading.Thread(target=burst) for _ in range(8)]
        started_at = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = 400 / (time.perf_counter() - started_at)
        found.append(Figure("POST /v2.0/ports, eight clients", "1/s", (rate,), "200", "3"))

        def listing() -> None:
            answer = it.call(client, "GET", "/network/v2.0/ports")
            assert len(answer["ports"]) == PORTS, len(answer["ports"])  # type: ignore[arg-type]

        lists = tuple(_milliseconds(listing) for _ in range(15))
        found.append(Figure(f"GET /v2.0/ports of {PORTS}, client's JSON parsing included", "ms", lists, "40", "620"))
        found.append(
            Figure("token by password", "ms", tuple(_milliseconds(lambda: it.login(client)) for _ in range(5)))
        )

        environment = {
            **os.environ,
            "OS_AUTH_URL": f"{it.url}/identity/v3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": it.password,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
        }
        with tempfile.TemporaryDirectory() as cache:
            environment["XDG_CACHE_HOME"] = cache

            def command() -> None:
                argv = [str(BIN / "nebulactl"), "network", "list"]
                subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)

            command()
            found.append(
                Figure(
                    "nebulactl network list, a process",
                    "ms",
                    tuple(_milliseconds(command) for _ in range(10)),
                    "200",
                    "1960",
                )
            )
        found.append(Figure(f"controller's memory with {PORTS} ports (PSS)", "MiB", (pss_mib(it.pid),), "80"))
    return found
