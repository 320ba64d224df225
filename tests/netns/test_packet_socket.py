"""The agent's AF_PACKET socket on real devices: what it keeps of what crosses them, and what it says is lost."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_node import PATIENCE, Space, eventually, sh
from nebula_agent.edge import netns
from nebula_agent.edge.packets import LEAST_BUFFER_BYTES, Frame, PacketSocket
from nebula_agent.edge.pcap_filter import compile_filter

from nebula.errors import BadRequest, KernelRefused

pytestmark = pytest.mark.sandbox


@contextlib.contextmanager
def wire() -> Iterator[tuple[Space, int]]:
    """``near0`` here, ``far0`` in another namespace: that one, and a descriptor of it. No end speaks by itself."""
    far = Space()
    sh("ip", "link", "add", "near0", "type", "veth", "peer", "far0", "netns", str(far.pid))
    sh("ip", "link", "set", "near0", "addrgenmode", "none", "up", "address", "02:00:00:00:00:01")
    far.run("ip", "link", "set", "far0", "addrgenmode", "none", "up", "address", "02:00:00:00:00:02")
    sh("ip", "address", "add", "192.0.2.1/24", "dev", "near0")
    far.run("ip", "address", "add", "192.0.2.2/24", "dev", "far0")
    sh("ip", "neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "near0", "nud", "permanent")
    far.run("ip", "neighbour", "add", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "far0", "nud", "permanent")
    fd = os.open(f"/proc/{far.pid}/ns/net", os.O_RDONLY)
    yield far, fd
    os.close(fd)


def udp(payload: bytes, count: int = 1, port: int = 7000) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _number in range(count):
            sock.sendto(payload, ("192.0.2.2", port))


def _descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def gather(listening: PacketSocket, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    found: list[Frame] = []

    def reached() -> bool:
        listening.wait(0.1)
        found.extend(listening.read())
        return enough(found)

    eventually(reached, "the frames")
    return found


def test_both_directions_with_the_kernels_time() -> None:
    """In a namespace that the program does not live in: request and answer, whole, in order, timed by the kernel."""
    with wire() as (_far, fd):
        listening = PacketSocket("far0", fd)
        assert netns.identity_of_process(os.getpid()) == netns.home_identity()
        before = time.time_ns()
        sh("ping", "-c", "1", "-W", "2", "192.0.2.2")
        frames = gather(listening, lambda found: len(found) >= 2)
        assert [(frame.outgoing, frame.data[34]) for frame in frames] == [(False, 8), (True, 0)]
        assert [frame.length_bytes for frame in frames] == [len(frame.data) for frame in frames] == [98, 98]
        assert frames[0].data[:14].hex() == "0200000000020200000000010800"
        assert before <= frames[0].time_ns <= frames[1].time_ns <= time.time_ns()
        listening.count()
        assert (listening.seen, listening.dropped) == (2, 0)
        listening.close()


def test_the_kernel_filters_and_cuts() -> None:
    """Only what the filter names, and only its first bytes; how long it was is known."""
    with wire() as (_far, fd):
        listening = PacketSocket("far0", fd, compile_filter("udp port 7001", 60))
        sh("ping", "-c", "1", "-W", "2", "192.0.2.2")
        udp(b"x" * 500, port=7000)
        udp(b"y" * 500, port=7001)
        frames = gather(listening, lambda found: any(frame.data[42:43] == b"y" for frame in found))
        assert [(frame.length_bytes, len(frame.data)) for frame in frames] == [(542, 60)]
        listening.close()


def test_a_segment_left_uncut_is_kept_whole() -> None:
    """TCP hands 64 KiB at once to a veth pair: the frame that crosses it is not cut off."""
    with wire() as (far, fd):
        server = far.start("python3", "-c", "import socket; s = socket.create_server(('192.0.2.2', 7000)); "
                           "print('up', flush=True); c = s.accept()[0]\nwhile c.recv(1 << 20): pass")  # fmt: skip
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        listening = PacketSocket("far0", fd)
        with socket.create_connection(("192.0.2.2", 7000)) as sock:
            sock.sendall(b"z" * 1_000_000)
        frames = gather(listening, lambda found: sum(len(f.data) - 66 for f in found if not f.outgoing) >= 1_000_000)
        assert max(frame.length_bytes for frame in frames) > 30_000
        assert all(frame.length_bytes == len(frame.data) for frame in frames)
        listening.close()


def test_a_tag_stands_where_it_stood() -> None:
    """The kernel takes a VLAN tag out of a frame; it is put back."""
    with wire() as (_far, fd):
        listening = PacketSocket("far0", fd)
        frame = bytes.fromhex("0200000000020200000000018100200588b5") + b"tagged" + bytes(40)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("near0", 0))
            sock.send(frame)
        found = gather(listening, bool)
        assert [(item.data, item.length_bytes) for item in found] == [(frame, len(frame))]
        listening.close()


def test_what_finds_no_room_is_counted() -> None:
    """Nobody reads while much is sent: what is read afterwards and what was dropped is all that was sent."""
    with wire() as (_far, fd):
        listening = PacketSocket("far0", fd, compile_filter("udp", 2000), buffer_bytes=LEAST_BUFFER_BYTES)
        udp(b"x" * 1400, 1000)
        time.sleep(0.2 * PATIENCE)  # the last block is handed over
        kept = gather(listening, bool)
        while more := listening.read():
            kept += more
        listening.count()
        assert listening.seen == 1000
        assert listening.dropped > 0
        assert len(kept) + listening.dropped == 1000
        listening.close()


def test_a_device_that_goes_is_said_after_all_that_came_before() -> None:
    """The frames before are read first; then the error has the kernel's name."""
    with wire() as (far, fd):
        listening = PacketSocket("far0", fd)
        udp(b"last words")
        far.run("ip", "link", "delete", "far0")
        found: list[Frame] = []

        def gone() -> bool:
            listening.wait(0.1)
            try:
                found.extend(listening.read())
            except KernelRefused as error:
                return error.errno_name == "ENETDOWN"
            return False

        eventually(gone, "an error")
        assert [frame.data[42:] for frame in found if not frame.outgoing] == [b"last words"]
        listening.close()


def test_what_cannot_be_listened_on_is_refused() -> None:
    """A device that there is not, and one whose frames have no Ethernet header; nothing stays open."""
    with wire():
        before = _descriptors()
        with pytest.raises(KernelRefused, match="nosuch0: cannot listen: No such device"):
            PacketSocket("nosuch0")
        sh("ip", "tuntap", "add", "tun9", "mode", "tun")
        sh("ip", "link", "set", "tun9", "up")
        with pytest.raises(KernelRefused, match="tun9: its frames have no Ethernet header"):
            PacketSocket("tun9")
        assert _descriptors() == before


def test_a_filter_that_tcpdump_refuses() -> None:
    """tcpdump's words come back; what looks like an option or a shell's syntax is part of the filter."""
    with pytest.raises(BadRequest, match=r"filter 'hots 192\.0\.2\.1': can't parse filter expression: syntax error"):
        compile_filter("hots 192.0.2.1", 96)
    with pytest.raises(BadRequest, match="filter"):
        compile_filter("-w/run/written", 96)
    with pytest.raises(BadRequest, match="filter"):
        compile_filter("icmp; touch /run/written", 96)
    with pytest.raises(BadRequest, match="one line"):
        compile_filter("icmp\nor arp", 96)
    assert not Path("/run/written").exists()
