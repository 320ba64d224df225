"""The case study of Nebula Inc., step by step.

Effects: through Stage: calls of nebulactl, programs inside instances, captures on the lab's segments.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import msgspec

from nebula.capture.text import Packet
from nebula.errors import NebulaError
from nebula_lab import Lab
from nebula_lab.cloud import Cloud
from nebula_lab.demo import looks
from nebula_lab.demo.capture import Capture
from nebula_lab.demo.stage import Stage, look, wait_for
from nebula_lab.fabric import PROVIDER_GATEWAY, WEB_IP, underlay_ip

_CIDR = "192.168.50.0/24"
_PREFIX = "192.168.50."
_GATEWAY = "192.168.50.1"
_PROJECT = "second"
_READY_S = 30.0


class Instance(msgspec.Struct, frozen=True):
    """An instance of the story as the API and its own namespace describe it."""

    name: str
    node: str
    address: str
    mac: str


class Story:
    """What later steps know of earlier ones."""

    def __init__(self, lab: Lab, stage: Stage) -> None:
        self.lab = lab
        self.stage = stage
        self.cloud = Cloud(lab.endpoint, lab.credentials)
        self.vni = 0
        self.router_id = ""
        self.router_ip = ""
        self.instances: dict[str, Instance] = {}
        self._underlay = {node.name: underlay_ip(node) for node in lab.record.nodes}

    def network(self) -> None:
        """Step 2: network, subnet, router, gateway; what that made on net1."""
        stage = self.stage
        began_s = time.monotonic()
        network = _text(stage.nebulactl("network", "create", "nebula_net"))
        self.vni = int(network["provider:segmentation_id"])
        stage.nebulactl(
            *("subnet", "create", "nebula_subnet", "--network", "nebula_net"),
            *("--subnet-range", _CIDR, "--gateway", _GATEWAY),
        )
        self.router_id = _text(stage.nebulactl("router", "create", "nebula_router"))["id"]
        stage.nebulactl("router", "add", "subnet", "nebula_router", "nebula_subnet")
        stage.nebulactl("router", "set", "nebula_router", "--external-gateway", "public")
        ports = self._ports(f"device_id={self.router_id}")
        gateway = [port for port in ports if port["device_owner"] == "network:router_gateway"]
        self.router_ip = str(gateway[0]["ip"]) if gateway else ""
        stage.say(
            f"  nebula_net has VNI {self.vni} and MTU {network['mtu']}; the router's address outside: {self.router_ip}"
        )
        active = wait_for(lambda: self._all_active(f"device_id={self.router_id}"), _READY_S)
        stage.check("router wired on net1", active, "its ports are ACTIVE", began_s)
        looks.namespaces(stage, self.lab, "net1")
        looks.bridges(stage, self.lab, "net1")
        looks.processes(stage, self.lab, "net1", "dnsmasq")
        rules = looks.snat_rules(self.lab, "net1", self.router_id)
        stage.show(f"net1# ip netns exec qrouter-{self.router_id[:8]}... iptables -t nat -S POSTROUTING", rules)

    def two_instances(self) -> None:
        """Step 3: two instances on different nodes, with addresses by DHCP."""
        for name, node in (("web", "compute1"), ("db", "compute2")):
            began_s = time.monotonic()
            self.stage.nebulactl("instance", "create", name, "--network", "nebula_net", "--node", node)
            self._learn(name, node, None, began_s)
        for node in ("compute1", "compute2"):
            looks.namespaces(self.stage, self.lab, node)
        looks.processes(self.stage, self.lab, "compute1", "udhcpc")
        looks.bridges(self.stage, self.lab, "compute1")
        web, db = self.instances["web"], self.instances["db"]
        looks.flows(self.stage, self.lab, "compute1", "br-int", (web.mac, f"reg5=0x{self._key(web)}"))
        looks.flows(self.stage, self.lab, "compute1", "br-tun", (db.mac, f"tun_id={self.vni:#x}"))

    def east_west(self) -> None:
        """Step 4: ping and TCP between the two, while the underlay is captured."""
        stage, web, db = self.stage, self.instances["web"], self.instances["db"]
        self._serve("db", "db", None)
        with Capture(self.lab, "underlay") as heard:
            self._answers("ping east-west", "web", ["ping", "-c", "3", "-i", "0.2", "-W", "2", db.address])
            self._says("TCP east-west", "web", f"http://{db.address}:8080/", f"db sees {web.address}")
        stage.packets(f"captured on the underlay ({len(heard.packets)} packets):", heard.packets)
        began_s = time.monotonic()
        pair = {self._underlay[web.node], self._underlay[db.node]}
        carried = [packet for packet in heard.packets if packet.inner is not None and _talks(packet.inner, web, db)]
        ways = {(packet.source, packet.target) for packet in carried}
        right = all(packet.vni == self.vni and {packet.source, packet.target} == pair for packet in carried)
        stage.check(
            "VXLAN on the underlay",
            len(ways) == 2 and right,
            f"{len(carried)} packets, VNI {self.vni}, between {' and '.join(sorted(pair))}",
            began_s,
        )
        clear = [packet for packet in heard.packets if packet.inner is None and not _is_underlay_arp(packet)]
        stage.check("nothing in clear", bool(carried) and not clear, f"{len(clear)} packets without VXLAN", began_s)
        for packet in clear[:5]:
            stage.say(f"    in clear: {packet.line}")

    def north_south(self) -> None:
        """Step 5: the web server behind the provider network, while the provider segment is captured."""
        stage = self.stage
        with Capture(self.lab, "provider") as heard:
            self._answers("ping north-south", "web", ["ping", "-c", "2", "-i", "0.2", "-W", "2", PROVIDER_GATEWAY])
            self._says("web server sees the router", "web", f"http://{WEB_IP}/", self.router_ip)
        stage.packets(f"captured on the provider segment ({len(heard.packets)} packets):", heard.packets)
        began_s = time.monotonic()
        ours = [packet for packet in heard.packets if packet.text.startswith(("TCP", "ICMP", "UDP"))]
        out = [packet for packet in ours if packet.source == self.router_ip]
        leaked = [
            packet for packet in heard.packets if packet.source.startswith(_PREFIX) or packet.target.startswith(_PREFIX)
        ]
        stage.check("source is the router's", bool(out), f"{len(out)} packets from {self.router_ip}", began_s)
        stage.check("no private address outside", bool(out) and not leaked, f"{len(leaked)} with {_PREFIX}x", began_s)
        for packet in leaked[:5]:
            stage.say(f"    leaked: {packet.line}")

    def second_project(self) -> None:
        """Step 6: the same addresses again, in another project."""
        stage, web, db = self.stage, self.instances["web"], self.instances["db"]
        stage.nebulactl("project", "create", _PROJECT)
        stage.nebulactl("role", "add", "--project", _PROJECT, "--user", "admin", "admin")
        network = _text(stage.nebulactl("network", "create", "second_net", project=_PROJECT))
        second_vni = int(network["provider:segmentation_id"])
        stage.nebulactl(
            *("subnet", "create", "second_subnet", "--network", "second_net"),
            *("--subnet-range", _CIDR, "--gateway", _GATEWAY),
            project=_PROJECT,
        )
        for twin, name in ((web, "second_web"), (db, "second_db")):
            began_s = time.monotonic()
            stage.nebulactl(
                *("port", "create", f"{name}_port", "--network", "second_net"),
                *("--fixed-ip", f"ip-address={twin.address}"),
                project=_PROJECT,
            )
            words = ("instance", "create", name, "--port", f"{name}_port", "--node", twin.node)
            stage.nebulactl(*words, project=_PROJECT)
            self._learn(name, twin.node, _PROJECT, began_s)
        self._serve("second_db", "second_db", _PROJECT)
        url = f"http://{db.address}:8080/"
        with Capture(self.lab, "underlay") as heard:
            self._says("first project reaches its own", "web", url, f"db sees {web.address}")
            self._says("second project reaches its own", "second_web", url, f"second_db sees {web.address}", _PROJECT)
        pairs = [packet for packet in heard.packets if packet.inner is not None and _talks(packet.inner, web, db)]
        shown = [next(p for p in pairs if p.vni == vni) for vni in sorted({p.vni or 0 for p in pairs})]
        stage.packets("one packet of each network, with equal addresses inside:", shown)
        began_s = time.monotonic()
        seen = {packet.vni for packet in pairs}
        stage.check(
            "two networks on the wire", seen == {self.vni, second_vni}, f"VNIs {sorted(map(str, seen))}", began_s
        )
        for name, project, peer in (("web", None, "db"), ("second_web", _PROJECT, "second_db")):
            self._neighbour(name, project, self.instances[peer])
        self._silent("second project cannot reach nebula_router", "second_web", _GATEWAY)
        looks.namespaces(stage, self.lab, "compute1")

    def _learn(self, name: str, node: str, project: str | None, began_s: float) -> None:
        """Wait for the instance's own idea of its address, and compare it with the API's."""
        found: list[str] = []

        def has_address() -> bool:
            _code, out = self.stage.inside(
                name, "ip", "-4", "-o", "address", "show", "eth0", project=project, quiet=True
            )
            found[:] = [word.partition("/")[0] for word in out.split() if word.startswith(_PREFIX) and "/" in word]
            return bool(found)

        wait_for(has_address, _READY_S)
        ports = self._ports(f"device_id={self._instance_id(name)}")
        port = ports[0] if ports else {"ip": "", "mac_address": "", "id": ""}
        own = found[0] if found else "no address"
        self.instances[name] = Instance(name, node, str(port["ip"]), str(port["mac_address"]))
        self.stage.check(
            f"{name} has its address by DHCP", bool(port["ip"]) and own == port["ip"], f"{own} on {node}", began_s
        )

    def _serve(self, name: str, greeting: str, project: str | None) -> None:
        """Start a little web server in an instance and wait until it listens."""
        argv = [sys.executable, "-m", "nebula_lab.web", "0.0.0.0:8080", f"--greeting={greeting}"]
        self.stage.start_inside(name, *argv, project=project)
        netns = ("ip", "netns", "exec", f"instance-{self._instance_id(name)}")
        node = self.instances[name].node
        wait_for(lambda: ":8080" in "".join(look(self.lab, node, *netns, "ss", "-Hltn")), _READY_S)

    def _answers(self, check: str, name: str, argv: list[str]) -> None:
        began_s = time.monotonic()
        code, out = self.stage.inside(name, *argv)
        self.stage.check(check, code == 0 and " 0% packet loss" in out, _summary(out), began_s)

    def _says(self, check: str, name: str, url: str, wanted: str, project: str | None = None) -> None:
        began_s = time.monotonic()
        _code, out = self.stage.inside(name, "curl", "-sS", "--max-time", "8", url, project=project)
        self.stage.check(check, out.strip() == wanted, f"the answer is {out.strip()!r}", began_s)

    def _silent(self, check: str, name: str, address: str) -> None:
        began_s = time.monotonic()
        code, out = self.stage.inside(name, "ping", "-c", "2", "-i", "0.2", "-W", "1", address, project=_PROJECT)
        lost = "100% packet loss" in out
        self.stage.check(
            check, code != 0 and lost, f"{address} does not answer" if lost else out.strip()[-80:], began_s
        )

    def _neighbour(self, name: str, project: str | None, peer: Instance) -> None:
        """Whose MAC the instance has for the address that both projects use."""
        began_s = time.monotonic()
        _code, out = self.stage.inside(name, "ip", "neighbour", "show", peer.address, project=project)
        held = peer.mac in out
        detail = f"{peer.address} is {peer.mac} ({peer.name})" if held else out.strip()
        self.stage.check(f"{name} knows only {peer.name}", held, detail, began_s)

    def _ports(self, query: str) -> list[dict[str, object]]:
        """Ports with their first address as ``ip``."""
        found = self.cloud.request("GET", f"/network/v2.0/ports?{query}").get("ports")
        ports = [port for port in found if isinstance(port, dict)] if isinstance(found, list) else []
        for port in ports:
            addresses = port.get("fixed_ips")
            port["ip"] = addresses[0]["ip_address"] if isinstance(addresses, list) and addresses else ""
        return ports

    def _all_active(self, query: str) -> bool:
        ports = self._ports(query)
        return bool(ports) and all(port["status"] == "ACTIVE" for port in ports)

    def _instance_id(self, name: str) -> str:
        found = self.cloud.request("GET", f"/compute/v2.1/servers?all_tenants=1&name={name}").get("servers")
        servers = [server for server in found if isinstance(server, dict)] if isinstance(found, list) else []
        exact = [str(server["id"]) for server in servers if server.get("name") == name]
        if not exact:
            raise NebulaError(f"there is no instance {name}")
        return exact[0]

    def _key(self, instance: Instance) -> str:
        ports = self._ports(f"mac_address={instance.mac}")
        return str(ports[0]["id"])[:8].lstrip("0") if ports else "?"

    def steps(self) -> list[tuple[int, str, Callable[[], None]]]:
        """Everything after ``lab up``."""
        return [
            (2, "A network, a subnet, a router, a way out", self.network),
            (3, "Two instances on two nodes", self.two_instances),
            (4, "East-west: from one instance to the other", self.east_west),
            (5, "North-south: to the web server outside", self.north_south),
            (6, f"A second project with the same {_CIDR}", self.second_project),
        ]


def _summary(ping_output: str) -> str:
    """The line with the counts, or the last line where ping did not get that far."""
    lines = ping_output.strip().splitlines() or ["no output"]
    return next((line for line in lines if "received" in line), lines[-1])


def _text(answer: object) -> dict[str, str]:
    """A resource that nebulactl printed as JSON."""
    if not isinstance(answer, dict):
        raise NebulaError("nebulactl printed no resource")
    return {str(key): str(value) for key, value in answer.items()}


def _talks(packet: Packet, one: Instance, other: Instance) -> bool:
    """True for a packet between the two, ARP left out."""
    return {packet.source, packet.target} == {one.address, other.address} and not packet.text.startswith("ARP")


def _is_underlay_arp(packet: Packet) -> bool:
    return packet.text.startswith("ARP") and packet.target.startswith("10.201.0.")
