"""``nebulactl owner``: whose is it? Effects: HTTP through Api; prints."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from nebula.errors import NotFound
from nebulactl.api import NEBULA, Api, JsonObject, as_object, as_objects
from nebulactl.asking import ask
from nebulactl.invocation import api
from nebulactl.objects import Names
from nebulactl.options import lists
from nebulactl.output import Output
from nebulactl.render import Cell, cell


class _Things(click.Command):
    """A rule of iptables in one word (``"-A POSTROUTING ..."``) is a thing, no options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rules = [word for word in args if word.startswith("-") and " " in word]
        others = [word for word in args if word not in rules]
        return super().parse_args(ctx, [*others, "--", *rules] if rules else args)


def _complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from nebulactl.completion import things

    return [CompletionItem(thing) for thing in things(ctx) if thing.startswith(incomplete)]


@click.command(cls=_Things)
@click.argument("thing", nargs=-1, required=True, shell_complete=_complete)
@click.option("--node", "nodes", multiple=True, help="Only on this node; may be repeated.")
@lists
def owner(output: Output, thing: tuple[str, ...], nodes: tuple[str, ...]) -> None:
    """Which API object, call and user is behind this cookie, flow, rule, device, address, namespace, process or file?

    THING as the tools print it: a cookie or a whole line of ovs-ofctl dump-flows, a rule of iptables -S, a device
    or MAC address of ip link, an address, a namespace, a process's number, a path, a mark (nebula:port:...).

    \b
    Examples:
      nebulactl owner tap47e27c85-75
      nebulactl owner 0x4e0447e27c8575b8
      nebulactl owner qdhcp-88a84484-c874-4f6a-ac83-94cd132ec91f
      nebulactl owner "$(nebulactl lab exec net1 -- ovs-ofctl --names --no-stats dump-flows br-int | tail -1)"
    """
    cloud, text = api(), " ".join(thing)
    answers, whole = ask(cloud, "owner", nodes, thing=text)
    names, calls = Names(cloud), _Calls(cloud)
    rows: list[list[Cell]] = []
    for answer in answers:
        for item in as_objects(answer.get("items")):
            who = as_object(item.get("owner"))
            words = [str(answer.get("host")), str(item.get("kind")), str(item.get("name")), names.of(who)]
            rows.append([cell(word) for word in [*words, *calls.of(who)]])
        for item in as_objects(answer.get("foreign")):
            words = [str(answer.get("host")), str(item.get("kind")), str(item.get("name")), "not ours", "", "", ""]
            rows.append([cell(word) for word in words])
    if not rows:
        raise NotFound(f"Nothing on {'these nodes' if nodes else 'any node'} is known as {text!r}.")
    output.rows(["Node", "Kind", "Name", "Owner", "Call", "User", "Request ID"], rows)
    if not whole:
        raise SystemExit(1)


class _Calls:
    """The call that made an owner, each looked up once: its method and path, who made it, its id."""

    def __init__(self, cloud: Api) -> None:
        self._cloud = cloud
        self._known: dict[str, list[str]] = {}

    def of(self, who: JsonObject) -> list[str]:
        identity = str(who.get("id"))
        if identity not in self._known:
            found = as_objects(
                self._cloud.get(NEBULA, "/calls", {"object": [identity], "limit": ["1000"]}).get("calls")
            )
            made = found[-1] if found else {}
            call = f"{made['method']} {made['path']}" if made else ""
            self._known[identity] = [
                call,
                str(made.get("user_name") or made.get("user_id") or ""),
                str(made.get("id", "")),
            ]
        return self._known[identity]
