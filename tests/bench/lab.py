"""A lab of three nodes: how long until packets flow. Needs root or user namespaces, as a lab does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nebula_lab import Lab, open_lab
from nebula_lab.cloud import Cloud
from nebula_lab.status import status_of

from tests.bench.figures import Figure, pss_mib

NAME = "nebula-bench"
NEBULACTL = str(Path(sys.executable).parent / "nebulactl")
WEB = "198.51.100.10"


def _up() -> Lab:
    subprocess.run([NEBULACTL, "lab", "up", "--name", NAME], check=True, stdout=subprocess.DEVNULL)
    return open_lab(NAME)


def _down() -> None:
    subprocess.run([NEBULACTL, "lab", "down", "--name", NAME], check=True, stdout=subprocess.DEVNULL)


class Tenant:
    """A project's calls: networks, routers, instances, and waiting for packets on the nodes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cloud = Cloud(lab.endpoint, lab.credentials)

    def make(self, collection: str, noun: str, **body: object) -> dict[str, Any]:
        return self.cloud.request("POST", f"/network/v2.0/{collection}", {noun: body})[noun]  # type: ignore[return-value]

    def network(self, name: str, cidr: str) -> tuple[str, str]:
        network = self.make("networks", "network", name=name)["id"]
        return network, self.make("subnets", "subnet", network_id=network, cidr=cidr, ip_version=4)["id"]

    def router(self, subnet: str) -> str:
        router = self.make("routers", "router", name="bench")["id"]
        self.cloud.request("PUT", f"/network/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
        public = self.cloud.request("GET", "/network/v2.0/networks?name=public")["networks"][0]["id"]  # type: ignore[index]
        gateway = {"router": {"external_gateway_info": {"network_id": public}}}
        self.cloud.request("PUT", f"/network/v2.0/routers/{router}", gateway)
        return str(router)

    def instance(self, name: str, network: str, node: str) -> str:
        body = {"server": {"name": name, "networks": [{"uuid": network}], "host": node}}
        return str(self.cloud.request("POST", "/compute/v2.1/servers", body)["server"]["id"])  # type: ignore[index]

    def until_answers(self, node: str, instances: list[str], target: str) -> None:
        """Return when each instance has had one answer to a ping; polls on the node itself.

        Between two tries the neighbours are forgotten: the kernel repeats an ARP request only after a second,
        which would hide when the network was ready.
        """
        script = (
            'for i in $2; do n=instance-$i; until ip netns exec "$n" ping -n -q -c 1 -W 0.1 "$1" >/dev/null 2>&1; '
            'do sleep 0.01; ip -n "$n" neigh flush all 2>/dev/null; done; done'
        )
        argv = self.lab.enter(node, ["sh", "-c", script, "sh", target, " ".join(instances)])
        subprocess.run(argv, check=True, timeout=60, stdin=subprocess.DEVNULL)

    def until_active(self, instances: list[str]) -> None:
        wanted = set(instances)
        while True:
            servers: Any = self.cloud.request("GET", "/compute/v2.1/servers/detail")["servers"]
            if wanted <= {server["id"] for server in servers if server["status"] == "ACTIVE"}:
                return
            time.sleep(0.02)


def _from_nothing() -> tuple[float, float]:
    """Seconds until the lab is up, and until the first answers east-west and north-south."""
    started_at = time.perf_counter()
    tenant = Tenant(_up())
    up_s = time.perf_counter() - started_at
    network, subnet = tenant.network("first", "192.168.50.0/24")
    tenant.router(subnet)
    one = tenant.instance("one", network, "compute1")
    two = tenant.instance("two", network, "compute2")
    addresses: Any = tenant.cloud.request("GET", f"/compute/v2.1/servers/{two}")["server"]["addresses"]  # type: ignore[index]
    tenant.until_answers("compute1", [one], next(iter(addresses.values()))[0]["addr"])
    tenant.until_answers("compute1", [one], WEB)
    return up_s, time.perf_counter() - started_at


def figures() -> list[Figure]:
    """Lab up, one port, fifty ports, a router, memory of the agents."""
    ups, firsts = [], []
    try:
        for _ in range(3):
            _down()
            up_s, first_s = _from_nothing()
            ups.append(up_s)
            firsts.append(first_s)
        tenant = Tenant(open_lab(NAME))
        network, subnet = tenant.network("bench", "10.1.0.0/16")
        tenant.until_answers("compute1", [tenant.instance("warm", network, "compute1")], "10.1.0.2")

        singles = []
        for number in range(12):
            started_at = time.perf_counter()
            name = tenant.instance(f"single{number}", network, "compute1")
            tenant.until_answers("compute1", [name], "10.1.0.2")
            singles.append((time.perf_counter() - started_at) * 1000)

        fifty: list[str] = []
        started_at = time.perf_counter()
        lock = threading.Lock()

        def create(share: range) -> None:
            own = Tenant(tenant.lab)
            for number in share:
                name = own.instance(f"many{number}", network, "compute2")
                with lock:
                    fifty.append(name)

        threads = [threading.Thread(target=create, args=(range(first, 50, 4),)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        called_s = time.perf_counter() - started_at
        tenant.until_answers("compute2", fifty, "10.1.0.2")
        tenant.until_active(fifty)
        all_s = time.perf_counter() - started_at

        routers = []
        for number in range(4):
            own, subnet = tenant.network(f"routed{number}", f"10.{50 + number}.0.0/24")
            name = tenant.instance(f"routed{number}", own, "compute1")
            tenant.until_answers("compute1", [name], f"10.{50 + number}.0.2")
            started_at = time.perf_counter()
            tenant.router(subnet)
            tenant.until_answers("compute1", [name], "203.0.113.1")
            routers.append((time.perf_counter() - started_at) * 1000)
        pids = [place.pids.get("nebula-agent") for place in status_of(tenant.lab).places]
        agents = [pss_mib(pid) for pid in pids if pid]
    finally:
        _down()
    return [
        Figure("lab of three nodes up, agents alive", "s", tuple(ups), "6", "50 / 24 warm"),
        Figure("from nothing to the first answer east-west and north-south", "s", tuple(firsts), "10"),
        Figure("one port: call → first ping after DHCP", "ms", tuple(singles), "300", "570"),
        Figure("50 ports at once: the calls alone", "s", (called_s,)),
        Figure("50 ports at once: all answering and ACTIVE", "s", (all_s,), "2", "24"),
        Figure("router: first call → ping to the outside", "ms", tuple(routers), "600", "5900"),
        Figure("agents' memory in the lab (PSS)", "MiB", tuple(agents)),
    ]
