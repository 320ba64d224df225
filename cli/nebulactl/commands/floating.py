"""``nebulactl floating ip`` and ``floating ip port forwarding``. Effects: through the verbs of ``actions``; prints."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_delete, add_list, add_set, add_show, add_unset, create, delete_all, update
from nebulactl.api import Api, JsonObject
from nebulactl.common_settings import EXTRA_OUT, STATUS, TAG_OUT
from nebulactl.find import find, find_id, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, Noun
from nebulactl.options import Given, Page, Setting, changes, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_create, of_set
from nebulactl.security_nouns import FLOATING_IP, FORWARDING, forwardings_of


def _several(setting: Setting) -> Setting:
    return msgspec.structs.replace(setting, many=True, required=False)


_ROUTER = msgspec.structs.replace(
    of_attribute(FLOATING_IP, "router_id"),
    help="Its router (name or id); the API knows it from the port and refuses it.",
)


@click.group()
def floating() -> None:
    """Floating IPs: addresses of an external network that lead to ports."""


@floating.group("ip")
def ip() -> None:
    """Floating IPs, by address or id, and their port forwardings."""


@ip.command("create")
@click.argument("network", shell_complete=names_of(NETWORK_NOUN))
@settings(*of_create(FLOATING_IP, [_ROUTER], without="floating_network_id"))
@changes
@shows
def create_floating_ip(output: Output, given: Given, network: str) -> None:
    """Take an address of an external network.

    \b
    Examples:
      nebulactl floating ip create public
      nebulactl floating ip create public --port web0
    """
    attributes: JsonObject = {"floating_network_id": find_id(api(), NETWORK_NOUN, network), **given.attributes}
    output.resource(FLOATING_IP, create(api(), FLOATING_IP, attributes))


add_list(
    ip,
    FLOATING_IP,
    *(_several(of_attribute(FLOATING_IP, name)) for name in ("floating_network_id", "port_id", "router_id")),
    STATUS,
)
add_show(ip, FLOATING_IP)
add_set(ip, FLOATING_IP, _ROUTER, example="nebulactl floating ip set 203.0.113.5 --port web0")
add_unset(
    ip, FLOATING_IP, TAG_OUT, EXTRA_OUT, blank={"--port": ("port_id", None), "--qos-policy": ("qos_policy_id", None)}
)
add_delete(ip, FLOATING_IP)


@ip.group("port")
def port() -> None:
    """Port forwardings."""


@port.group("forwarding")
def forwarding() -> None:
    """Ports of a floating IP that lead to ports of inner addresses."""


def _ports(side: str, *, required: bool) -> Setting:
    def convert(_api: Api, value: str) -> JsonObject:
        return {f"{side}_port_range": value} if ":" in value else {f"{side}_port": value}

    return Setting(
        flag=f"--{side}-protocol-port",
        attribute=f"{side}_ports",
        metavar="PORT[:PORT]",
        convert=convert,
        required=required,
        help=f"Port or range on the {side} side.",
    )


def _flattened(given: Given) -> JsonObject:
    """Ports are one attribute of the API where one is meant, and another for a range."""
    attributes: JsonObject = {}
    for name, value in given.attributes.items():
        attributes |= value if isinstance(value, dict) else {name: value}
    return attributes


def _noun(floating_ip: str) -> Noun:
    return forwardings_of(find_id(api(), FLOATING_IP, floating_ip))


_FLOATING_IP = click.argument("floating_ip", shell_complete=names_of(FLOATING_IP))
_INNER_PORT = msgspec.structs.replace(of_attribute(FORWARDING, "internal_port_id"), required=False)
_PROTOCOL = msgspec.structs.replace(of_attribute(FORWARDING, "protocol"), required=False)
_PLAIN = "internal_port external_port internal_port_range external_port_range"


@forwarding.command("create")
@_FLOATING_IP
@settings(
    *of_create(FORWARDING, [_ports("internal", required=True), _ports("external", required=True)], without=_PLAIN)
)
@changes
@shows
def create_forwarding(output: Output, given: Given, floating_ip: str) -> None:
    """Let a port of a floating IP lead to an inner one.

    \b
    Examples:
      nebulactl floating ip port forwarding create 203.0.113.5 --port web0 --protocol tcp \\
        --internal-protocol-port 80 --external-protocol-port 8080
    """
    noun = _noun(floating_ip)
    output.resource(noun, create(api(), noun, _flattened(given)))


@forwarding.command("list")
@_FLOATING_IP
@settings(_INNER_PORT, _ports("external", required=False), _PROTOCOL)
@paged
@lists
def list_forwardings(output: Output, given: Given, page: Page, floating_ip: str) -> None:
    """List the forwardings of a floating IP."""
    noun = _noun(floating_ip)
    query = {**Given(_flattened(given)).query, **page.query}
    output.resources(noun, list_resources(api(), noun, query, most=page.most), noun.columns)


@forwarding.command("show")
@_FLOATING_IP
@click.argument("identifier", metavar="ID")
@shows
def show_forwarding(output: Output, floating_ip: str, identifier: str) -> None:
    """Show one forwarding, by id."""
    noun = _noun(floating_ip)
    output.resource(noun, find(api(), noun, identifier))


@forwarding.command("set")
@_FLOATING_IP
@click.argument("identifier", metavar="ID")
@settings(*of_set(FORWARDING, [_ports("internal", required=False), _ports("external", required=False)], without=_PLAIN))
@changes
def set_forwarding(given: Given, floating_ip: str, identifier: str) -> None:
    """Change a forwarding, by id."""
    if not given.attributes:
        raise click.UsageError("Nothing to set: give at least one option.")
    update(api(), _noun(floating_ip), identifier, _flattened(given))


@forwarding.command("delete")
@_FLOATING_IP
@click.argument("identifiers", metavar="ID...", nargs=-1, required=True)
@changes
def delete_forwarding(floating_ip: str, identifiers: tuple[str, ...]) -> None:
    """Delete forwardings, by id."""
    delete_all(_noun(floating_ip), identifiers)
