"""What ``tests.bench.node`` runs inside private namespaces: ``node_inside PORTS once|restart``; prints JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from nebula.ids import Host, InstanceId, NetworkId, PortId, SubnetId
from nebula.view import codec
from nebula.view.records import FixedIp, InstanceView, NetworkView, NodeView, PortView, SubnetView
from tests.bench.figures import pss_mib

AGENT = Path(sys.executable).parent / "nebula-agent"
NET, SUBNET = (
    NetworkId(str(uuid.uuid5(uuid.NAMESPACE_OID, "net"))),
    SubnetId(str(uuid.uuid5(uuid.NAMESPACE_OID, "sub"))),
)


def run(*argv: str, stdin: str | None = None) -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[:4]}: {done.stderr[:500]}")
    return done.stdout


def start_ovs(folder: Path) -> None:
    for place in ("/run/openvswitch", "/run/netns", "/run/nebula", "/var/lib/nebula"):
        Path(place).mkdir(parents=True, exist_ok=True)
    run("ip", "link", "set", "lo", "up")
    run("ovsdb-tool", "create", f"{folder}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
    log = f"--log-file={folder}/ovs.log"
    run("ovsdb-server", f"{folder}/conf.db", "--remote=punix:/run/openvswitch/db.sock", "--pidfile", "--detach", log)
    run("ovs-vsctl", "--no-wait", "init")
    run("ovs-vswitchd", "--pidfile", "--detach", log)
    run("ovs-vsctl", "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev")
    run("ip", "addr", "add", "10.201.0.2/24", "dev", "br-phy")
    run("ip", "link", "set", "br-phy", "up")


def view(count: int, revision: int) -> NodeView:
    """``count`` instances with one port each; addresses are set by hand, so that no DHCP client is counted."""
    instances, ports = [], []
    for number in range(count):
        port = PortId(str(uuid.uuid5(uuid.NAMESPACE_URL, f"port{number}")))
        name = InstanceId(str(uuid.uuid5(uuid.NAMESPACE_URL, f"instance{number}")))
        mac = f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}"
        address = f"10.1.{number >> 8}.{(number & 255)}"
        ports.append(PortView(port, NET, mac, (FixedIp(SUBNET, address),), "compute:nova", name))
        instances.append(InstanceView(name, f"vm{number}", "p", (port,)))
    subnet = SubnetView(SUBNET, "bench", "10.1.0.0/16", 4, None, False)
    network = NetworkView(NET, "bench", "p", "vxlan", 7, None, 1450, False, (subnet,))
    return NodeView(
        "0b0f2f5e-6d0a-4a58-9d3d-0a1b2c3d4e5f",
        revision,
        Host("bench"),
        (network,),
        tuple(sorted(ports, key=lambda item: item.id)),
        instances=tuple(sorted(instances, key=lambda item: item.id)),
    )


def floor(count: int) -> float:
    """The same objects by hand: namespaces, pairs, addresses of links up, ports of br-int, four flows a port."""
    lines, flows = [], []
    ports = [
        "ovs-vsctl",
        "add-br",
        "br-int",
        "--",
        "set",
        "bridge",
        "br-int",
        "datapath_type=netdev",
        "fail_mode=secure",
    ]
    for number in range(count):
        lines += [
            f"netns add floor{number}",
            f"link add tapfloor{number} mtu 1450 type veth peer name eth0 netns floor{number} mtu 1450 "
            f"address fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
            f"link set tapfloor{number} up",
        ]
        ports += [
            "--",
            "add-port",
            "br-int",
            f"tapfloor{number}",
            "tag=1",
            "--",
            "set",
            "interface",
            f"tapfloor{number}",
        ]
        ports += [f"external_ids:iface-id=floor{number}"]
        flows += [
            f"table=60,priority=100,in_port=tapfloor{number},"
            f"actions=set_field:{number + 1}->reg5,set_field:1->reg6,goto_table:71",
            f"table=73,priority=100,reg6=1,dl_dst=fa:16:3e:00:{number >> 8:02x}:{number & 255:02x},"
            f"actions=set_field:{number + 1}->reg5,goto_table:81",
            f"table=81,priority=100,reg5={number + 1},actions=output:tapfloor{number}",
        ]
    began = time.perf_counter()
    run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
    run("ip", "-all", "netns", "exec", "ip", "link", "set", "eth0", "up")
    run(*ports)
    run("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", "br-int", "-", stdin="\n".join(flows) + "\n")
    took_s = time.perf_counter() - began
    run("ovs-vsctl", "del-br", "br-int")
    run("ip", "-batch", "-", stdin="".join(f"netns del floor{number}\n" for number in range(count)))
    while "tapfloor" in run("ip", "-br", "link"):
        time.sleep(0.1)
    return took_s


class Agent:
    """The real agent on a view file; its log tells when a pass is done."""

    def __init__(self, folder: Path) -> None:
        """Start it on the view that is in force, an empty one at first."""
        self._view = folder / "view.json"
        if not self._view.exists():
            self._view.write_bytes(codec.encode(view(0, 1)))
        self.log = folder / f"agent-{time.monotonic_ns()}.log"
        argv = [str(AGENT), "--host", "bench", "--view-file", str(self._view), "--vtep-ip", "10.201.0.2"]
        argv += ["--datapath-type", "netdev"]
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(argv, stderr=stream, stdout=stream)
        self.wait(1)

    def show(self, new: NodeView) -> float:
        """Put a new view in place; seconds until the pass for it is done."""
        before = len(self.passes())
        spare = self._view.with_name("next.json")
        spare.write_bytes(codec.encode(new))
        began = time.perf_counter()
        spare.rename(self._view)
        self.process.send_signal(1)
        self.wait(before + 1)
        return time.perf_counter() - began

    def passes(self) -> list[dict[str, str]]:
        lines = [line for line in self.log.read_text().splitlines() if " pass " in line]
        return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in lines]

    def wait(self, count: int) -> dict[str, str]:
        """The ``count``-th pass."""
        end = time.monotonic() + 200
        while len(self.passes()) < count:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(self.log.read_text()[-3000:])
            time.sleep(0.005)
        return self.passes()[count - 1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


def node_folder() -> Path:
    """This node's folder, with Open vSwitch running."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    folder = Path(tempfile.mkdtemp(dir="/run"))
    start_ovs(folder)
    run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/nebula")
    return folder


