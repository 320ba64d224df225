"""Nodes for tests inside a sandbox: a network and mount namespace each, with an Open vSwitch and a real agent.

Effects: processes, all of which end with the sandbox's PID namespace. The agent is run from source and gets its view
from a file. ``NEBULA_TEST_DATAPATH`` is ``netdev`` (the default) or ``system``; ``NEBULA_TEST_PATIENCE`` multiplies
every time limit, for machines on which all takes longer (an emulated one).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nebula.view import codec
from nebula.view.records import NodeView
from tests.netns.agent_fork import AgentFork

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ":".join(str(ROOT / part) for part in (".", "runtime", "agent"))
DATAPATH = os.environ.get("NEBULA_TEST_DATAPATH", "netdev")
PATIENCE = float(os.environ.get("NEBULA_TEST_PATIENCE", "1"))
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_HOLD = """
mount -t tmpfs -o mode=755 run /run && mkdir -p /run/netns /run/openvswitch && ip link set lo up && echo up
exec sleep infinity
"""


def sh(*argv: str, timeout_s: float = 20.0) -> str:
    """Output of a command of the sandbox itself."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s * PATIENCE)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


def eventually(reached: Callable[[], bool], what: str, timeout_s: float = 8.0) -> float:
    """Wait until the condition holds; seconds it took. Fails the test otherwise."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < timeout_s * PATIENCE, f"not within {timeout_s * PATIENCE:.0f} s: {what}"
        time.sleep(0.02 if PATIENCE == 1 else 0.4)
    return time.monotonic() - began


class Space:
    """A network and mount namespace with a /run of its own."""

    def __init__(self) -> None:
        argv = ["unshare", "--net", "--mount", "sh", "-c", _HOLD]
        self._holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        self.pid = self._holder.pid

    def argv(self, *argv: str, namespace: str = "") -> list[str]:
        """The command line that runs a command here, or in a named network namespace of here."""
        inner = ["ip", "netns", "exec", namespace, *argv] if namespace else list(argv)
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", *inner]

    def run(self, *argv: str, namespace: str = "", timeout_s: float = 20.0) -> str:
        """Output of a command that ends with 0."""
        return sh(*self.argv(*argv, namespace=namespace), timeout_s=timeout_s)

    def status(self, *argv: str, namespace: str = "") -> int:
        """Exit code of a command."""
        line = self.argv(*argv, namespace=namespace)
        return subprocess.run(line, capture_output=True, check=False, timeout=20 * PATIENCE).returncode

    def start(self, *argv: str, namespace: str = "") -> subprocess.Popen[str]:
        """A command in the background."""
        line = self.argv(*argv, namespace=namespace)
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class AgentNode(Space):
    """A node of the underlay: Open vSwitch, a device with the VTEP address, and an agent.

    The device is ``underlay0`` itself; with ``overlay`` ovs in the netdev datapath it is ``br-phy``, a bridge that has
    ``underlay0`` in it, and there is no segmentation offload.
    """

    def __init__(self, host: str, vtep_ip: str, overlay: str = "auto") -> None:
        super().__init__()
        self.overlay = overlay
        self.vtep_device = "br-phy" if overlay == "ovs" else "underlay0"
        self.host = host
        self.vtep_ip = vtep_ip
        self.folder = Path(tempfile.mkdtemp(prefix=f"{host}-", dir="/run"))
        self.state = Path("/run/nebula-state")
        self.log = self.folder / "agent.log"
        self.mappings: tuple[str, ...] = ()
        self._agent: subprocess.Popen[bytes] | AgentFork | None = None
        self._passes: list[dict[str, str]] = []
        self._read_bytes = 0

    def start_ovs(self) -> None:
        """ovsdb-server and ovs-vswitchd, and what carries the VTEP address."""
        self.run("ovsdb-tool", "create", "/run/ovs.db", _SCHEMA)
        self.start_database()
        offload = "true" if DATAPATH == "netdev" and self.overlay != "ovs" else "false"
        setting = f"other_config:userspace-tso-enable={offload}"
        self.run("ovs-vsctl", "--no-wait", "--", "init", "--", "set", "open_vswitch", ".", setting)
        self.start_vswitchd()
        if DATAPATH == "netdev":
            self.run("ethtool", "-K", "underlay0", "tx", "off")  # what a network card does: whole frames leave
        if self.overlay == "ovs":
            bridge = ("set", "bridge", "br-phy", "datapath_type=netdev", "fail_mode=standalone")
            self.run("ovs-vsctl", "add-br", "br-phy", "--", *bridge, "--", "add-port", "br-phy", "underlay0")
        self.set_vtep()

    def start_database(self) -> None:
        """Also again after a kill."""
        log = "--log-file=/run/ovs.log"
        self.run("ovsdb-server", "/run/ovs.db", "--remote=punix:/run/openvswitch/db.sock", "--pidfile", "--detach", log)

    def start_vswitchd(self) -> None:
        """Also again after a kill."""
        remote = "unix:/run/openvswitch/db.sock"
        self.run("ovs-vswitchd", remote, "--pidfile", "--detach", "--log-file=/run/vswitchd.log")

    def set_vtep(self) -> None:
        """The underlay's address; a userspace bridge's device is made anew with each ovs-vswitchd."""
        self.run("ip", "address", "replace", f"{self.vtep_ip}/24", "dev", self.vtep_device)
        self.run("ip", "link", "set", self.vtep_device, "up")

    def kill_vswitchd(self) -> None:
        """kill -9."""
        os.kill(int(self.run("cat", "/run/openvswitch/ovs-vswitchd.pid")), signal.SIGKILL)

    @property
    def flags(self) -> list[str]:
        """The agent's flags here."""
        flags = ["--host", self.host, "--vtep-ip", self.vtep_ip, "--state-dir", str(self.state)]
        flags += [
            "--overlay",
            self.overlay,
            "--datapath-type",
            DATAPATH,
            "--view-file",
            "/run/view.json",
            "--log-level",
            "debug",
        ]
        for mapping in self.mappings:
            flags += ["--bridge-mapping", mapping]
        return flags

    def show(self, view: NodeView) -> None:
        """Put the view where the agent reads it, by rename."""
        run = Path(f"/proc/{self.pid}/root/run")
        (run / "view.new").write_bytes(codec.encode(view))
        (run / "view.new").rename(run / "view.json")

    def agent_argv(self, *command: str, module: str = "nebula_agent.main") -> list[str]:
        """The command line of the agent in this node."""
        python = ["env", f"PYTHONPATH={SOURCES}:{ROOT / 'tests/netns'}", sys.executable, "-m", module]
        return self.argv(*python, *self.flags, *command)

    def start_agent(self) -> None:
        """Start the agent, in a fork; its log is appended to ``log``."""
        self._agent = AgentFork(self.pid, self.flags, self.log)

    def start_program(self, module: str = "nebula_agent.main", **environment: str) -> None:
        """Start the agent as a program of its own, as :meth:`start_agent` does otherwise."""
        with self.log.open("ab") as log:
            self._agent = subprocess.Popen(
                self.agent_argv(module=module), stdout=log, stderr=log, env={**os.environ, **environment}
            )

    def agent(self, *command: str) -> str:
        """Output of a sub-command."""
        return sh(*self.agent_argv(*command))

    @property
    def agent_pid(self) -> int:
        assert self._agent is not None
        return self._agent.pid

    def agent_ended(self) -> int | None:
        """The agent's exit code, or None while it runs."""
        assert self._agent is not None
        return self._agent.poll()

    def stop_agent(self, number: int = signal.SIGTERM) -> int:
        """Stop it and wait; its exit code."""
        assert self._agent is not None
        self._agent.send_signal(number)
        return self._agent.wait(10 * PATIENCE)

    def passes(self) -> list[dict[str, str]]:
        """The passes so far, from the log: fields by name."""
        if not self.log.exists() or self.log.stat().st_size < self._read_bytes:
            self._passes, self._read_bytes = [], 0
        if self.log.exists():
            with self.log.open("rb") as log:
                log.seek(self._read_bytes)
                new = log.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read_bytes += len(whole)
            found = [line.partition(" pass ")[2] for line in whole.decode(errors="replace").splitlines()]
            self._passes += [
                dict(item.split("=", 1) for item in text.split()) for text in found if text[:7] == "reason="
            ]
        return list(self._passes)

    def in_sync(self, revision: int, since: int = 0) -> bool:
        """True once the last pass was for the revision and left nothing to do."""
        passes = self.passes()[since:]
        return bool(passes) and passes[-1]["revision"] == str(revision) and passes[-1]["problems"] == "0"

    def wait_sync(self, revision: int, since: int = 0, timeout_s: float = 10.0) -> None:
        """Wait for :meth:`in_sync`; a failure shows the log."""
        end = time.monotonic() + timeout_s * PATIENCE
        while not self.in_sync(revision, since):
            assert time.monotonic() < end, f"{self.host} is not in sync:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02 if PATIENCE == 1 else 0.2)

    def changes(self, since: int) -> int:
        """How many changes all passes from number ``since`` on made."""
        return sum(int(item[name]) for item in self.passes()[since:] for name in ("added", "changed", "removed"))

    def objects(self) -> dict[str, Sequence[str]]:
        """What of ours is on the node, as the tools of the trade list it."""
        namespaces = [line.split()[0] for line in self.run("ip", "netns", "list").splitlines() if line]
        bridges = self.run("ovs-vsctl", "list-br").split()
        return {
            "namespaces": namespaces,
            "links": [line.split(": ")[1] for line in self.run("ip", "-o", "link").splitlines()],
            "bridges": bridges,
        }


def underlay(*nodes: AgentNode) -> None:
    """One segment that joins the nodes: a veth pair for two, a bridge of the sandbox for more."""
    sh("ip", "link", "add", "underlay", "type", "bridge")
    sh("ip", "link", "set", "underlay", "up")
    for number, node in enumerate(nodes):
        peer = ("peer", "name", "underlay0", "netns", str(node.pid))
        sh("ip", "link", "add", f"u{number}", "mtu", "1500", "type", "veth", *peer)
        sh("ip", "link", "set", f"u{number}", "master", "underlay", "up")
        node.run("ip", "link", "set", "underlay0", "up")


@contextlib.contextmanager
def two_nodes(overlay: str = "auto") -> Iterator[tuple[AgentNode, AgentNode]]:
    """``net1`` and ``compute1`` with Open vSwitch on one underlay; agents not started."""
    nodes = (AgentNode("net1", "10.0.0.1", overlay), AgentNode("compute1", "10.0.0.11", overlay))
    underlay(*nodes)
    for node in nodes:
        node.start_ovs()
    yield nodes
