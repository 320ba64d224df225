"""Names for shell completion, from the cloud.

Effects: HTTP. Whatever fails, a completion prints nothing: the shell is in the middle of a line.
"""

from __future__ import annotations

import click

from nebula.errors import NebulaError
from nebulactl.find import list_resources
from nebulactl.invocation import Invocation
from nebulactl.nouns import Noun


def names(ctx: click.Context, noun: Noun) -> list[str]:
    """The names of all resources of this kind, or the id where one has no name."""
    root = ctx.find_root().params
    flags = {name.removeprefix("os_"): str(value) for name, value in root.items() if name.startswith("os_") and value}
    try:
        found = list_resources(Invocation(flags).api, noun)
    except NebulaError:
        return []
    return sorted(str(resource.get(noun.name_attribute) or resource.get("id")) for resource in found)
