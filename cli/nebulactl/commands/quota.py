"""``nebulactl quota``: how much a project may have of the network service. Effects: HTTP through Api; prints."""

from __future__ import annotations

import click

from nebulactl.api import NETWORK, JsonObject, as_object, as_objects
from nebulactl.find import find_id, list_resources
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


_LISTED = {
    **{"Floating IPs": "floatingip", "Networks": "network", "Ports": "port", "RBAC Policies": "rbac_policy"},
    **{"Router Routes": "", "Routers": "router", "Security Groups": "security_group"},
    **{"Security Group Rules": "security_group_rule", "Subnets": "subnet", "Subnet Pools": "subnetpool"},
}
"""The client's columns of a list; a limit of a router's routes is not known here, and it prints None."""


@quota.command("list")
@click.option("--network", is_flag=True, help="Of the network service: there are no others.")
@lists
def list_quotas(output: Output, network: bool) -> None:
    """List the projects that have other limits than the default.

    \b
    Examples:
      nebulactl quota list --network
    """
    del network
    defaults = as_object(api().get(NETWORK, f"{_path(None)}/default").get("quota"))
    projects = {project["id"] for project in list_resources(api(), PROJECT)}
    rows = []
    for limits in as_objects(api().get(NETWORK, "/quotas").get("quotas")):
        if limits["project_id"] in projects and any(limits.get(n) != defaults.get(n) for n in _LISTED.values()):
            rows.append([cell(limits["project_id"]), *(cell(limits.get(name)) for name in _LISTED.values())])
    output.rows(("Project ID", *_LISTED), rows)


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
@click.argument("project", required=False, shell_complete=names_of(PROJECT))
@click.option("--force/--no-force", "force", help="Also below what is in use, or not (default).")
@settings(*_LIMITS)
@changes
def set_quota(given: Given, project: str | None, force: bool) -> None:
    """Set a project's limits (default: your own).

    \b
    Examples:
      nebulactl quota set --networks 2 --ports 20 second
    """
    if not given.attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    checked: JsonObject = {"force": True} if force else {"check_limit": True}
    api().put(NETWORK, _path(project), {"quota": {**given.attributes, **checked}})


@quota.command("delete")
@click.argument("project", shell_complete=names_of(PROJECT))
@click.option("--network", is_flag=True, help="Of the network service: there are no others.")
@changes
def delete(project: str, network: bool) -> None:
    """Back to the defaults."""
    del network
    api().delete(NETWORK, _path(project))
