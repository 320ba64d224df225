"""Write all frames of one interface to standard output as a pcap file, until interrupted.

Effects: one packet socket. Run as ``python -m nebula_lab.listen INTERFACE``; says "listening" on standard error once it
is. tcpdump would do, but it insists on changing its groups, which the user namespace of an ordinary user forbids.
"""

from __future__ import annotations

import signal
import socket
import struct
import sys
import time

_ALL_PROTOCOLS = 0x0003
"""ETH_P_ALL (linux/if_ether.h)."""
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
"""packet(7): without this a bridge shows only what is for itself."""
_LONGEST_BYTES = 65535
_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _LONGEST_BYTES, 1)


def main(interface: str) -> None:
    """Listen until SIGINT or SIGTERM."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as source:
        source.bind((interface, _ALL_PROTOCOLS))
        member = struct.pack("iHH8s", socket.if_nametoindex(interface), _PROMISCUOUS, 0, b"")
        source.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, member)
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        out = sys.stdout.buffer
        out.write(_HEADER)
        sys.stderr.write("listening\n")
        sys.stderr.flush()
        while True:
            frame = source.recv(_LONGEST_BYTES)
            seconds, rest = divmod(time.time_ns(), 1_000_000_000)
            out.write(struct.pack("<IIII", seconds, rest // 1000, len(frame), len(frame)) + frame)
            out.flush()


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    main(sys.argv[1])
