"""Traces in a lab of three nodes: the whole command as a process, and the nodes' part of it. Needs what a lab needs."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from tests.bench.figures import Figure
from tests.bench.lab import NAME, NEBULACTL, WEB, Tenant, _down, _up

_TIMES = 9


def figures() -> list[Figure]:
    """Each after one run that warms up."""
    tenant = Tenant(_up())
    try:
        network, subnet = tenant.network("traced", "192.168.50.0/24")
        tenant.router(subnet)
        for name, node in (("web", "compute1"), ("db", "compute2")):
            tenant.until_answers(node, [tenant.instance(name, network, node)], "192.168.50.1")
        body = {"from": "web", "to": "db", "protocol": "tcp", "port": 80}
        documents: list[Any] = [tenant.cloud.request("POST", "/nebula/v1/traces", body) for _ in range(_TIMES)]
        nodes_ms = tuple(1000 * document["duration_s"] for document in documents)
        return [
            _figure("trace over two nodes", "300 ms", "web", "db", "tcp", "80"),
            Figure("its part in the controller and the nodes", "ms", nodes_ms),
            _figure("trace through a router and SNAT", "300 ms", "web", WEB, "tcp", "80"),
            _figure("trace --live over two nodes", "1.5 s", "web", "db", "--live"),
            _figure("trace --live through a router and SNAT", "1.5 s", "web", WEB, "tcp", "80", "--live"),
            _figure("trace --live of what is dropped", "1.5 s", "web", "192.168.50.200", "--live"),
        ]
    finally:
        _down()


def _figure(name: str, goal: str, *words: str) -> Figure:
    """There and back, as a person waits for it."""
    samples = []
    for _ in range(_TIMES + 1):
        started_at = time.perf_counter()
        environment = {**os.environ, "NEBULA_LAB": NAME}
        subprocess.run([NEBULACTL, "trace", *words], env=environment, stdout=subprocess.DEVNULL, check=False)
        samples.append((time.perf_counter() - started_at) * 1000)
    return Figure(name, "ms", tuple(samples[1:]), goal)
