"""A trace as text: node by node, what each looks at the packet and what it does. Effects: prints."""

from __future__ import annotations

import re

import click

from nebulactl.api import Json, JsonObject, as_object, as_objects

_WIDTH = 21
_MARK = re.compile(r' -m comment --comment "?nebula:[^" ]+"?')
_VERDICTS = {
    "reached": "REACHED",
    "dropped": "DROPPED",
    "unanswered": "THE ANSWER IS DROPPED",
    "unknown": "NOT KNOWN",
}


_SEEN_WIDTH = 15


def tell(found: JsonObject) -> None:
    """The whole document."""
    start, goal = as_object(found.get("start")), as_object(found.get("goal"))
    click.echo(f"{_end(start)} -> {_end(goal)}: {found.get('packet')}")
    live = bool(found.get("live"))
    _course(as_object(found.get("there")), live)
    if found.get("back"):
        back = as_object(found.get("back"))
        click.echo(f"\nThe answer: {_first_packet(back)}")
        _course(back, live)
    click.echo(f"\n{_verdict(found)}")
    if found.get("owner"):
        click.echo(f"  of {_owner(found.get('owner'))}")
    for item in as_objects(found.get("advice")):
        click.echo(f"  would help: {item.get('text')}")
        if item.get("command"):
            click.echo(f"      {item['command']}")
    if live:
        _live(as_object(found.get("live")))


def _live(live: JsonObject) -> None:
    """What a real packet did."""
    if live.get("refused"):
        click.echo(f"The real packet could not be sent: {live['refused']}")
    for item in as_objects(live.get("beside")):
        point = as_object(item.get("point"))
        words = [str(item.get("host")), str(point.get("place") or ""), str(point.get("device"))]
        click.echo(f"  also seen at {' '.join(word for word in words if word)}: {item.get('packet')}")
    for item in as_objects(live.get("errors")):
        click.echo(f"  told the sender, seen on {item.get('host')}: {item.get('packet')}")
    for gap in live["gaps"] if isinstance(live.get("gaps"), list) else []:  # type: ignore[union-attr]
        click.echo(f"  {gap}")
    if live.get("agrees"):
        click.echo("SEEN as predicted, at every point.")
    elif live.get("gaps"):
        click.echo("SEEN in part: what is missing is named above.")
    else:
        click.echo(f"SEEN OTHERWISE: {live.get('divergence') or live.get('refused')}")


def _end(end: JsonObject) -> str:
    name, address = str(end.get("name") or end.get("id") or ""), str(end.get("address") or "")
    kind = str(end.get("kind")).replace("_", " ")
    if kind == "dhcp":
        return "DHCP"
    if not name or name == address:
        return f"{kind} {address}" if kind != "address" else address
    return f"{kind} {name}" + (f" ({address})" if address not in ("", "0.0.0.0") else "")


def _verdict(found: JsonObject) -> str:
    verdict = str(found.get("verdict"))
    lost = found.get("back") if found.get("back") and verdict != "dropped" else found.get("there")
    host = str(as_object(lost).get("host") or "")
    where = f" on {host}" if host and verdict != "reached" else ""
    return f"{_VERDICTS.get(verdict, verdict)}{where}: {_plain(str(found.get('text')))}"


def _first_packet(course: JsonObject) -> str:
    steps = (step for leg in as_objects(course.get("legs")) for step in as_objects(leg.get("steps")))
    return next((str(step["packet"]) for step in steps if step.get("packet")), str(course.get("packet") or ""))


def _course(course: JsonObject, live: bool) -> None:
    packet = ""
    for leg in as_objects(course.get("legs")):
        click.echo(str(leg.get("host") or "outside"))
        place = None
        for step in as_objects(leg.get("steps")):
            here = str(step.get("place") or ("" if step.get("kind") == "conntrack" else "node"))
            if here and here != place:
                click.echo(f"  {here}")
                place = here
            _step(step, live)
            now = str(step.get("packet") or packet)
            if packet and now != packet:
                click.echo(f"    {'':<{_WIDTH}} {' ' * _SEEN_WIDTH * live}now {now}")
            packet = now


def _seen(step: JsonObject) -> str:
    """The column of what was seen."""
    if not step.get("seen"):
        return " " * _SEEN_WIDTH
    mark = as_object(step.get("seen"))
    if mark.get("state") == "seen":
        return f"seen {float(str(mark.get('after_ms'))):5.2f} ms".ljust(_SEEN_WIDTH)
    return {"missed": "NOT SEEN", "deaf": "not heard"}[str(mark.get("state"))].ljust(_SEEN_WIDTH)


def _step(step: JsonObject, live: bool) -> None:
    kind, name = str(step.get("kind")), str(step.get("name"))
    text, effect = _plain(str(step.get("text"))), str(step.get("effect") or "")
    name = {"conntrack": f"conntrack {name}".strip(), "fdb": f"fdb {name}", "neighbour": "neighbour"}.get(kind, name)
    said = text + (f" -> {effect}" if effect else "")
    whose = f"   [{_owner(step.get('owner'), short=True)}]" if step.get("owner") and kind != "route" else ""
    click.echo(f"    {name:<{_WIDTH}} {_seen(step) if live else ''}{said}{whose}")


def _plain(text: str) -> str:
    """A rule without our comment: whose it is stands beside it."""
    return _MARK.sub("", text)


def _owner(owner: Json, *, short: bool = False) -> str:
    found = as_object(owner)
    kind = str(found.get("kind")).replace("_", " ")
    name = str(found.get("name") or "")
    if short:
        return f"{kind} {name or str(found.get('id'))[:8]}"
    return f"{kind} {name} ({found.get('id')})" if name and name != found.get("id") else f"{kind} {found.get('id')}"
