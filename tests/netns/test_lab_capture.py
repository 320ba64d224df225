"""``nebulactl capture`` in a lab, as an ordinary user: real packets at all points of their way, in files that stock
tshark reads; and every way in which a capture ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from tests.netns.agent_node import PATIENCE
from tests.netns.user_lab import NODES, UserLab

_NEBULACTL = (sys.executable, "-m", "nebulactl")
_MAKE = (
    "network create n",
    "subnet create s --network n --subnet-range 192.168.50.0/24",
    "router create r",
    "router add subnet r s",
    "router set r --external-gateway public",
    "instance create web --network n --node compute1",
    "instance create db --network n --node compute2",
)
_SECOND_PROJECT = (
    "project create second",
    "role add --project second --user admin admin",
    "user create bob --project second --password bobs-secret",
    "role add --project second --user bob member",
    "--os-project-name second network create m",
    "--os-project-name second subnet create t --network m --subnet-range 192.168.50.0/24",
    "--os-project-name second instance create theirs1 --network m --node compute1",
    "--os-project-name second instance create theirs2 --network m --node compute2",
)
_BOB = ("--os-username", "bob", "--os-password", "bobs-secret", "--os-project-name", "second")


class _Lab(UserLab):
    """With what ``_MAKE`` makes, and a folder for files."""

    def __init__(self) -> None:
        super().__init__("captured", _MAKE)
        try:
            for instance in ("web", "db"):
                self.has_address(instance)
        except BaseException:
            self.close()
            raise

    def make_second_project(self) -> None:
        self.make(_SECOND_PROJECT)
        for instance in ("theirs1", "theirs2"):
            self.has_address(instance, ("--os-project-name", "second"))

    @cached_property
    def files(self) -> Path:
        return Path(self.machine.call("mktemp", "-d", user=True).stdout.strip())

    def argv(self, *words: str) -> tuple[str, ...]:
        return (*_NEBULACTL, *words)

    def ping(self, instance: str, address: str) -> None:
        self.good("instance", "exec", instance, "--", "ping", "-c", "1", "-W", "3", address)

    def begin(self, *words: str, caller: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A capture that listens when this returns."""
        line = self.argv(*caller, "capture", *words)
        process = self.machine.start(*line, user=True, env=self.variables)
        assert process.stderr is not None
        said = ""
        while "capturing at" not in said:
            line_said = process.stderr.readline()
            assert line_said, said
            said += line_said
        return process

    def signal(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        """To the program itself: on a private machine it is a child of what entered there."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]) if self.machine.private else process.pid, number)

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Ctrl-C; what has passed by then is delivered."""
        self.signal(process, signal.SIGINT)
        out, error = process.communicate(timeout=20 * PATIENCE)
        return process.returncode, out, error

    def rings(self) -> int:
        """How many rings of packets the agents hold in memory."""
        script = "grep -c socket: /proc/$(cat /run/nebula/agent.pid)/maps || true"
        return sum(int(self.good("lab", "exec", node, "--", "sh", "-c", script)) for node in NODES)

    def leaves_nothing(self) -> None:
        """All rings are given back."""
        end = time.monotonic() + 30
        while rings := self.rings():
            assert time.monotonic() < end, f"{rings} rings are left"
            time.sleep(0.2)

    def tshark(self, path: str, *fields: str, keep: str = "") -> list[list[str]]:
        """The fields of each packet, as stock tshark reads them."""
        argv = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|"]
        argv += [word for field in fields for word in ("-e", field)] + (["-Y", keep] if keep else [])
        ended = self.machine.call(*argv, user=True)
        assert ended.returncode == 0, ended.stderr
        return [line.split("|") for line in ended.stdout.splitlines()]

    def close(self) -> None:
        if "files" in self.__dict__:
            self.machine.call("rm", "-rf", str(self.files), user=True)
        super().close()


@pytest.fixture(scope="module")
def lab() -> Iterator[_Lab]:
    made = _Lab()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def file(lab: _Lab, request: pytest.FixtureRequest) -> str:
    return str(lab.files / f"{request.node.name}.pcapng")


def test_one_packet_at_all_points_of_its_way(lab: _Lab, file: str) -> None:
    """The first segment of a connection through the router: five points, one number, the VNI, and what NAT made of it;
    the answer the other way round. Of the second connection: an emulated switch first needs its time to make flows.
    """
    process = lab.begin("path", "web", "198.51.100.10", "-w", file, "--filter", "tcp port 80")
    for _connection in range(2):
        get = ("curl", "-sS", "-m30", "http://198.51.100.10/")
        assert lab.good("instance", "exec", "web", "--", *get).startswith("203.")
    code, _out, error = lab.end(process)
    assert (code, " captured, 0 dropped by the kernel" in error) == (0, True), error
    fields = ("frame.interface_name", "frame.packet_id", "frame.comment", "ip.src", "tcp.srcport")
    first = lab.tshark(file, *fields, keep="tcp.flags.syn==1 && tcp.flags.ack==0")[-5:]
    assert [line[0] for line in first] == [
        "compute1: web eth0", "compute1: underlay", "net1: underlay", "net1: r qr n", "net1: r qg"
    ]  # fmt: skip
    assert len({line[1] for line in first}) == 1
    inside, outside = (f"{line[3].rpartition(',')[2]}:{line[4]} > 198.51.100.10:80" for line in (first[0], first[4]))
    assert outside.startswith("203.0.113.")
    number = first[0][1]
    assert [line[2] for line in first] == [
        f"packet {number}, hop 1 of 5, after NAT {outside}",
        f"packet {number}, hop 2 of 5, VNI 1, after NAT {outside}",
        f"packet {number}, hop 3 of 5, VNI 1, after NAT {outside}",
        f"packet {number}, hop 4 of 5, after NAT {outside}",
        f"packet {number}, hop 5 of 5, before NAT {inside}",
    ]
    back = lab.tshark(file, *fields, keep="tcp.flags.syn==1 && tcp.flags.ack==1")[-5:]
    assert [line[0] for line in back] == [line[0] for line in reversed(first)]
    assert back[0][2].endswith(f"hop 1 of 5, after NAT 198.51.100.10:80 > {inside.partition(' ')[0]}")


def test_a_filter_speaks_of_the_packet_in_the_tunnel(lab: _Lab) -> None:
    """East-west, live, as documents: both directions at all four points, and nothing but what the filter names."""
    process = lab.begin("network", "n", "-f", "json", "--filter", "icmp and host 192.168.50.4")
    lab.ping("web", "192.168.50.4")
    _code, out, _error = lab.end(process)
    found = [json.loads(line) for line in out.splitlines()]
    request = [item["point"] for item in found if "echo request" in item["text"]]
    assert request == ["compute1: web eth0", "compute1: underlay", "compute2: underlay", "compute2: db eth0"]
    assert [item["vni"] for item in found] == [None, 1, 1, None] * 2


_SENDS = "import os, socket; socket.create_server(('', 9)).accept()[0].sendall(os.urandom(40_000))"
_RECEIVES = """
import socket, time
while True:
    try:
        connection = socket.create_connection(('192.168.50.4', 9))
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
print(sum(len(part) for part in iter(lambda: connection.recv(65536), b'')))
"""


def test_a_long_segment_is_cut_for_the_underlay(lab: _Lab, file: str) -> None:
    """What the sender's kernel hands down whole crosses the tunnel in parts that say which packet they were."""
    process = lab.begin("path", "db", "web", "-w", file, "--filter", "tcp port 9")
    argv = lab.argv("instance", "exec", "db", "--", sys.executable, "-c", _SENDS)
    sending = lab.machine.start(*argv, user=True, env=lab.variables)
    assert lab.good("instance", "exec", "web", "--", sys.executable, "-c", _RECEIVES).strip() == "40000"
    sending.communicate(timeout=20)
    assert lab.end(process)[0] == 0
    found = lab.tshark(file, "frame.interface_name", "frame.packet_id", "frame.comment", "tcp.len")
    long = {number for name, number, _comment, size in found if name == "compute2: db eth0" and int(size) > 1500}
    parts = [comment for name, _, comment, _ in found if name == "compute2: underlay" and "cut from" in comment]
    assert long
    assert len(parts) > len(long)
    assert {part.partition("cut from packet ")[2].partition(",")[0] for part in parts} <= long


def test_another_project_sees_its_own_packets_only(lab: _Lab) -> None:
    """Equal addresses in both; on the underlay Bob gets his VNI's; the other's instance he does not find."""
    lab.make_second_project()
    process = lab.begin("underlay", "-f", "json", caller=_BOB)
    lab.ping("web", "192.168.50.4")
    lab.good("--os-project-name", "second", "instance", "exec", "theirs1", "--", "ping", "-c1", "-W3", "192.168.50.4")
    _code, out, _error = lab.end(process)
    found = [json.loads(line) for line in out.splitlines()]
    assert {item["vni"] for item in found} == {2}
    assert sum("echo" in item["text"] for item in found) == 4
    code, _out, error = lab.call(*_BOB, "capture", "web")
    assert (code, "has the name or id 'web'" in error) == (1, True)


def test_what_is_refused_begins_nothing(lab: _Lab, file: str) -> None:
    """A filter with tcpdump's words; no file, no socket."""
    code, _out, error = lab.call("capture", "network", "n", "underlay", "-w", file, "--filter", "hots 10.0.0.1")
    assert (code, "filter 'hots 10.0.0.1': can't parse filter expression: syntax error" in error) == (1, True)
    assert lab.machine.call("test", "-e", file, user=True).returncode == 1
    lab.leaves_nothing()


def test_two_at_once_and_ctrl_c(lab: _Lab, file: str) -> None:
    """Each gets all; both files are whole; nothing is left on the nodes."""
    processes = [lab.begin("path", "web", "db", "-w", f"{file}.{number}", "--filter", "icmp") for number in (1, 2)]
    assert lab.rings() == 8
    lab.ping("web", "192.168.50.4")
    for number, process in enumerate(processes, 1):
        code, _out, error = lab.end(process)
        assert (code, "8 packets captured, 0 dropped by the kernel" in error) == (0, True), error
        assert len(lab.tshark(f"{file}.{number}", "frame.number")) == 8
    lab.leaves_nothing()


def test_into_a_pipe(lab: _Lab) -> None:
    """As Wireshark reads it, while it comes; and when the reader goes, it ends before another packet does."""
    words = " ".join(lab.argv("capture", "path", "web", "db", "-w", "-", "--filter", "icmp"))
    env = lab.variables
    reading = lab.machine.start("sh", "-c", f"{words} -c 8 | tshark -n -r - -T fields -e icmp.type", user=True, env=env)
    assert reading.stderr is not None
    while "capturing at" not in (line := reading.stderr.readline()):
        assert line
    lab.ping("web", "192.168.50.4")
    out, error = reading.communicate(timeout=20)
    assert out.split() == ["8"] * 4 + ["0"] * 4, error
    leaving = lab.machine.call("sh", "-c", f"{words} | head -c 100 | wc -c", user=True, env=env, timeout_s=20)
    assert leaving.stdout.strip() == "100"
    lab.leaves_nothing()


def test_a_full_disk(lab: _Lab) -> None:
    """The file ends with its last whole packet; the reason and the exit code say so."""
    if not lab.machine.private:
        pytest.skip("a small file system needs root")
    small = lab.files / "small"
    lab.machine.run("mkdir", str(small))
    lab.machine.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "small", str(small))
    process = lab.begin("path", "web", "db", "-w", f"{small}/x.pcapng", "--filter", "icmp")
    lab.good("instance", "exec", "web", "--", "ping", "-q", "-c100", "-i0.002", "-s1400", "192.168.50.4")
    _out, error = process.communicate(timeout=20)
    assert (process.returncode, f"{small}/x.pcapng: No space left on device" in error) == (1, True), error
    assert 20 < len(lab.tshark(f"{small}/x.pcapng", "frame.comment")) < 100
    lab.machine.run("umount", str(small))


