"""Floating IPs and port forwardings with real packets: from the outside world and back."""

from __future__ import annotations

import re
import signal
import subprocess

import msgspec
import pytest
from agent_node import AgentNode, eventually, underlay
from agent_outside import GATEWAY, WEB, Capture, Outside, sources
from agent_views import GATEWAY_IP, NS2, QROUTER, VM2_IP, net1
from scapy.layers.l2 import ARP

from nebula.view.records import FloatingIpView, NodeView, PortForwardingView

pytestmark = pytest.mark.sandbox

FLOATING, OTHER = "203.0.113.77", "203.0.113.78"
FLOATING_ID, OTHER_ID = "d1e2f3a4-b5c6-4d7e-8f90-a1b2c3d4e5f6", "e2f3a4b5-c6d7-4e8f-90a1-b2c3d4e5f6a7"
_SERVER = """
import select, socket
ports = {ports}
listening = []
for port in ports:
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("", port)); s.listen()
    listening.append(s)
print("up", flush=True)
talking = {{}}
while True:
    for ready in select.select([*listening, *talking], [], [])[0]:
        if ready in listening:
            peer, address = ready.accept(); talking[peer] = (ready.getsockname()[1], address[0])
        elif (data := ready.recv(100)):
            ready.send(f"{{talking[ready][0]}} {{talking[ready][1]}}\\n".encode())
        else:
            del talking[ready]; ready.close()
"""
_CLIENT = """
import socket, sys
s = socket.create_connection(("{host}", {port}), 2); s.settimeout(1)
for line in sys.stdin:
    try:
        s.send(b"?"); print(s.recv(100).decode().strip(), flush=True)
    except OSError:
        print("silence", flush=True)
"""
_UDP_SERVER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 9000)); print("up", flush=True)
while True: s.sendto(*s.recvfrom(100))
"""
_UDP_CLIENT = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.1)
while True:
    try: s.sendto(b"?", ("{host}", {port})); s.recv(100); print("answered", flush=True); break
    except OSError: pass
"""


class Client:
    """One TCP connection."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self) -> str:
        """The server's port and whom it sees, or ``silence``, or '' where there is no connection."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("?\n")
        except BrokenPipeError:
            return ""
        return self._process.stdout.readline().strip()


def _client(space: Outside | AgentNode, host: str, port: int, namespace: str = "") -> Client:
    return Client(space.argv("python3", "-c", _CLIENT.format(host=host, port=port), namespace=namespace))


def _forward(number: int, outer: tuple[int, int], inner: tuple[int, int]) -> PortForwardingView:
    identity = f"{number:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
    return PortForwardingView(identity, OTHER_ID, OTHER, "tcp", *outer, VM2_IP, *inner)  # type: ignore[arg-type]


def _view(revision: int, *, floating: str | None = FLOATING, forwards: tuple[PortForwardingView, ...] = ()) -> NodeView:
    view = net1(revision)
    floats = (FloatingIpView(FLOATING_ID, floating, VM2_IP),) if floating else ()  # type: ignore[arg-type]
    router = msgspec.structs.replace(view.routers[0], floating_ips=floats, port_forwardings=forwards)
    return msgspec.structs.replace(view, routers=(router,))


def _started(view: NodeView) -> tuple[AgentNode, Outside]:
    node = AgentNode("net1", "10.0.0.1")
    underlay(node)
    outside = Outside(node)
    node.start_ovs()
    node.show(net1())
    node.start_agent()
    node.wait_sync(1)
    eventually(lambda: VM2_IP in node.run("ip", "-4", "address", namespace=NS2), "lease")
    _change(node, view)
    return node, outside


def _change(node: AgentNode, view: NodeView) -> None:
    since = len(node.passes())
    node.show(view)
    node.wait_sync(view.revision, since)


def _serve(node: AgentNode, *ports: int) -> None:
    server = node.start("python3", "-c", _SERVER.format(ports=ports), namespace=NS2)
    assert server.stdout is not None
    assert server.stdout.readline() == "up\n"


def test_a_floating_ip_works_both_ways() -> None:
    """The instance is reached at its public address, leaves with it, reaches itself by it, and the neighbours heard
    of the address by a gratuitous ARP; a restart of the agent writes nothing."""
    node, outside = _started(net1(2))
    capture = Capture(outside)
    _change(node, _view(3))
    announced = {frame[ARP].psrc for frame in capture.stop() if ARP in frame and frame[ARP].psrc == frame[ARP].pdst}
    assert announced == {FLOATING}
    _serve(node, 80)
    assert _client(outside, FLOATING, 80).ask() == f"80 {GATEWAY}"
    capture = Capture(outside)
    assert node.status("ping", "-c", "2", "-i", "0.1", "-W", "1", WEB, namespace=NS2) == 0
    assert sources(capture.stop()) - {GATEWAY} == {FLOATING}
    assert _client(node, FLOATING, 80, NS2).ask() == f"80 {GATEWAY_IP}"
    node.stop_agent()
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(3, since)
    assert (node.changes(since), "0 changes" in node.agent("plan")) == (0, True)


