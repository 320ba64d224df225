"""The network API alone: with 1,000 ports in the database, with 10,000, and the same calls with 100,000."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable

from nebula_runtime.http import Client

from tests.bench.controller import BIN, Controller, Load, controller, milliseconds, rate
from tests.bench.figures import Figure, pss_mib, quantile
from tests.bench.seed import seed_ports

FEW, MORE, MANY = 1000, 10_000, 100_000
_PAGE = 1000
_BULK = 500
_PORTS = "/network/v2.0/ports"


class Bench:
    """What is measured at each size of the database: the same calls on the same network."""

    def __init__(self, it: Controller) -> None:
        self.it = it
        client = Client(it.url)
        self.network = _made(it, client, "network", name="bench")
        _made(it, client, "subnet", network_id=self.network, cidr="10.0.0.0/16", ip_version=4)
        self.port = {"port": {"network_id": self.network}}
        it.call(client, "POST", _PORTS, self.port)

    def network_list(self) -> list[float]:
        return Load(self.it, "GET", "/network/v2.0/networks?limit=10").times(300)

    def port_list(self) -> list[float]:
        """1,000 ports: a page, whatever there is."""
        load = Load(self.it, "GET", f"{_PORTS}?limit={_PAGE}")
        assert load.send().count(b"mac_address") >= _PAGE
        return load.times(15)

    def last_page(self) -> list[float]:
        """By the links to the end: the times of all pages."""
        times: list[float] = []
        path = f"{_PORTS}?limit={_PAGE}"
        while path:
            load = Load(self.it, "GET", path)
            answers: list[bytes] = []
            times.append(milliseconds(lambda load=load, answers=answers: answers.append(load.send())))  # type: ignore[misc]
            links = json.loads(answers[0]).get("ports_links", [])
            path = next((link["href"].removeprefix(self.it.url) for link in links if link["rel"] == "next"), "")
        return times

    def port_create(self) -> list[float]:
        return Load(self.it, "POST", _PORTS, self.port).times(300)

    def bulk(self) -> list[float]:
        """500 ports in one request; they go again, so that the next size finds the same network."""
        load = Load(self.it, "POST", _PORTS, {"ports": [self.port["port"]] * _BULK})
        return load.times(3)

    def filtered(self) -> list[float]:
        """What clients ask most: a port by its name, which nobody has."""
        return Load(self.it, "GET", f"{_PORTS}?name=nobody").times(100)


_SAME: tuple[tuple[str, Callable[[Bench], list[float]], str], ...] = (
    ("GET /v2.0/networks", Bench.network_list, "3"),
    (f"GET /v2.0/ports, {_PAGE} of them", Bench.port_list, "40"),
    ("GET /v2.0/ports?name=", Bench.filtered, ""),
    ("POST /v2.0/ports", Bench.port_create, "5"),
    (f"POST /v2.0/ports, {_BULK} at once", Bench.bulk, "600"),
)


def _made(it: Controller, client: Client, kind: str, **values: object) -> str:
    answer = it.call(client, "POST", f"/network/v2.0/{kind}s", {kind: values})
    return str(answer[kind]["id"])  # type: ignore[index]


def figures() -> list[Figure]:
    """Each call with few ports; pages of more; each call with many, and the ratio; a nebulactl call; memory."""
    found: list[Figure] = []
    with controller() as it:
        bench = Bench(it)
        seed_ports(it.database, bench.network, FEW)
        few: dict[str, float] = {}
        for name, measure, goal in _SAME:
            times = measure(bench)
            few[name] = quantile(times, 0.5)
            found += _both(f"{name}, {FEW} in the database", times, goal)
        eight = rate([Load(it, "POST", _PORTS, bench.port) for _ in range(8)], 50)
        found.append(Figure("POST /v2.0/ports, eight clients", "1/s", (eight,), "200", "3"))
        found.append(Figure("nebulactl network list, a process", "ms", _nebulactl(it), "200", "1960"))
        found.append(Figure("controller's memory with 3,500 ports (PSS)", "MiB", (pss_mib(it.pid),), "80"))

        seed_ports(it.database, bench.network, MORE)
        found.append(
            Figure(f"GET /v2.0/ports, {MORE} in pages of {_PAGE}: a page", "ms", tuple(bench.last_page()), "40")
        )

        seed_ports(it.database, bench.network, MANY)
        for name, measure, _goal in _SAME:
            times = measure(bench)
            found += _both(f"{name}, {MANY} in the database", times, "")
            found.append(Figure(f"{name}: {MANY} / {FEW}", "ratio", (quantile(times, 0.5) / few[name],), "2"))
        pages = tuple(bench.last_page())
        found.append(Figure(f"GET /v2.0/ports, {MANY} in pages of {_PAGE}: a page", "ms", pages, "40"))
        found.append(Figure(f"controller's memory with {MANY} ports (PSS)", "MiB", (pss_mib(it.pid),)))
    return found


def _both(name: str, times: list[float], goal: str) -> list[Figure]:
    if len(times) < 100:
        return [Figure(name, "ms", tuple(times), goal)]
    return [
        Figure(f"{name}, p50", "ms", (quantile(times, 0.5),), goal),
        Figure(f"{name}, p99", "ms", (quantile(times, 0.99),)),
    ]


def _nebulactl(it: Controller) -> tuple[float, ...]:
    environment = {
        **os.environ,
        "OS_AUTH_URL": f"{it.url}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": it.password,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
    }
    argv = [str(BIN / "nebulactl"), "network", "list"]
    with tempfile.TemporaryDirectory() as cache:
        environment["XDG_CACHE_HOME"] = cache

        def command() -> None:
            subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)

        command()
        return tuple(milliseconds(command) for _ in range(10))
