"""The frames that cross a device: an AF_PACKET socket with a ring in shared memory (TPACKET_V3, packet(7)).

Effects: a socket in a network namespace, which keeps that namespace alive until it is closed; it changes nothing on the
device. The kernel filters (classic BPF), cuts, and puts its own timestamps on the frames. One thread may use an object.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import select
import socket
import struct
import time

import msgspec

from nebula.capture.bpf import Program, everything
from nebula.errors import KernelRefused
from nebula_agent.edge import netns

_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION = 5, 6, 10
_TPACKET_V3 = 2
_SO_ATTACH_FILTER = 26
_ALL_PROTOCOLS = 0x0003
_ETHERNET, _LOOPBACK = 1, 772
"""Hardware types (ARPHRD) whose frames have Ethernet headers."""
_TO_KERNEL, _TO_USER = 0, 1
_VLAN_VALID = 1 << 4
_TPID_VALID = 1 << 6
_OUTGOING = 4
_BLOCK_BYTES = 128 * 1024
"""A block has room for the largest segment that is left uncut (64 KiB) and its header."""
_RETIRE_MS = 40
"""A block that is not full is handed over after so long: packets are late by no more."""
_BLOCK = struct.Struct("=8xIIII")  # struct tpacket_block_desc: status, count of frames, offset of the first, length
_FRAME = struct.Struct("=6I2H4xI2H8x10xB")  # struct tpacket3_hdr, and sll_pkttype of the sockaddr_ll behind it
_STATUS_AT = 8

LONGEST_BYTES = 262_144
"""tcpdump's default of how much of a frame is kept: all of it."""
LEAST_BUFFER_BYTES = 4 * _BLOCK_BYTES


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame, from its Ethernet header on; a VLAN tag stands where it stood.

    ``time_ns``: the node's clock, since 1970; ``length_bytes``: before it was cut; ``outgoing``: sent by this end.
    """

    time_ns: int
    length_bytes: int
    outgoing: bool
    data: bytes


class PacketSocket:
    """What crosses one device from now on, in both directions.

    ``namespace_fd``: where the device is, None for the node's own. ``program``: the filter (default: all of every
    frame). ``buffer_bytes``: of the ring; what does not fit is dropped and counted. Raises KernelRefused.
    """

    def __init__(
        self,
        device: str,
        namespace_fd: int | None = None,
        program: Program = (),
        *,
        buffer_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self.device = device
        self.seen = self.dropped = 0
        """Frames that the filter let through, and those of them that found no room: up to the last ``count``."""
        self._blocks = max(LEAST_BUFFER_BYTES, buffer_bytes) // _BLOCK_BYTES
        self._at = 0
        self._problem, self._drained_at_s = 0, 0.0
        try:
            with netns.inside(namespace_fd) if namespace_fd is not None else contextlib.nullcontext():
                # Protocol 0: it gets nothing before it is bound, so no frame goes round the filter.
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            try:
                self._ring = self._open(program or everything(LONGEST_BYTES))
            except BaseException:
                self._socket.close()
                raise
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "")
            raise KernelRefused(f"{device}: cannot listen: {error.strerror}", name) from error

    def _open(self, program: Program) -> mmap.mmap:
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        size = self._blocks * _BLOCK_BYTES
        request = struct.pack("=7I", _BLOCK_BYTES, self._blocks, _BLOCK_BYTES, self._blocks, _RETIRE_MS, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
        memory = ctypes.create_string_buffer(code, len(code))
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(memory))
        )
        ring = mmap.mmap(self._socket.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._socket.bind((self.device, _ALL_PROTOCOLS))
            kind = self._socket.getsockname()[3]
            if kind not in (_ETHERNET, _LOOPBACK):
                raise KernelRefused(f"{self.device}: its frames have no Ethernet header (hardware type {kind})")
        except BaseException:
            ring.close()
            raise
        return ring

    def fileno(self) -> int:
        """For poll: readable when ``read`` would find something, in error when the device has gone."""
        return self._socket.fileno()

    def wait(self, timeout_s: float) -> bool:
        """Until ``read`` would find something, or fail; False when the time is over."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(max(0.0, timeout_s) * 1000))

    def read(self, most_bytes: int = 1 << 20) -> list[Frame]:
        """The frames that wait, in order; about ``most_bytes`` of the ring at once. Never blocks.

        Raises KernelRefused (``ENETDOWN``) once the device has gone or is down and all that came before was read.
        """
        frames: list[Frame] = []
        ring, taken = self._ring, 0
        while taken < most_bytes:
            start = self._at * _BLOCK_BYTES
            status, count, first, used = _BLOCK.unpack_from(ring, start)
            if not status & _TO_USER:
                break
            self._take(start + first, count, frames)
            struct.pack_into("=I", ring, start + _STATUS_AT, _TO_KERNEL)
            self._at = (self._at + 1) % self._blocks
            taken += used
        if not frames:
            self._raise_once_drained()
        return frames

    def _raise_once_drained(self) -> None:
        """The error comes at once, the last block only when it is due."""
        problem = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self._problem, self._drained_at_s = problem, time.monotonic() + 3 * _RETIRE_MS / 1000
        if self._problem and time.monotonic() > self._drained_at_s:
            raise KernelRefused(f"{self.device}: is down or has gone", errno.errorcode.get(self._problem, ""))

    def _take(self, at: int, count: int, frames: list[Frame]) -> None:
        ring, unpack = self._ring, _FRAME.unpack_from
        for _number in range(count):
            following, seconds, nanoseconds, kept, length, status, mac, _net, tci, tpid, _, direction = unpack(ring, at)
            data = ring[at + mac : at + mac + kept]
            if status & _VLAN_VALID:  # the kernel has taken the tag out of the frame
                tag = struct.pack("!HH", tpid if status & _TPID_VALID else 0x8100, tci)
                data, length = data[:12] + tag + data[12:], length + 4
            frames.append(Frame(seconds * 1_000_000_000 + nanoseconds, length, direction == _OUTGOING, data))
            at += following

    def count(self) -> None:
        """Bring ``seen`` and ``dropped`` up to date (PACKET_STATISTICS)."""
        answer = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        seen, dropped, _frozen = struct.unpack("=3I", answer)
        self.seen += seen
        self.dropped += dropped

    def close(self) -> None:
        """Give the ring and the socket back. Again is no error."""
        self._ring.close()
        self._socket.close()
