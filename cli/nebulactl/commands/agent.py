"""``nebulactl agent``: what runs on the nodes. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_list, add_set, add_show
from nebulactl.nouns import AGENT
from nebulactl.options import Setting

_TYPES = {
    "dhcp": "DHCP agent",
    "l3": "L3 agent",
    "metadata": "Metadata agent",
    "open-vswitch": "Open vSwitch agent",
}


@click.group()
def agent() -> None:
    """Agents: what runs on the nodes, and whether it is alive. They appear when they first report."""


add_list(
    agent,
    AGENT,
    Setting(
        flag="--agent-type",
        attribute="agent_type",
        type=click.Choice(list(_TYPES)),
        convert=lambda _api, value: _TYPES[value],
        help="Of this kind.",
    ),
    Setting(flag="--host", attribute="host", help="On this node."),
    example="nebulactl agent list --host compute1",
)
add_show(agent, AGENT)
add_set(
    agent,
    AGENT,
    Setting(flag="--enable/--disable", attribute="admin_state_up", help="Whether anything new is placed there."),
    Setting(flag="--description", attribute="description", help="Description."),
)
add_delete(agent, AGENT)
