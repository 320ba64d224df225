"""A capture at ten points of three nodes under load: what is kept, what it costs, and from where on packets are lost.

Four instances on two nodes send datagrams at a steady pace through their router to the outside; each datagram passes
five points. Lost is what the kernel counts as dropped for want of room in a ring; what Open vSwitch loses is not meant.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from nebula_lab import Lab
from nebula_lab.status import status_of

from tests.bench.figures import Figure
from tests.bench.lab import NAME, NEBULACTL, WEB, Tenant, _down, _up

SECONDS = 5
RATES = (20_000, 40_000, 80_000)
"""Frames a second, all points together."""
POINTS_OF_A_DATAGRAM = 5
_SEND = """
import socket, sys, time
target, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
began, sent = time.monotonic(), 0
while (now := time.monotonic() - began) < seconds:
    while sent < now * rate:
        sock.sendto(sent.to_bytes(8, "big") + bytes(192), (target, 9))
        sent += 1
    time.sleep(0.002)
print(sent)
"""
_SINK = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9)); time.sleep(600)"
_CAPTURED = re.compile(r"(\d+) packets captured, (\d+) dropped")


def figures() -> list[Figure]:
    """One run for each rate."""
    sink = None
    try:
        lab = _up()
        tenant = Tenant(lab)
        network, subnet = tenant.network("captured", "10.7.0.0/24")
        router = tenant.router(subnet)
        senders = {
            tenant.instance(f"sender{number}", network, node): node
            for number, node in enumerate(("compute1", "compute1", "compute2", "compute2"))
        }
        for instance, node in senders.items():
            tenant.until_answers(node, [instance], WEB)
        sink = subprocess.Popen(lab.enter("web", ["python3", "-c", _SINK]), stdin=subprocess.DEVNULL)
        what = ["underlay", "router", router, "network", network]
        found = []
        for rate in RATES:
            found += _run(lab, senders, what, rate)
    finally:
        if sink is not None:
            sink.terminate()
            sink.wait(10)
        _down()
    return found


def _run(lab: Lab, senders: dict[str, str], what: list[str], rate: int) -> list[Figure]:
    argv = [NEBULACTL, "capture", *what, "--filter", "udp port 9", "-w", "/dev/null"]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env={**os.environ, "NEBULA_LAB": NAME})
    assert process.stderr is not None
    points = process.stderr.readline().count(": ") - 1
    pids = {"nebulactl": [process.pid], **_daemons(lab)}
    before = {name: sum(map(_cpu_s, found)) for name, found in pids.items()}
    pace = str(rate // POINTS_OF_A_DATAGRAM // len(senders))
    running = [
        subprocess.Popen(
            lab.enter(
                node, ["ip", "netns", "exec", f"instance-{instance}", "python3", "-c", _SEND, WEB, pace, str(SECONDS)]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for instance, node in senders.items()
    ]
    sent = sum(int(sender.communicate(timeout=60)[0]) for sender in running)
    time.sleep(1.5)
    used = {name: (sum(map(_cpu_s, found)) - before[name]) / SECONDS for name, found in pids.items()}
    process.send_signal(2)
    _out, error = process.communicate(timeout=60)
    captured = _CAPTURED.search(error)
    assert captured is not None, error
    kept, dropped = map(int, captured.groups())
    name = f"capture at {points} points, pace {rate} frames/s"
    return [
        Figure(
            f"{name}: sent, each seen {POINTS_OF_A_DATAGRAM} times",
            "frames/s",
            (sent * POINTS_OF_A_DATAGRAM / SECONDS,),
        ),
        Figure(f"{name}: kept", "frames/s", (kept / SECONDS,), "20000" if rate == RATES[0] else ""),
        Figure(f"{name}: dropped by the kernel", "frames", (dropped,), "0" if rate == RATES[0] else ""),
        *(Figure(f"{name}: {program}", "cores", (cores,)) for program, cores in used.items()),
    ]


def _daemons(lab: Lab) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"controller": [], "nebula-agent": [], "ovs-vswitchd": []}
    for place in status_of(lab).places:
        for program, pid in place.pids.items():
            if program in found and pid:
                found[program].append(pid)
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