def test_a_removed_floating_ip_ends_its_connections() -> None:
    """Who is connected is cut off, whichever side began; nobody answers at the address any more."""
    node, outside = _started(_view(2))
    _serve(node, 80)
    client = _client(outside, FLOATING, 80)
    assert client.ask() == f"80 {GATEWAY}"
    assert node.status("ping", "-c", "1", "-W", "1", WEB, namespace=NS2) == 0
    _change(node, _view(3, floating=None))
    assert client.ask() == "silence"
    assert FLOATING not in node.run("cat", "/proc/net/nf_conntrack", namespace=QROUTER)
    assert FLOATING not in node.run("ip", "address", namespace=QROUTER)
    assert outside.status("ping", "-c", "1", "-W", "1", FLOATING) != 0


def test_killed_between_the_rules_and_the_connections() -> None:
    """An agent that dies when it has loaded the rules leaves those who are connected connected; the next one ends
    them, and no others, and one after it has nothing to do."""
    kept = _forward(1, (2222, 2222), (22, 22))
    node, outside = _started(_view(2, forwards=(kept,)))
    _serve(node, 22, 80)
    gone, stays = _client(outside, FLOATING, 80), _client(outside, OTHER, 2222)
    assert (gone.ask(), stays.ask()) == (f"80 {GATEWAY}", f"22 {GATEWAY}")
    node.stop_agent(signal.SIGKILL)
    without = f"iptables-save | grep -v -e ' {FLOATING}' -e 'to-source {FLOATING} ' | iptables-restore"
    node.run("sh", "-c", without, namespace=QROUTER)  # all that it did
    assert (gone.ask(), stays.ask()) == (f"80 {GATEWAY}", f"22 {GATEWAY}")
    node.show(_view(3, floating=None, forwards=(kept,)))
    for changed in (True, False):
        since = len(node.passes())
        node.start_agent()
        node.wait_sync(3, since)
        assert (node.changes(since) > 0, gone.ask(), stays.ask()) == (changed, "silence", f"22 {GATEWAY}")
        node.stop_agent()


def test_a_new_translation_takes_who_is_there_already() -> None:
    """Who has been sending to a public port before it was forwarded, on one socket, gets through once it is; a ping
    to the outside goes on, translated, when the router begins to translate."""
    plain = msgspec.structs.replace(_view(2, floating=None).routers[0].gateway, enable_snat=False)  # type: ignore[arg-type]

    def view(revision: int, *ports: int, snat: bool = True) -> NodeView:
        forwards = [msgspec.structs.replace(_forward(p, (p, p), (9000, 9000)), protocol="udp") for p in (1, *ports)]
        whole = _view(revision, floating=None, forwards=tuple(forwards))
        if snat:
            return whole
        return msgspec.structs.replace(whole, routers=(msgspec.structs.replace(whole.routers[0], gateway=plain),))

    node, outside = _started(view(2, snat=False))
    server = node.start("python3", "-c", _UDP_SERVER, namespace=NS2)
    assert server.stdout is not None
    assert server.stdout.readline() == "up\n"
    talker = outside.start("python3", "-c", _UDP_CLIENT.format(host=OTHER, port=53))
    ping = node.start("ping", "-i", "0.1", "-W", "1", WEB, namespace=NS2)
    assert talker.stdout is not None
    assert ping.stdout is not None

    def known() -> str:
        return node.run("cat", "/proc/net/nf_conntrack", namespace=QROUTER)

    eventually(lambda: {OTHER, WEB} <= set(re.findall(r"dst=(\S+)", known())), "conntrack knows both")
    _change(node, view(3, 53))
    assert talker.stdout.readline() == "answered\n"
    assert "bytes from" in next(line for line in ping.stdout if "icmp_seq" in line)


def test_port_forwardings_lead_to_their_ports() -> None:
    """One port, a range, a shifted range, and a range that ends in one port; a removed one is cut off, another on the
    same address is not."""
    one, shifted = _forward(1, (2222, 2222), (22, 22)), _forward(3, (8000, 8010), (9000, 9010))
    same, many = _forward(2, (5000, 5010), (5000, 5010)), _forward(4, (7000, 7010), (80, 80))
    node, outside = _started(_view(2, floating=None, forwards=(one, same, shifted, many)))
    _serve(node, 22, 80, 5007, 9003, 8003)
    clients = {port: _client(outside, OTHER, port) for port in (2222, 5007, 8003, 7009)}
    assert {port: client.ask() for port, client in clients.items()} == {
        port: f"{inner} {GATEWAY}" for port, inner in ((2222, 22), (5007, 5007), (8003, 9003), (7009, 80))
    }
    assert _client(outside, OTHER, 8011).ask() == ""
    assert _client(node, OTHER, 2222, NS2).ask() == f"22 {GATEWAY_IP}"
    _change(node, _view(3, floating=None, forwards=(one,)))
    assert {port: client.ask() for port, client in clients.items()} == {
        2222: f"22 {GATEWAY}",
        5007: "silence",
        8003: "silence",
        7009: "silence",
    }
    node.stop_agent()
    since = len(node.passes())
    node.start_agent()
    node.wait_sync(3, since)
    assert node.changes(since) == 0
