"""``nebulactl security group`` and ``security group rule``. Effects: through the verbs of ``actions``; prints."""

from __future__ import annotations

import click

from nebulactl.actions import add_delete, add_show, create
from nebulactl.api import Api, JsonObject
from nebulactl.common_settings import OWNER
from nebulactl.find import find_id, list_resources
from nebulactl.invocation import api
from nebulactl.options import Given, Page, Setting, changes, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_create
from nebulactl.plain_verbs import add_plain
from nebulactl.security_nouns import RULE, RULE_LIST_ALL, SECURITY_GROUP

_ICMP = ("icmp", "icmpv6", "ipv6-icmp", "1", "58")
_IPV6 = ("icmpv6", "41", "43", "44", "58", "59", "60")

_DIRECTION = Setting(
    flag="--ingress/--egress",
    attribute="direction",
    convert=lambda _api, inward: "ingress" if inward else "egress",
    help="Direction of the traffic.",
)
_PROTOCOL = Setting(
    flag="--protocol",
    attribute="protocol",
    convert=lambda _api, value: value.lower(),
    help="tcp, udp, icmp, ipv6-icmp..., a number, or any.",
)
_ETHERTYPE = Setting(
    flag="--ethertype",
    attribute="ethertype",
    type=click.Choice(["IPv4", "IPv6"], case_sensitive=False),
    help="By default what the protocol is.",
)


@click.group()
def security() -> None:
    """Security groups: what a port lets in and out."""


@security.group("group")
def group() -> None:
    """Security groups, and their rules."""


@group.group("rule")
def rule() -> None:
    """Rules of security groups."""


add_plain(group, SECURITY_GROUP, example="nebulactl security group create web --description 'what servers let in'")


def _span(_api: Api, value: str) -> JsonObject:
    first, _, last = value.partition(":")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise click.UsageError(f"--dst-port: {value!r} is neither a port nor a range such as 137:139.")
    return {"port_range_min": int(first), "port_range_max": int(last or first)}


@rule.command("create")
@click.argument("group_name", metavar="GROUP", shell_complete=names_of(SECURITY_GROUP))
@settings(
    *of_create(
        RULE,
        [
            Setting(
                flag="--dst-port", attribute="ports", metavar="PORT[:PORT]", convert=_span, help="Destination port."
            ),
            _PROTOCOL,
            Setting(flag="--icmp-type", attribute="icmp_type", type=click.INT, help="ICMP type."),
            Setting(flag="--icmp-code", attribute="icmp_code", type=click.INT, help="ICMP code."),
            _DIRECTION,
            _ETHERTYPE,
        ],
        without="security_group_id port_range_min port_range_max",
    )
)
@changes
@shows
def create_rule(output: Output, given: Given, group_name: str) -> None:
    """Allow something.

    \b
    Examples:
      nebulactl security group rule create web --protocol tcp --dst-port 22 --remote-ip 203.0.113.0/24
      nebulactl security group rule create web --protocol icmp
      nebulactl security group rule create web --protocol tcp --dst-port 5432 --remote-group web
    """
    attributes = {"security_group_id": find_id(api(), SECURITY_GROUP, group_name), **_rule(dict(given.attributes))}
    output.resource(RULE, create(api(), RULE, attributes))


def _rule(given: JsonObject) -> JsonObject:
    """The API's attributes, with the client's defaults and refusals."""
    protocol = given.pop("protocol", None)
    protocol = None if protocol == "any" else protocol
    ports, icmp_type, icmp_code = (given.pop(name, None) for name in ("ports", "icmp_type", "icmp_code"))
    remotes = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
    if sum(name in given for name in remotes) > 1:
        raise click.UsageError("Only one of --remote-ip, --remote-group and --remote-address-group can be given.")
    if icmp_code is not None and icmp_type is None:
        raise click.UsageError("--icmp-code needs --icmp-type.")
    if icmp_type is not None and (ports is not None or protocol not in _ICMP):
        raise click.UsageError("--icmp-type needs --protocol icmp or ipv6-icmp, without --dst-port.")
    of_ipv6 = isinstance(protocol, str) and (protocol.startswith("ipv6-") or protocol in _IPV6)
    rule: JsonObject = {"protocol": protocol, "direction": "ingress", "ethertype": "IPv6" if of_ipv6 else "IPv4"}
    rule |= given
    if isinstance(ports, dict) and protocol not in _ICMP:
        rule |= ports
    if icmp_type is not None:
        rule |= {"port_range_min": icmp_type}
    if icmp_code is not None:
        rule |= {"port_range_max": icmp_code}
    if not any(name in rule for name in remotes):
        rule["remote_ip_prefix"] = "::/0" if rule["ethertype"] == "IPv6" else "0.0.0.0/0"
    return rule


@rule.command("list")
@click.argument("group_name", metavar="[GROUP]", required=False, shell_complete=names_of(SECURITY_GROUP))
@settings(_PROTOCOL, _DIRECTION, _ETHERTYPE, OWNER)
@click.option("--long", is_flag=True, help="Nothing more: all is shown.")
@paged
@lists
def list_rules(output: Output, given: Given, page: Page, long: bool, group_name: str | None) -> None:
    """List rules, of one group or of all.

    \b
    Examples:
      nebulactl security group rule list web
    """
    del long
    query, columns = {**given.query, **page.query}, RULE_LIST_ALL
    if group_name is not None:
        query["security_group_id"] = [find_id(api(), SECURITY_GROUP, group_name)]
        columns = RULE.columns
    output.resources(RULE, [_listed(found) for found in list_resources(api(), RULE, query, most=page.most)], columns)


def _listed(found: JsonObject) -> JsonObject:
    """As the client shows rules in lists: ports as a range, no prefix as all addresses."""
    first, last = found.get("port_range_min"), found.get("port_range_max")
    span = ""
    if found.get("protocol") in _ICMP:
        span = (f"type={first}" if first else "") + (f":code={last}" if last else "")
    elif first or last:
        span = f"{first or last}:{last or first}"
    anywhere = "::/0" if found.get("ethertype") == "IPv6" else "0.0.0.0/0"
    prefix = found.get("remote_ip_prefix")
    return {**found, "port_range": span, "remote_ip_prefix": anywhere if prefix is None else prefix}


add_show(rule, RULE)
add_delete(rule, RULE)
