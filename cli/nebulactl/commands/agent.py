"""``nebulactl agent``: what runs on the nodes, and what it serves. Effects: HTTP through Api; prints."""

from __future__ import annotations

from collections.abc import Callable

import click

from nebula.errors import NotFound
from nebulactl.actions import add_delete, add_set, add_show
from nebulactl.api import JsonObject, as_objects
from nebulactl.find import find_id, item_path, list_resources, looks_like_id
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, ROUTER, titled
from nebulactl.options import Function, Given, Page, Setting, changes, lists, names_of, paged, settings
from nebulactl.output import Output
from nebulactl.pool_nouns import AGENT

_TYPES = {
    "dhcp": "DHCP agent",
    "l3": "L3 agent",
    "metadata": "Metadata agent",
    "open-vswitch": "Open vSwitch agent",
}


@click.group()
def agent() -> None:
    """Agents: what runs on the nodes, and whether it is alive. They appear when they first report."""


_HA_STATE = titled(HA_State="ha_state")


@agent.command("list")
@click.option("--network", help="Those that serve this network (name or id).", shell_complete=names_of(NETWORK_NOUN))
@click.option("--router", help="Those that serve this router (name or id).", shell_complete=names_of(ROUTER))
@click.option("--long", is_flag=True, help="With --router: more columns.")
@settings(
    Setting(
        flag="--agent-type",
        attribute="agent_type",
        type=click.Choice(list(_TYPES)),
        convert=lambda _api, value: _TYPES[value],
        help="Of this kind.",
    ),
    Setting(flag="--host", attribute="host", help="On this node."),
)
@paged
@lists
def list_agents(
    output: Output, given: Given, page: Page, *, network: str | None, router: str | None, long: bool
) -> None:
    """List agents.

    \b
    Examples:
      nebulactl agent list --host compute1
      nebulactl agent list --router nebula_router
    """
    if network is not None and router is not None:
        raise click.UsageError("Give one of --network and --router.")
    if network is None and router is None:
        output.resources(
            AGENT, list_resources(api(), AGENT, {**given.query, **page.query}, most=page.most), AGENT.columns
        )
        return
    if given.attributes:
        raise click.UsageError("--agent-type and --host choose among all agents, not with --network or --router.")
    if network is not None:
        path = f"{item_path(NETWORK_NOUN, find_id(api(), NETWORK_NOUN, network))}/dhcp-agents"
    else:
        path = f"{item_path(ROUTER, find_id(api(), ROUTER, str(router)))}/l3-agents"
    columns = AGENT.columns + (_HA_STATE if long and router is not None else ())
    output.resources(AGENT, as_objects(api().get(AGENT.service, path).get("agents")), columns)


add_show(agent, AGENT)
add_set(
    agent,
    AGENT,
    Setting(flag="--enable/--disable", attribute="admin_state_up", help="Whether anything new is placed there."),
    Setting(flag="--description", attribute="description", help="Description."),
)
add_delete(agent, AGENT)


@agent.group("add")
def add() -> None:
    """Have an agent serve a network or a router."""


@agent.group("remove")
def remove() -> None:
    """Have an agent no longer serve a network or a router."""


def _served(name: str, kind: str, collection: str) -> str:
    """The path of what an agent of this kind serves; the agent by id, or by the node that it runs on."""
    if looks_like_id(name):
        return f"{item_path(AGENT, name)}/{collection}"
    found = list_resources(api(), AGENT, {"host": [name], "agent_type": [_TYPES[kind]]})
    if len(found) != 1:
        raise NotFound(f"No {_TYPES[kind]} has the id or the host {name!r}.")
    return f"{item_path(AGENT, str(found[0].get('id')))}/{collection}"


def _of_kind(flag: str, kind: str) -> Callable[[Function], Function]:
    option: Callable[[Function], Function] = click.option(
        flag, is_flag=True, expose_value=False, help=f"A {kind}: no other takes it."
    )
    return option


@add.command("network")
@_of_kind("--dhcp", "DHCP agent")
@click.argument("agent_name", metavar="AGENT", shell_complete=names_of(AGENT))
@click.argument("network", shell_complete=names_of(NETWORK_NOUN))
@changes
def add_network(agent_name: str, network: str) -> None:
    """A DHCP agent (id or host) serves this network.

    \b
    Examples:
      nebulactl network agent add network --dhcp compute2 nebula_net
    """
    body: JsonObject = {"network_id": find_id(api(), NETWORK_NOUN, network)}
    api().post(AGENT.service, _served(agent_name, "dhcp", "dhcp-networks"), body)


@add.command("router")
@_of_kind("--l3", "L3 agent")
@click.argument("agent_name", metavar="AGENT", shell_complete=names_of(AGENT))
@click.argument("router", shell_complete=names_of(ROUTER))
@changes
def add_router(agent_name: str, router: str) -> None:
    """An L3 agent (id or host) serves this router."""
    api().post(AGENT.service, _served(agent_name, "l3", "l3-routers"), {"router_id": find_id(api(), ROUTER, router)})


@remove.command("network")
@_of_kind("--dhcp", "DHCP agent")
@click.argument("agent_name", metavar="AGENT", shell_complete=names_of(AGENT))
@click.argument("network", shell_complete=names_of(NETWORK_NOUN))
@changes
def remove_network(agent_name: str, network: str) -> None:
    """A DHCP agent (id or host) no longer serves this network."""
    network_id = find_id(api(), NETWORK_NOUN, network)
    api().delete(AGENT.service, f"{_served(agent_name, 'dhcp', 'dhcp-networks')}/{network_id}")


@remove.command("router")
@_of_kind("--l3", "L3 agent")
@click.argument("agent_name", metavar="AGENT", shell_complete=names_of(AGENT))
@click.argument("router", shell_complete=names_of(ROUTER))
@changes
def remove_router(agent_name: str, router: str) -> None:
    """An L3 agent (id or host) no longer serves this router."""
    router_id = find_id(api(), ROUTER, router)
    api().delete(AGENT.service, f"{_served(agent_name, 'l3', 'l3-routers')}/{router_id}")
