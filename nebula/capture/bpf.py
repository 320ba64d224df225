"""Filters as the kernel runs them: classic BPF, in the form that ``tcpdump -ddd`` prints (bpf(4), linux/filter.h).

Pure. libpcap compiles what a person writes; here is only what must happen to the program afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_INSTRUCTIONS = 4096
"""BPF_MAXINSNS: the kernel takes no longer program."""

_RET_K = 0x06


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
