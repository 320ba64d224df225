"""Questions to the nodes through the controller. Effects: HTTP through Api; says on stderr who did not answer."""

from __future__ import annotations

import click

from nebulactl.api import NEBULA, Api, Json, JsonObject, as_objects

WAIT_S = 10.0


def ask(
    cloud: Api, question: str, nodes: tuple[str, ...] = (), *, wait_s: float = WAIT_S, **more: str
) -> tuple[list[JsonObject], bool]:
    """The nodes' answers; False where one is missing or could not answer, which is said on stderr."""
    body: JsonObject = {"ask": question, "wait_s": wait_s, **more}
    if nodes:
        body["hosts"] = [*nodes]
    found = cloud.post(NEBULA, "/questions", body)
    whole = True
    for word, reason in (("down", "is down"), ("silent", f"did not answer within {wait_s:g} s")):
        for host in _texts(found.get(word)):
            click.echo(f"nebulactl: node {host} {reason}; what is there is not known", err=True)
            whole = False
    answers = as_objects(found.get("answers"))
    for answer in answers:
        if answer.get("error"):
            click.echo(f"nebulactl: node {answer.get('host')}: {answer['error']}", err=True)
            whole = False
    return answers, whole


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