def main(count: int, restart: bool) -> dict[str, float]:
    folder = node_folder()
    figures = {"floor_s": floor(count)}
    agent = Agent(folder)
    show = agent.show
    figures["agent_s"] = show(view(count, 2))
    dump = run("ovs-ofctl", "-O", "OpenFlow14", "dump-flows", "br-int").count("cookie=0x4e")
    dump += run("ovs-ofctl", "-O", "OpenFlow14", "dump-flows", "br-tun").count("cookie=0x4e")
    figures["flows_per_port"] = dump / count
    figures["one_more_ms"] = show(view(count + 1, 3)) * 1000
    figures["agent_mib"] = pss_mib(agent.process.pid)
    if restart:
        names = [item.id for item in view(2, 0).instances]
        for number, name in enumerate(names, start=1):
            run("ip", "-n", f"instance-{name}", "addr", "add", f"10.1.250.{number}/16", "dev", "eth0")
        ping = subprocess.Popen(
            ["ip", "netns", "exec", f"instance-{names[0]}", "ping", "-q", "-i", "0.01", "-c", "400", "10.1.250.2"],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.5)
        agent.stop()
        began = time.perf_counter()
        agent = Agent(folder)
        done = agent.wait(1)
        figures["restart_s"] = time.perf_counter() - began
        figures["restart_changes"] = float(done["added"]) + float(done["changed"]) + float(done["removed"])
        summary = ping.communicate(timeout=60)[0]
        sent, received = map(int, re.findall(r"(\d+) packets transmitted, (\d+) received", summary)[0])
        figures["restart_lost"] = sent - received
    agent.stop()
    return figures


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2] == "restart")))
