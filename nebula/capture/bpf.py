"""Filters as the kernel runs them: classic BPF, in the form that ``tcpdump -ddd`` prints (bpf(4), linux/filter.h).

Pure. libpcap compiles what a person writes; here is only what must happen to the program afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_INSTRUCTIONS = 4096
"""BPF_MAXINSNS: the kernel takes no longer program."""

_RET_K = 0x06
_CLASS, _LD, _LDX = 0x07, 0x00, 0x01
_MODE, _ABS, _IND, _MSH = 0xE0, 0x20, 0x40, 0xA0
_LDB_ABS, _LDH_ABS, _LD_ABS, _RSH, _JA, _JEQ, _JSET = 0x30, 0x28, 0x20, 0x74, 0x05, 0x15, 0x45
_NEGATIVE = 0x8000_0000
"""Loads from there up are the kernel's own facts (SKF_AD_OFF), no bytes of the frame."""
_VXLAN_PORT = 4789
_INSIDE_IPV4, _INSIDE_IPV6 = 14 + 20 + 8 + 8, 14 + 40 + 8 + 8
"""Where the frame in a VXLAN packet begins (RFC 7348), behind an IP header without options, which tunnels send."""


class Instruction(NamedTuple):
    """``struct sock_filter``."""

    code: int
    jt: int
    jf: int
    k: int


Program = tuple[Instruction, ...]


def everything(snaplen_bytes: int) -> Program:
    """The program that takes the first bytes of every frame."""
    return (Instruction(_RET_K, 0, 0, snaplen_bytes),)


def parse(text: str) -> Program:
    """The output of ``tcpdump -ddd``: how many instructions, then one a line in decimal. Raises ValueError."""
    count, *lines = text.split("\n")
    program = tuple(Instruction(*map(int, line.split())) for line in lines if line.strip())
    if len(program) != int(count):
        raise ValueError(f"{len(program)} instructions instead of {count}")
    return program


def either(first: Program, second: Program) -> Program:
    """What one of the two takes. Raises ValueError where that is longer than the kernel takes."""
    return _checked(_leaving(first, rejecting=True) + second)


def both(first: Program, second: Program) -> Program:
    """What both take, cut as the second says. Raises ValueError where that is longer than the kernel takes."""
    return _checked(_leaving(first, rejecting=False) + second)


def neither(program: Program, snaplen_bytes: int) -> Program:
    """What the program refuses."""
    return _leaving(program, rejecting=True, other=0) + everything(snaplen_bytes)


def inside_vxlan(program: Program) -> Program:
    """What takes a VXLAN packet when the program would take the frame in it."""
    over_ipv4 = both(_vxlan(ipv6=False, vnis=None), _moved(program, _INSIDE_IPV4))
    over_ipv6 = both(_vxlan(ipv6=True, vnis=None), _moved(program, _INSIDE_IPV6))
    return either(over_ipv4, over_ipv6)


def vxlan_of(vnis: tuple[int, ...] | None) -> Program:
    """What takes the VXLAN packets of these networks alone (None: of all), whole."""
    return either(_vxlan(ipv6=False, vnis=vnis), _vxlan(ipv6=True, vnis=vnis))


def _vxlan(*, ipv6: bool, vnis: tuple[int, ...] | None) -> Program:
    """UDP to VXLAN's port behind a plain IP header, no later fragment; then the VNI (24 bits and a reserved byte)."""
    ip = 14 + (40 if ipv6 else 20)
    expected: list[tuple[int, int, int]] = [(_LDH_ABS, 12, 0x86DD if ipv6 else 0x0800)]
    expected += [(_LDB_ABS, 20, 17)] if ipv6 else [(_LDB_ABS, 14, 0x45), (_LDB_ABS, 23, 17)]
    expected += [(_LDH_ABS, ip + 2, _VXLAN_PORT)]
    program: list[Instruction] = []
    for load, offset, value in expected:
        program += [Instruction(load, 0, 0, offset), Instruction(_JEQ, 1, 0, value), Instruction(_RET_K, 0, 0, 0)]
    if not ipv6:
        program += [Instruction(_LDH_ABS, 0, 0, 20), Instruction(_JSET, 0, 1, 0x1FFF), Instruction(_RET_K, 0, 0, 0)]
    take = everything(0x0004_0000)
    if vnis is None:
        return _checked(tuple(program) + take)
    program += [Instruction(_LD_ABS, 0, 0, ip + 12), Instruction(_RSH, 0, 0, 8)]
    for vni in vnis:
        program += [Instruction(_JEQ, 0, 1, vni), *take]
    return _checked((*program, Instruction(_RET_K, 0, 0, 0)))


def _moved(program: Program, offset_bytes: int) -> Program:
    """The program for frames that begin ``offset_bytes`` later. ``len`` stays the length of the whole."""

    def moved(item: Instruction) -> Instruction:
        reads = item.code & _CLASS in (_LD, _LDX) and item.code & _MODE in (_ABS, _IND, _MSH)
        return item._replace(k=item.k + offset_bytes) if reads and item.k < _NEGATIVE else item

    return tuple(moved(item) for item in program)


def _leaving(program: Program, *, rejecting: bool, other: int | None = None) -> Program:
    """Where the program refuses (``rejecting``) or takes, it goes on behind its end instead.

    ``other``: what it returns elsewhere.
    """
    found = []
    for at, item in enumerate(program):
        if item.code != _RET_K:
            found.append(item)
        elif (item.k == 0) is rejecting:
            found.append(Instruction(_JA, 0, 0, len(program) - at - 1))
        else:
            found.append(item if other is None else item._replace(k=other))
    return tuple(found)


def _checked(program: Program) -> Program:
    if len(program) > MOST_INSTRUCTIONS:
        raise ValueError(f"the filter has {len(program)} instructions, and the kernel takes {MOST_INSTRUCTIONS}")
    return program
