"""Netlink sockets: pipelined requests with one answer each, dumps, and events that only say "something changed".

Effects: the kernel's network configuration of the namespace that the socket was opened in. The messages are
made and read by :mod:`nebula_agent.edge.rtnl`. Not asynchronous: a request's answer is there when send returns.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType

from nebula.errors import KernelRefused
from nebula_agent.edge import netns
from nebula_agent.edge.rtnl import NLM_F_ACK, NLM_F_REQUEST, Message

_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=i")
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_DUMP_INTR = 0x10
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200
_NLMSGERR_ATTR_MSG = 1
_SOL_NETLINK = 270
_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 10, 11, 12
_BATCH = 64
"""Requests per send: the answers must fit into the receive buffer."""
_TIMEOUT_S = 10.0
_RECEIVE_BYTES = 1 << 18


def open_socket(namespace_fd: int | None, protocol: int, groups: int = 0) -> socket.socket:
    """A netlink socket in the namespace (None: the node's own), bound, member of the multicast groups' mask."""
    if namespace_fd is None:
        return _bound_socket(protocol, groups)
    with netns.inside(namespace_fd):
        return _bound_socket(protocol, groups)


def _bound_socket(protocol: int, groups: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    sock.bind((0, groups))
    return sock


class Netlink:
    """A request socket in one namespace. Keeps the namespace alive while it is open."""

    def __init__(self, namespace_fd: int | None = None, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = open_socket(namespace_fd, protocol)
        self._socket.settimeout(_TIMEOUT_S)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The descriptor: also good for interface ioctls in the same namespace."""
        return self._socket.fileno()

    def requests(self, messages: Sequence[Message], *, unit: int = 1) -> list[KernelRefused | None]:
        """Send all, return for each None or why the kernel refused it.

        The kernel works through one send within one system call: ``unit`` messages that follow each other are
        never split, so a kill does not come between them.
        """
        answers: list[KernelRefused | None] = []
        step = max(unit, _BATCH // unit * unit)
        for start in range(0, len(messages), step):
            answers += self._exchange(messages[start : start + step])
        return answers

    def _exchange(self, messages: Sequence[Message]) -> list[KernelRefused | None]:
        first = self._sequence + 1
        self._sequence += len(messages)
        data = bytearray()
        for number, message in enumerate(messages, start=first):
            length = _HEADER.size + len(message.body)
            data += _HEADER.pack(length, message.type, message.flags | NLM_F_REQUEST | NLM_F_ACK, number, 0)
            data += message.body + b"\0" * (-length % 4)
        self._socket.send(data)
        answers: dict[int, KernelRefused | None] = {}
        while len(answers) < len(messages):
            for kind, flags, number, body in self._receive():
                if kind == _NLMSG_ERROR and number >= first:
                    answers[number] = _refusal(flags, body)
        return [answers[first + index] for index in range(len(messages))]

    def dump(self, message: Message) -> list[bytes]:
        """The bodies of all answers, of a dump or of a request with ACK.

        Repeated when the kernel says that the dump was interrupted by a change.
        """
        for _attempt in range(8):
            bodies, interrupted = self._dump_once(message)
            if not interrupted:
                break
        return bodies

    def _dump_once(self, message: Message) -> tuple[list[bytes], bool]:
        self._sequence += 1
        length = _HEADER.size + len(message.body)
        header = _HEADER.pack(length, message.type, message.flags | NLM_F_REQUEST, self._sequence, 0)
        self._socket.send(header + message.body)
        bodies: list[bytes] = []
        interrupted = False
        while True:
            for kind, flags, number, body in self._receive():
                if number != self._sequence:
                    continue
                interrupted = interrupted or bool(flags & _NLM_F_DUMP_INTR)
                if kind == _NLMSG_DONE:
                    return bodies, interrupted
                if kind == _NLMSG_ERROR:
                    refused = _refusal(flags, body)
                    if refused is not None:
                        raise refused
                    return bodies, interrupted
                bodies.append(body)

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise KernelRefused("netlink: no answer from the kernel", "ETIMEDOUT") from error
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, flags, number, _port = _HEADER.unpack_from(data, offset)
            yield kind, flags, number, data[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3


def _refusal(flags: int, body: bytes) -> KernelRefused | None:
    code = -_ERROR.unpack_from(body)[0]
    if code == 0:
        return None
    text = os.strerror(code)
    if flags & _NLM_F_ACK_TLVS and flags & _NLM_F_CAPPED:
        detail = _extended(body[_ERROR.size + _HEADER.size :])
        text = f"{text} ({detail})" if detail else text
    return KernelRefused(text, errno.errorcode.get(code, str(code)))


def _extended(body: bytes) -> str:
    offset = 0
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if length < 4:
            return ""
        if kind & 0x3FFF == _NLMSGERR_ATTR_MSG:
            return body[offset + 4 : offset + length].rstrip(b"\0").decode("utf-8", "replace")
        offset += (length + 3) & ~3
    return ""


class Events:
    """A non-blocking event socket. What the events say is not read: they only mark dirty.

    ``family``: only events whose bodies begin with it count (neighbours come and go all the time, FDB entries do not).
    """

    def __init__(
        self, namespace_fd: int | None, groups: int, protocol: int = socket.NETLINK_ROUTE, family: int | None = None
    ) -> None:
        self._family = family
        self._socket = open_socket(namespace_fd, protocol, groups)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Read all that waits; True when there was something (or when so much came that some was lost)."""
        found = False
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                data = b""
            lost = len(data) <= _HEADER.size
            found = found or lost or self._family is None or data[_HEADER.size] == self._family

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
