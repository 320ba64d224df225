"""The network API alone: with 1,000 ports in the database, with 10,000, and the same calls with 100,000."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

import msgspec
from nebula_runtime.http import Client

from tests.bench.controller import BIN, Controller, Load, controller, cpu_ms, milliseconds, together
from tests.bench.figures import Figure, pss_mib, quantile, quantiles
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

    def load(self, call: Request) -> Load:
        """One client's."""
        return Load(self.it, call.method, call.path, self.port if call.method == "POST" else None)

    def one_client(self, call: Request) -> tuple[list[float], float]:
        """Milliseconds of each request, and the controller's processor time for one."""
        load = self.load(call)
        if call.count < 100:
            assert load.send().count(b"mac_address") >= _PAGE
        spent = cpu_ms(self.it.pid)
        times = load.times(call.count)
        return times, (cpu_ms(self.it.pid) - spent) / call.count

    def eight_clients(self, call: Request) -> list[float]:
        """Milliseconds of each request."""
        return together([self.load(call) for _ in range(8)], max(call.count // 4, 4))[0]

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

    def bulk(self) -> list[float]:
        """500 ports in one request."""
        return Load(self.it, "POST", _PORTS, {"ports": [self.port["port"]] * _BULK}).times(5)


class Request(msgspec.Struct, frozen=True):
    """A call that is measured so often."""

    name: str
    method: str
    path: str
    count: int
    goal: str = ""


_REQUESTS = (
    Request("GET /v2.0/networks", "GET", "/network/v2.0/networks?limit=10", 300, "3"),
    Request(f"GET /v2.0/ports, {_PAGE} of them", "GET", f"{_PORTS}?limit={_PAGE}", 20, "40"),
    Request("GET /v2.0/ports?name=", "GET", f"{_PORTS}?name=nobody", 100),
    Request("POST /v2.0/ports", "POST", _PORTS, 300, "5"),
)


def _made(it: Controller, client: Client, kind: str, **values: object) -> str:
    answer = it.call(client, "POST", f"/network/v2.0/{kind}s", {kind: values})
    return str(answer[kind]["id"])  # type: ignore[index]


def figures() -> list[Figure]:
    """Each call with few ports; pages of more; each call with many, and the ratio; a nebulactl call; memory."""
    found: list[Figure] = []
    with controller() as it:
        bench = Bench(it)
        few: dict[str, float] = {}
        for total in (FEW, MANY):
            seed_ports(it.database, bench.network, total)
            here = f"{total} in the database"
            for call in _REQUESTS:
                times, spent_ms = bench.one_client(call)
                found += quantiles(f"{call.name}, {here}", times, call.goal)
                found.append(Figure(f"{call.name}, {here}: the controller's processor time", "ms", (spent_ms,)))
                found += _ratio(few, call.name, quantile(times, 0.5), total)
                found += quantiles(f"{call.name}, {here}, eight clients", bench.eight_clients(call))
            bulk = bench.bulk()
            found.append(Figure(f"POST /v2.0/ports, {_BULK} at once, {here}", "ms", tuple(bulk), "600"))
            found += _ratio(few, f"POST /v2.0/ports, {_BULK} at once", quantile(bulk, 0.5), total)
            if total == FEW:
                _times, eight = together([bench.load(_REQUESTS[-1]) for _ in range(8)], 50)
                found.append(Figure("POST /v2.0/ports, eight clients", "1/s", (eight,), "200", "3"))
                found.append(Figure("nebulactl network list, a process", "ms", _nebulactl(it), "200", "1960"))
                found.append(Figure("controller's memory with 6,000 ports (PSS)", "MiB", (pss_mib(it.pid),), "80"))
                seed_ports(it.database, bench.network, MORE)
                pages = tuple(bench.last_page())
                found.append(Figure(f"GET /v2.0/ports, {MORE} in pages of {_PAGE}: a page", "ms", pages, "40"))
        pages = tuple(bench.last_page())
        found.append(Figure(f"GET /v2.0/ports, {MANY} in pages of {_PAGE}: a page", "ms", pages, "40"))
        found.append(Figure(f"controller's memory with {MANY} ports (PSS)", "MiB", (pss_mib(it.pid),)))
    return found


def _ratio(few: dict[str, float], name: str, median_ms: float, total: int) -> list[Figure]:
    """How much longer it takes with many."""
    if name not in few:
        few[name] = median_ms
        return []
    return [Figure(f"{name}: {total} / {FEW}", "ratio", (median_ms / few[name],), "2")]


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
