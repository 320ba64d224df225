"""A real ovs-vswitchd with the dummy datapath, for any user: bridges and flows as compiled, traces of packets.

Effects: two daemons of its own under a folder of its own; nothing of the machine's network is touched.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from nebula.compile.pipeline.tables import table_names
from nebula.desired.kinds import Bridge, BridgePort, Flow
from nebula.desired.openflow import flow_line
from nebula.desired.state import NodeState
from nebula.ids import BR_TUN

UNDERLAY = "br-phy"
WIRE = "wire"
"""The port of the underlay bridge that all tunnels leave by."""
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_PATH = f"/usr/sbin:/sbin:{os.environ['PATH']}"


class DummyOvs:
    """Context: the daemons run inside it. ``folder`` must be short (a socket's path has at most 107 bytes).

    With ``override`` every datapath and port type but ``patch`` is a dummy, whatever is asked for; without, tunnel
    ports are real ones and traces show the packet that leaves.
    """

    def __init__(self, folder: Path, *, override: bool = False) -> None:
        self.folder = folder
        self._children: list[subprocess.Popen[bytes]] = []
        self._dummy = "--enable-dummy=override" if override else "--enable-dummy"
        self._environment = {**os.environ, "PATH": _PATH, "OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder)}

    def __enter__(self) -> DummyOvs:
        folder = self.folder
        try:
            self.run("ovsdb-tool", "create", f"{folder}/conf.db", _SCHEMA)
            self._start("ovsdb-server", f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock")
            self.vsctl("--no-wait", "init")
            self._start("ovs-vswitchd", f"unix:{folder}/db.sock", self._dummy, "--disable-system")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self, program: str, *arguments: str) -> None:
        """Started when its control socket is there. A child, not a daemon: its end can be waited for."""
        control = self.folder / f"{program}.ctl"
        argv = (program, *arguments, f"--unixctl={control}", f"--log-file={self.folder}/{program}.log", "-vconsole:off")
        self._children.append(subprocess.Popen(argv, env=self._environment, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + 20
        while not control.exists():
            assert self._children[-1].poll() is None and time.monotonic() < deadline, f"{program} does not start"
            time.sleep(0.005)

    def _end(self) -> None:
        for child in reversed(self._children):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def run(self, *argv: str, stdin: str = "") -> str:
        """Output of a program; fails with its error text."""
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, env=self._environment, timeout=30, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def vsctl(self, *arguments: str) -> str:
        return self.run("ovs-vsctl", f"--db=unix:{self.folder}/db.sock", *arguments)

    def appctl(self, *arguments: str) -> str:
        return self.run("ovs-appctl", "-t", f"{self.folder}/ovs-vswitchd.ctl", *arguments)

    def ofctl(self, command: str, bridge: str, *arguments: str, stdin: str = "") -> str:
        target = f"unix:{self.folder}/{bridge}.mgmt"
        options = ("-O", "OpenFlow14", "--names", "--no-stats", "--bundle")
        return self.run("ovs-ofctl", *options, command, target, *arguments, stdin=stdin)

    def build(self, state: NodeState, *, plugged: Sequence[str] = (), named_tables: bool = True) -> None:
        """Bridges and ports of the state, then its flows. ``plugged`` are devices of others on br-int."""
        arguments: list[str] = []
        for item in state.values():
            if isinstance(item, Bridge):
                arguments += ["--", "--may-exist", "add-br", item.name, "--", "set", "Bridge", item.name]
                arguments += ["datapath_type=dummy", "fail_mode=secure"]
        for port in [item for item in state.values() if isinstance(item, BridgePort)]:
            arguments += ["--", "add-port", port.bridge, port.name, "--", "set", "Interface", port.name]
            # OVS takes a tunnel's own address only from the kernel's local routes, which a dummy bridge has not.
            options = [f"options:{key}={value}" for key, value in port.options if key != "local_ip"]
            arguments += [f"type={port.type or 'dummy'}", *options]
        for device in plugged:
            arguments += ["--", "add-port", "br-int", device, "--", "set", "Interface", device, "type=dummy"]
        self.vsctl(*arguments[1:])
        if named_tables:
            self.name_tables(item.name for item in state.values() if isinstance(item, Bridge))
        self.load(state)

    def name_tables(self, bridges: Iterable[str]) -> None:
        """Give the tables their names, as the agent does."""
        for bridge in bridges:
            for number, name in table_names(bridge).items():
                create = ("--", f"--id=@t{number}", "create", "Flow_Table", f"name={name}")
                self.vsctl(*create[1:], "--", "set", "Bridge", bridge, f"flow_tables:{number}=@t{number}")

    def load(self, state: NodeState) -> None:
        """Replace the flows of each bridge by those of the state."""
        for bridge in [item.name for item in state.values() if isinstance(item, Bridge)]:
            flows = [item for item in state.values() if isinstance(item, Flow) and item.bridge == bridge]
            self.ofctl("replace-flows", bridge, "-", stdin="".join(f"{flow_line(flow)}\n" for flow in flows))

    def dump(self, bridge: str) -> str:
        return self.ofctl("dump-flows", bridge)

    def underlay(self, address: str, peers: Iterable[str]) -> None:
        """A bridge with the node's tunnel address, and the neighbours known, so that tunnels have a way."""
        wire = ("add-port", UNDERLAY, WIRE, "--", "set", "Interface", WIRE, "type=dummy")
        self.vsctl("add-br", UNDERLAY, "--", "set", "Bridge", UNDERLAY, "datapath_type=dummy", "--", *wire)
        self.appctl("netdev-dummy/ip4addr", UNDERLAY, f"{address}/24")
        self.appctl("ovs/route/add", f"{address}/24", UNDERLAY)
        for peer in peers:
            self.appctl("tnl/neigh/set", UNDERLAY, peer, f"aa:00:00:00:00:{int(peer.rsplit('.', 1)[1]):02x}")

    def trace(self, bridge: str, packet: str) -> tuple[str, ...]:
        """Where a packet (ovs-fields(7) text) ends: devices, and ``ADDRESS vni N`` for tunnels; sorted, () for none."""
        return ends(self.datapath_actions(bridge, packet))

    def datapath_actions(self, bridge: str, packet: str) -> str:
        """What the datapath would do with a packet, ports by name; ``drop`` for nothing."""
        text = self.appctl("ofproto/trace", "--names", bridge, packet)
        found = re.findall(r"^Datapath actions: (.*)$", text, re.MULTILINE)
        assert len(found) == 1, text
        return str(found[0])

    def ofport(self, name: str) -> str:
        return self.vsctl("get", "Interface", name, "ofport").strip()

    def from_tunnel(self, source: str, vni: int, packet: str, destination: str) -> tuple[str, ...]:
        """Trace of a packet out of a VXLAN header."""
        port = self.ofport("vxlan")
        return self.trace(BR_TUN, f"in_port={port},tun_src={source},tun_dst={destination},tun_id={vni},{packet}")


def ends(actions: str) -> tuple[str, ...]:
    """The outputs among datapath actions: every tunnel header that is pushed, and every port."""
    tunnels = re.findall(
        r"tnl_push\(.*?ipv4\(src=[^,]*,dst=([^,]*),.*?vni=(0x[0-9a-f]+)\)\),out_port\([^)]*\)\)", actions
    )
    rest = re.sub(r"tnl_push\(.*?out_port\([^)]*\)\)", "", actions)
    while "(" in rest:
        rest = re.sub(r"clone\(([^()]*)\)", r"\1", rest)
        rest = re.sub(r"(?!clone\b)\b\w+\([^()]*\)", "", rest)
    names = [name for name in rest.split(",") if name and name not in ("drop", "pop_vlan", WIRE)]
    return tuple(sorted([*names, *(f"{address} vni {int(vni, 16)}" for address, vni in tunnels)]))