def test_who_goes_away_leaves_nothing(lab: _Lab, file: str) -> None:
    """An asker that is killed, and one that reads no more: the nodes end by themselves."""
    killed, stopped = lab.begin("underlay", "-w", file), lab.begin("underlay", "-w", f"{file}.2")
    lab.signal(killed, signal.SIGKILL)
    lab.signal(stopped, signal.SIGSTOP)
    lab.leaves_nothing()
    stopped.send_signal(signal.SIGCONT)  # nsenter stops and goes on with its child
    _out, error = stopped.communicate(timeout=20)
    killed.communicate(timeout=20)
    assert "the controller has ended the capture" in error
    assert lab.tshark(f"{file}.2", "frame.number") == []


def test_an_idle_lab_is_silent_everywhere(lab: _Lab) -> None:
    """All points of all networks: no router solicitation, MLD, LLDP or ARP of our making.

    What the tests before made the kernel learn it confirms once, some seconds later (arp(7)).
    """
    lab.make_second_project()
    points = ("network", "n", "network", "m", "router", "r", "underlay")
    for _attempt in range(4):
        if not (heard := lab.good("capture", *points, "-a", "duration:7")):
            break
    assert heard == ""


def test_a_node_that_goes_down(lab: _Lab, file: str) -> None:
    """The rest is delivered, the gap is named on the terminal and in the file; so too when the controller goes."""
    process = lab.begin("path", "web", "db", "-w", file, "--filter", "icmp")
    lab.ping("web", "192.168.50.4")
    time.sleep(0.5)  # on their way
    lab.good("lab", "exec", "compute2", "--", "sh", "-c", "kill -9 $(cat /run/nebula/agent.pid)")
    assert process.stderr is not None
    assert "node compute2 is gone: nothing has come from the node for 3 s" in process.stderr.readline()
    lab.ping("web", "192.168.50.4")
    assert lab.end(process)[0] == 1
    names = [name for (name,) in lab.tshark(file, "frame.interface_name")]
    assert (names.count("compute1: web eth0"), names.count("compute2: db eth0")) == (4, 2)
    lab.good("lab", "up")


def test_the_controller_goes(lab: _Lab, file: str) -> None:
    """What has come is in the file; the nodes keep no socket."""
    process = lab.begin("path", "web", "db", "-w", file, "--filter", "icmp")
    lab.ping("web", "192.168.50.4")
    time.sleep(1)
    rows = json.loads(lab.good("lab", "status", "-f", "json"))
    pid = next(row["Processes"]["controller"] for row in rows if "controller" in row["Processes"])
    lab.machine.run("kill", "-9", str(pid))
    _out, error = process.communicate(timeout=20)
    assert process.returncode == 1, error
    assert len(lab.tshark(file, "frame.number")) == 8, (
        error,
        lab.tshark(file, "frame.interface_name", "frame.comment"),
    )
    lab.good("lab", "up")
    lab.leaves_nothing()
