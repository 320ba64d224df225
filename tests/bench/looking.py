"""What looking costs: receipts on disk, the explanation of a call, the audit of a node with 1,000 ports. Needs root."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import msgspec
from nebula_controller.nodes.receipts import packed

from nebula.view.report import ChangeRecord
from tests.bench.figures import Figure
from tests.bench.lab import NAME, NEBULACTL, Tenant, _down, _up
from tests.bench.node import inside

CALLS = 10_000
ASKED = 20
_INSTANCES = 20


def figures() -> list[Figure]:
    """A class's calls in a lab of three nodes, and a node of its own."""
    try:
        sizes, explained, typed = _receipts()
    finally:
        _down()
    audit = inside("tests.bench.looking_inside", "1000")
    samples = tuple(audit[f"audit_s_{number}"] for number in range(3))
    return [
        Figure(f"receipts of {CALLS} calls, as they are kept", "MiB", (sizes[0] * CALLS / 2**20,), "50"),
        Figure("the same as JSON", "MiB", (sizes[1] * CALLS / 2**20,)),
        Figure("explain of the last call: the controller's answer", "ms", explained, "100"),
        Figure("nebulactl explain --last, as a process", "ms", typed),
        Figure(f"audit of a node with 1,000 ports ({audit['objects']:.0f} objects)", "s", samples, "2"),
    ]


def _receipts() -> tuple[tuple[float, float], tuple[float, ...], tuple[float, ...]]:
    """Bytes a call, packed and not; milliseconds of the answer and of the program."""
    tenant = Tenant(_up())
    calls = 0
    for number in range(3):
        network, subnet = tenant.network(f"looked{number}", f"10.{number}.0.0/24")
        tenant.router(subnet)
        made = [
            tenant.instance(f"i{number}-{one}", network, ("compute1", "compute2")[one % 2]) for one in range(_INSTANCES)
        ]
        tenant.until_active(made)
        for instance in made[: _INSTANCES // 2]:
            tenant.cloud.request("DELETE", f"/compute/v2.1/servers/{instance}")
        calls += 5 + _INSTANCES * 3 // 2
    time.sleep(1)
    receipts: Any = tenant.cloud.request("GET", "/nebula/v1/receipts?limit=1000")["receipts"]
    kept = json_bytes = 0
    for receipt in receipts:
        changes = tuple(msgspec.convert(receipt["changes"], list[ChangeRecord]))
        kept += len(packed(changes))
        json_bytes += len(msgspec.json.encode(changes))
    command = [NEBULACTL, "network", "create", "explained", "-v"]
    env = {"NEBULA_LAB": NAME, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    request = done.stderr.split()[-1]
    explained = [_ms(lambda: tenant.cloud.request("GET", f"/nebula/v1/receipts/{request}")) for _ in range(ASKED)]
    line = [NEBULACTL, "explain", request]
    typed = [_ms(lambda: subprocess.run(line, env=env, capture_output=True, check=True)) for _ in range(5)]
    return (kept / calls, json_bytes / calls), tuple(explained), tuple(typed)


def _ms(what: Any) -> float:
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) * 1000
