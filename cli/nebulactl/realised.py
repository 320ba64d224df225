"""What the controller says of the nodes that acted on a call, for a person. Pure."""

from __future__ import annotations


def shown(realised: str) -> str:
    """The controller's ``X-Nebula-Realised`` for a person: ``net1 43 ms, compute1 61 ms (2 failed), n3 is down``."""
    if not realised.strip():
        return "no node had to change anything"
    return ", ".join(_node(part.strip()) for part in realised.split(","))


def _node(part: str) -> str:
    host, *facts = part.split(";")
    words = {"down": "is down", "waiting": "is not done yet"}
    values = [words.get(fact, fact) for fact in facts]
    values = [f"{value[3:]} ms" if value.startswith("ms=") else value for value in values]
    values = [f"({value[7:]} failed)" if value.startswith("failed=") else value for value in values]
    return " ".join([host, *values])
