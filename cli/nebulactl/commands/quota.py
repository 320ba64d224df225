"""``nebulactl quota``: how much a project may have of the network service. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import NETWORK, JsonObject, as_object
from nebulactl.find import find_id
from nebulactl.invocation import api
from nebulactl.nouns import PROJECT
from nebulactl.options import Given, Setting, changes, lists, names_of, settings
from nebulactl.output import Output
from nebulactl.render import Cell, cell

_TITLES = (
    *(("address_group", "address_group"), ("floatingip", "floating_ips"), ("network", "networks")),
    *(("port", "ports"), ("rbac_policy", "rbac_policies"), ("router", "routers"), ("subnet", "subnets")),
    *(("subnetpool", "subnet_pools"), ("security_group_rule", "security_group_rules")),
    ("security_group", "security_groups"),
)
"""The API's name of each resource, and the client's; in its order."""
_FLAGS = {"security_groups": "secgroups", "security_group_rules": "secgroup-rules", "subnet_pools": "subnetpools"}
_LIMITS = tuple(
    Setting(
        flag=f"--{_FLAGS.get(title, title).replace('_', '-')}",
        attribute=name,
        type=click.INT,
        help=f"At most so many {title.replace('_', ' ')}; -1: any.",
    )
    for name, title in _TITLES
    if name != "address_group"
)


@click.group()
def quota() -> None:
    """Quotas: how many networks, ports... a project may have."""


def _path(project: str | None) -> str:
    return f"/quotas/{find_id(api(), PROJECT, project) if project else api().grant.project_id}"


@quota.command("show")
@click.argument("project", required=False, shell_complete=names_of(PROJECT))
@click.option("--network", is_flag=True, help="Of the network service: there are no others.")
@click.option("--usage", is_flag=True, help="With what is in use.")
@click.option("--default", "defaults", is_flag=True, help="What applies where nothing is set.")
@lists
def show(output: Output, project: str | None, network: bool, usage: bool, defaults: bool) -> None:
    """Show a project's quotas (default: your own).

    \b
    Examples:
      nebulactl quota show --usage second
    """
    del network
    if usage and defaults:
        raise click.UsageError("Give one of --usage and --default.")
    path = _path(project) + ("/details" if usage else "/default" if defaults else "")
    limits = as_object(api().get(NETWORK, path).get("quota"))
    titles = ("Resource", "Limit", "In Use", "Reserved") if usage else ("Resource", "Limit")
    output.rows(titles, [[cell(title), *_limit(limits, name, usage)] for name, title in _TITLES if name in limits])


def _limit(limits: JsonObject, name: str, usage: bool) -> list[Cell]:
    if not usage:
        return [cell(limits[name])]
    found = as_object(limits[name])
    return [cell(found.get(key)) for key in ("limit", "used", "reserved")]


@quota.command("set")
@click.argument("project", shell_complete=names_of(PROJECT))
@click.option("--force/--no-force", "force", default=None, help="Also below what is in use, or not.")
@settings(*_LIMITS)
@changes
def set_quota(given: Given, project: str, force: bool | None) -> None:
    """Set a project's limits.

    \b
    Examples:
      nebulactl quota set --networks 2 --ports 20 second
    """
    if not given.attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    checked: JsonObject = {} if force is None else {"force": True} if force else {"check_limit": True}
    api().put(NETWORK, _path(project), {"quota": {**given.attributes, **checked}})


@quota.command("delete")
@click.argument("project", shell_complete=names_of(PROJECT))
@click.option("--network", is_flag=True, help="Of the network service: there are no others.")
@changes
def delete(project: str, network: bool) -> None:
    """Back to the defaults."""
    del network
    api().delete(NETWORK, _path(project))
