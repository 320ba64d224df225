"""``nebulactl trace``: the predicted way of a packet. Effects: HTTP through Api; prints."""

from __future__ import annotations

import json

import click

from nebulactl.api import NEBULA, JsonObject, as_object
from nebulactl.invocation import api
from nebulactl.nouns import INSTANCE, PORT, ROUTER, Noun
from nebulactl.options import offers
from nebulactl.tracing import tell

_PROTOCOLS = ("tcp", "udp", "icmp", "arp", "dhcp")
_UNKNOWN, _OTHERWISE = 4, 5
_CODES = {"reached": 0, "dropped": 3, "unanswered": 3, "unknown": _UNKNOWN}


def _next(typed: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Noun, ...]]:
    """What may follow FROM and these words."""
    if not typed:
        return ("dhcp",), (INSTANCE, PORT, ROUTER)
    return (_PROTOCOLS[:-1] if len(typed) == 1 and typed != ("dhcp",) else ()), ()


@click.command()
@click.argument("start", metavar="FROM", shell_complete=offers(lambda _typed: ((), (INSTANCE, PORT))))
@click.argument("words", nargs=-1, metavar="TO [tcp PORT|udp PORT|icmp|arp] | dhcp", shell_complete=offers(_next))
@click.option("-4", "ip_version", flag_value=4, type=int, help="By IPv4, where both are possible.")
@click.option("-6", "ip_version", flag_value=6, type=int, help="By IPv6.")
@click.option("--size", "size_bytes", type=int, metavar="BYTES", help="Of the IP packet, which may not be fragmented.")
@click.option("--wait", "wait_s", type=float, default=5.0, show_default=True, help="Seconds for each node's answer.")
@click.option("--live", is_flag=True, help="Send such a packet, and see where it comes by.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def trace(start: str, words: tuple[str, ...], *, live: bool, form: str, **more: float | None) -> None:
    """Which way does a packet take? Every route, rule, OpenFlow table and tunnel it meets, and the answer's way back.

    FROM is an instance, a port, or an address outside; TO an instance, a port, a router, a floating IP or any address.
    Where several bear a name, instance:NAME, port:NAME or router:NAME says which. Without a protocol it is ICMP echo.
    Each node says what its kernel and its Open vSwitch would do. With --live such a packet is sent, and listened for at
    every device on its way: the first difference between predicted and seen is told.

    Exit code 0: it arrives, and its answer does. 3: it is dropped, or its answer is. 4: not known, since a node does
    not answer. 5: with --live, another way was seen than the predicted one. 1: an error, 2: called wrongly.

    \b
    Examples:
      nebulactl trace web db tcp 80
      nebulactl trace web 198.51.100.10
      nebulactl trace 198.51.100.10 203.0.113.77 tcp 22
      nebulactl trace web dhcp --live
      nebulactl trace web db --size 1500 -f json
    """
    given: JsonObject = {name: value for name, value in more.items() if value is not None}
    body: JsonObject = {"from": start, "live": live, **_asked(list(words)), **given}
    found = as_object(api().post(NEBULA, "/traces", body))
    if form == "json":
        click.echo(json.dumps(found))
    else:
        tell(found)
    seen = found.get("live")
    code = _CODES.get(str(found.get("verdict")), 1)
    if isinstance(seen, dict) and not seen.get("agrees") and code != _UNKNOWN:
        code = _UNKNOWN if seen.get("gaps") else _OTHERWISE
    raise SystemExit(code)


def _asked(words: list[str]) -> JsonObject:
    """What follows FROM. Raises UsageError."""
    if words == ["dhcp"]:
        return {"protocol": "dhcp"}
    if not words:
        raise click.UsageError("Where to? Give TO, or 'dhcp'.")
    goal, rest = words[0], words[1:]
    if not rest:
        return {"to": goal}
    protocol = rest[0].lower()
    if protocol not in _PROTOCOLS:
        raise click.UsageError(f"{rest[0]!r} is none of {', '.join(_PROTOCOLS)}.")
    wants_port = protocol in ("tcp", "udp")
    if len(rest) != 1 + wants_port:
        raise click.UsageError(f"{protocol} {'needs one port' if wants_port else 'takes no more words'}.")
    if not wants_port:
        return {"to": goal, "protocol": protocol}
    if not (rest[1].isascii() and rest[1].isdigit() and 1 <= int(rest[1][:6]) <= 65535):
        raise click.UsageError(f"{rest[1]!r} is no port in 1..65535.")
    return {"to": goal, "protocol": protocol, "port": int(rest[1])}
