"""``nebulactl project cleanup``: delete what a project has. Effects: HTTP through Api; asks on the terminal; prints.

What goes is found first, and listed, and then just that is deleted, in an order in which nothing is in use.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

import click
import msgspec

from nebula.errors import BadRequest, NebulaError
from nebulactl.api import Api, JsonObject, as_objects
from nebulactl.find import find_id, item_path, list_resources
from nebulactl.invocation import invocation
from nebulactl.nouns import INSTANCE, NETWORK_NOUN, PORT, PROJECT, ROUTER, SUBNET
from nebulactl.options import changes, lists, names_of
from nebulactl.output import Output
from nebulactl.render import Cell, cell
from nebulactl.security_nouns import FLOATING_IP, SECURITY_GROUP

_NOUNS = {
    "server": ("Server", INSTANCE),
    "floating_ip": ("FloatingIP", FLOATING_IP),
    "port": ("Port", PORT),
    "router": ("Router", ROUTER),
    "subnet": ("Subnet", SUBNET),
    "network": ("Network", NETWORK_NOUN),
    "security_group": ("SecurityGroup", SECURITY_GROUP),
}
"""The client's words for --skip-resource and in the table, in the order in which they go."""
_TOGETHER = {"network", "router", "port", "subnet"}
"""Networks go with what is on them; who keeps one of these kinds keeps networks."""
_INTERFACES = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
_DATE = click.DateTime(["%Y-%m-%dT%H:%M:%S"])
_FORM = "YYYY-MM-DDTHH:MM:SS"

Fits = Callable[[JsonObject], bool]
Found = dict[str, list[JsonObject]]


class _Project(msgspec.Struct, frozen=True):
    """What a project has, and what of it fits the options."""

    api: Api
    id: str
    fits: Fits
    skipped: frozenset[str]

    def found(self) -> Found:
        """What goes, by kind, in the order of ``_NOUNS``."""
        found: Found = {kind: [] for kind in _NOUNS}
        for kind in ("server", "floating_ip", "security_group"):
            if kind not in self.skipped:
                found[kind] = [item for item in self._all(kind) if self.fits(item) and not _is_default(kind, item)]
        routers, ports = self._all("router"), self._all("port")
        if not self.skipped & _TOGETHER:
            servers = {str(server["id"]) for server in found["server"]}
            kept = {port["network_id"] for port in ports if not _goes_with_network(port, servers)}
            found["network"] = [net for net in self._all("network") if self.fits(net) and net["id"] not in kept]
            networks = {network["id"] for network in found["network"]}
            found["subnet"] = [subnet for subnet in self._all("subnet") if subnet["network_id"] in networks]
            on_them = [port for port in ports if port["network_id"] in networks]
            found["port"] = [port for port in on_them if _is_interface(port) or not port.get("device_owner")]
        if "router" not in self.skipped:
            gone = {port["id"] for port in found["port"]}
            attached = {port["device_id"] for port in ports if _is_interface(port)}
            stays = {port["device_id"] for port in ports if _is_interface(port) and port["id"] not in gone}
            found["router"] = [
                router
                for router in routers
                if router["id"] not in stays and (router["id"] in attached or self.fits(router))
            ]
        return found

    def _all(self, kind: str) -> list[JsonObject]:
        noun = _NOUNS[kind][1]
        return list_resources(self.api, noun, None if kind == "server" else {"project_id": [self.id]})

    def delete(self, kind: str, item: JsonObject) -> None:
        """Let it go; an interface goes from its router."""
        noun, identifier = _NOUNS[kind][1], str(item["id"])
        if kind == "port" and _is_interface(item):
            path = item_path(ROUTER, str(item["device_id"]))
            router = self.api.get(ROUTER.service, path).get(ROUTER.item_key)
            routes = as_objects(router.get("routes")) if isinstance(router, dict) else []
            if routes:  # an interface that a route needs cannot go
                self.api.put(ROUTER.service, f"{path}/remove_extraroutes", {"router": {"routes": [*routes]}})
            self.api.put(ROUTER.service, f"{path}/remove_router_interface", {"port_id": identifier})
        else:
            self.api.delete(noun.service, item_path(noun, identifier))


def _is_interface(port: JsonObject) -> bool:
    return port.get("device_owner") in _INTERFACES


def _is_default(kind: str, item: JsonObject) -> bool:
    """Every project has such a group, and comes to have it again."""
    return kind == "security_group" and item.get("name") == "default"


def _goes_with_network(port: JsonObject, servers: set[str]) -> bool:
    """Whether nobody who stays is on this port."""
    owner = port.get("device_owner")
    return not owner or owner == "network:dhcp" or _is_interface(port) or port.get("device_id") in servers


def _row(kind: str, item: JsonObject) -> tuple[Cell, ...]:
    title, noun = _NOUNS[kind]
    return cell(title), cell(item["id"]), cell(item.get(noun.known_by))


def _before(created: datetime.datetime | None, updated: datetime.datetime | None) -> Fits:
    """Whether something is as old as the options say; servers have other words for it than networks."""

    def fits(item: JsonObject) -> bool:
        for limit, names in ((created, ("created_at", "created")), (updated, ("updated_at", "updated"))):
            said = next((str(item[name]) for name in names if item.get(name)), "")
            if limit is not None and not (said and said.removesuffix("Z") < limit.isoformat()):
                return False
        return True

    return fits


@click.command("cleanup")
@click.option("--dry-run", is_flag=True, help="List what would go, and delete nothing.")
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option("--auth-project", is_flag=True, help="The project that you are logged in to.")
@click.option("--project", shell_complete=names_of(PROJECT), help="This project (name or id); you need a role on it.")
@click.option("--project-domain", help="Domain of --project (name or id).")
@click.option("--created-before", type=_DATE, metavar=_FORM, help="Only what was made before, in UTC.")
@click.option("--updated-before", type=_DATE, metavar=_FORM, help="Only what was changed before, in UTC.")
@click.option("--skip-resource", type=click.Choice(list(_NOUNS)), multiple=True, help="Keep these. May be repeated.")
@changes
@lists
def cleanup(
    output: Output,
    *,
    dry_run: bool,
    auto_approve: bool,
    auth_project: bool,
    project: str | None,
    project_domain: str | None,
    created_before: datetime.datetime | None,
    updated_before: datetime.datetime | None,
    skip_resource: tuple[str, ...],
) -> None:
    """Delete what a project has: servers, floating IPs, routers, networks and what is on them, security groups.

    \b
    Examples:
      nebulactl project cleanup --project second --dry-run
    """
    if auth_project == (project is not None):
        raise click.UsageError("Give one of --auth-project and --project.")
    if dry_run and auto_approve:
        raise click.UsageError("Give one of --dry-run and --auto-approve.")
    api = invocation().api
    if project is not None:
        api = invocation().in_project(find_id(api, PROJECT, project, domain=project_domain))
    owner = _Project(api, api.grant.project_id, _before(created_before, updated_before), frozenset(skip_resource))
    found = [(kind, item) for kind, items in owner.found().items() for item in items]
    output.rows(("Type", "ID", "Name"), [_row(kind, item) for kind, item in found])
    if dry_run or not found:
        return
    if not auto_approve:
        click.confirm("These resources will be deleted. Are you sure", abort=True, err=True)
    failed = 0
    for kind, item in found:
        try:
            owner.delete(kind, item)
        except NebulaError as error:
            failed += 1
            click.echo(f"nebulactl: {_NOUNS[kind][0]} {item['id']}: {error.message}", err=True)
    if failed:
        raise BadRequest(f"{failed} of {len(found)} could not be deleted.")
