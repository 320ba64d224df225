"""The case study on containers: nodes that have joined, instances that have their addresses, and streams of packets.

Effects: containers of an Engine, started with docker-compose by pytest-docker, and processes inside them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import container_image
from container_engine import Engine, compose
from nebula_lab.demo.pcap import read_capture
from pytest_docker.plugin import get_docker_services

from nebula.capture.text import Packet
from tests.netns.agent_node import DATAPATH, eventually
from tests.netns.packet_stream import Stream, ping

PROJECT = "nebula"
NODES = ("net1", "compute1", "compute2")
WEB_IP = "198.51.100.10"
_DISK_MIB = 32
_PREFIXES = {"mgmt": "10.200.0.", "underlay": "10.201.0."}
_URL = "https://10.200.0.1:9697"
_WHO = (
    "OS_AUTH_URL=http://127.0.0.1:9696/identity OS_USERNAME=admin OS_PROJECT_NAME=admin "
    "OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default"
)


@contextlib.contextmanager
def cloud(debs: Path) -> Iterator[Cloud]:
    """Engine, image with the packages in ``debs``, containers, all nodes joined. Raises NoContainers."""
    engine = Engine()
    try:
        container_image.build(engine, engine.folder, debs)
        disks = engine.folder / "disks"
        for name in ("controller", *NODES):
            (disks / name).mkdir(parents=True)
            engine.machine.run("mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "disk", str(disks / name))
        settings = {**engine.environment, "DISKS": str(disks), "DATAPATH_TYPE": DATAPATH}
        command = shlex.join(["env", *(f"{name}={value}" for name, value in settings.items()), *compose().split()])
        file = str(Path(__file__).with_name("compose.yml"))
        with get_docker_services(command, file, PROJECT, ["up -d"], ["down -v -t 0"]):
            made = Cloud(engine)
            made.join()
            yield made
    finally:
        engine.close()


class Cloud:
    """The running containers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.password = ""
        self._joint = "-" if " " in compose() else "_"
        self.addresses: dict[str, str] = {}
        self._spaces: dict[str, tuple[str, str]] = {}

    def join(self) -> None:
        """The administrator is made, and each node joins with a token of its own."""
        self._wait_controller()
        said = self.on("controller", "setpriv --reuid nebula --regid nebula --clear-groups nebula-controller bootstrap")
        self.password = said.strip()
        for node in NODES:
            self.join_node(node)
        self.wait_alive()

    def join_node(self, node: str) -> None:
        """Also one that had joined before."""
        token = self.nebulactl(f"node token create --host {node} -f value -c token").strip()
        self.on(node, f"nebula-agent join {_URL} {token}")

    def container(self, node: str) -> str:
        """Its name: compose v2 has hyphens where 1.29 has underscores."""
        return f"{PROJECT}{self._joint}{node}{self._joint}1"

    def docker(self, verb: str, node: str, *words: str) -> None:
        """``docker kill NODE`` and the like."""
        self.engine.docker(*verb.split(), *words, self.container(node))

    def call(self, node: str, script: str) -> tuple[int, str]:
        """Exit code and output of a shell script on a node."""
        done = self.engine.call("exec", self.container(node), "sh", "-c", script)
        return done.returncode, done.stdout + done.stderr

    def on(self, node: str, script: str) -> str:
        """Output of a shell script that must succeed on a node."""
        done = self.engine.call("exec", self.container(node), "sh", "-c", script)
        assert done.returncode == 0, f"{node}: {script}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def nebulactl(self, words: str) -> str:
        """Output of a call by the administrator on the controller."""
        return self.on("controller", self.calling(words))

    def refused(self, words: str) -> str:
        """What a call says that must fail."""
        code, out = self.call("controller", self.calling(words))
        assert code != 0, out
        return out

    def calling(self, words: str) -> str:
        """The shell line of a call by the administrator."""
        return f"{_WHO} OS_PASSWORD={shlex.quote(self.password)} nebulactl {words}"

    def state(self, name: str) -> str:
        """Of an instance."""
        return self.nebulactl(f"instance show {name} -f value -c status").strip()

    def cut(self, network: str, node: str) -> None:
        """Take a node's device of a network away."""
        self.engine.docker("network", "disconnect", self._name(network), self.container(node))

    def mend(self, network: str, node: str) -> None:
        """Give it back, with its address."""
        address = f"--ip={_PREFIXES[network]}{10 + NODES.index(node)}"
        self.engine.docker("network", "connect", address, self._name(network), self.container(node))

    @staticmethod
    def _name(network: str) -> str:
        return f"{PROJECT}_{network}"

    def fill(self, node: str) -> None:
        """Leave no byte on its disk."""
        code, said = self.call(node, "cat /dev/zero > /disk/fill")
        assert (code, "No space left" in said) == (1, True), said

    def empty(self, node: str) -> None:
        """Make room again."""
        self.on(node, "rm /disk/fill")

    @contextlib.contextmanager
    def capture(self, network: str) -> Iterator[list[Packet]]:
        """All packets on a network for the time of the block, in the list when it has ended."""
        heard: list[Packet] = []
        listen = f"echo $$ >&2; exec {shlex.quote(sys.executable)} -m nebula_lab.listen {network}"
        with tempfile.TemporaryFile() as frames, tempfile.TemporaryFile() as words:
            argv = self.engine.machine.argv("sh", "-c", listen)
            running = subprocess.Popen(argv, stdout=frames, stderr=words)
            try:
                eventually(lambda: b"listening" in os.pread(words.fileno(), 99, 0), "the capture")
                yield heard
                time.sleep(0.3)
            finally:
                self.engine.machine.run("kill", "-INT", os.pread(words.fileno(), 99, 0).split()[0].decode())
                running.wait(10)
            heard.extend(read_capture(os.pread(frames.fileno(), 1 << 24, 0)))

    def _wait_controller(self) -> None:
        eventually(lambda: self.call("controller", "curl -fs 127.0.0.1:9696/network/")[0] == 0, "the controller", 30)

    def wait_alive(self) -> None:
        """Until the controller answers and hears all agents."""
        self._wait_controller()

        def alive() -> set[str]:
            rows = json.loads(self.nebulactl("agent list -f json"))
            return {str(row["Host"]) for row in rows if row["Alive"]}

        eventually(lambda: alive() == set(NODES), "all agents are alive", 30)

    def instance(self, name: str, node: str, network: str = "n") -> None:
        """Make an instance and wait for its lease."""
        made: dict[str, Any] = json.loads(
            self.nebulactl(f"instance create {name} --network {network} --node {node} -f json")
        )
        self._spaces[name] = (node, f"instance-{made['id']}")
        self.addresses[name] = self.lease(name)

    def inside(self, name: str, script: str) -> tuple[int, str]:
        """Exit code and output of a command in an instance."""
        node, space = self._spaces[name]
        return self.call(node, f"ip netns exec {space} {script}")

    def lease(self, name: str) -> str:
        """The address that DHCP gave it, once it has one."""
        found: list[str] = []

        def has_address() -> bool:
            found[:] = re.findall(r"inet (192\.168\.50\.\d+)/", self.inside(name, "ip -4 address show eth0")[1])
            return bool(found)

        eventually(has_address, f"{name} has an address", 20)
        return found[0]

    def answers(self, name: str, address: str, timeout_s: float = 30) -> None:
        """Wait until an instance gets an answer."""
        ping = f"ping -c 1 -W 1 {address}"
        eventually(lambda: self.inside(name, ping)[0] == 0, f"{name} reaches {address}", timeout_s)

    @contextlib.contextmanager
    def stream(self, name: str, address: str) -> Iterator[Stream]:
        """Numbered packets from an instance to an address, for the time of the block."""
        node, space = self._spaces[name]
        pid = self.engine.docker("inspect", "--format={{.State.Pid}}", self.container(node)).strip()
        line = ping(f"ip netns exec {space}", address)
        argv = self.engine.machine.argv("nsenter", f"--target={pid}", "--net", "--mount", "sh", "-c", line)
        with Stream.running(argv, lambda ping_pid: self.engine.machine.argv("kill", "-INT", ping_pid)) as stream:
            yield stream
