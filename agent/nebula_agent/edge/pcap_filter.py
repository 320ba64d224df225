"""Capture filters as people write them (pcap-filter(7)), compiled by libpcap.

Effects: runs tcpdump, which captures nothing. ``host NAME`` asks the node's resolver, as in tcpdump.
"""

from __future__ import annotations

from nebula.capture.bpf import Program, everything, parse
from nebula.errors import BadRequest, CommandFailed
from nebula_agent.edge.run import run

MOST_CHARACTERS = 4096
_TIMEOUT_S = 5.0


def compile_filter(expression: str, snaplen_bytes: int) -> Program:
    """The program for Ethernet frames that keeps ``snaplen_bytes`` of what matches; an empty expression matches all.

    Raises BadRequest with tcpdump's words for what tcpdump refuses, CommandFailed where there is no tcpdump.
    """
    expression = expression.strip()
    if not expression:
        return everything(snaplen_bytes)
    if len(expression) > MOST_CHARACTERS or not expression.isprintable():
        raise BadRequest(f"a filter is one line of at most {MOST_CHARACTERS} characters")
    argv = ["tcpdump", "-y", "EN10MB", "-s", str(snaplen_bytes), "-ddd", "--", expression]
    try:
        return parse(run(argv, timeout_s=_TIMEOUT_S))
    except CommandFailed as error:
        if error.exit_code != 1:
            raise
        words = error.stderr.strip().removeprefix("tcpdump: ") or "it is refused"
        raise BadRequest(f"filter {expression!r}: {words}") from error
