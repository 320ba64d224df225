"""``nebulactl network qos rule``: what a QoS policy says. Effects: HTTP through Api; prints."""

from __future__ import annotations

import functools
from typing import Any

import click

from nebula.errors import NotFound
from nebula.model.qos import QOS_RULES
from nebula.model.qos import rule_type as name_of
from nebulactl.actions import create, update
from nebulactl.api import NETWORK, JsonObject, as_object, as_objects
from nebulactl.common_settings import EXTRA
from nebulactl.find import find, item_path, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import Noun, titled
from nebulactl.options import Function, Given, Page, changes, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.pool_nouns import QOS_POLICY, RULE_TYPE
from nebulactl.render import cell, cells

_KINDS = {name_of(kind).replace("_", "-"): kind for kind in QOS_RULES}
_COLUMNS = titled(
    ID="id",
    QoS_Policy_ID="qos_policy_id",
    Type="type",
    Max_Kbps="max_kbps",
    Max_Burst_Kbits="max_burst_kbps",
    Min_Kbps="min_kbps",
    Min_Kpps="min_kpps",
    DSCP_mark="dscp_mark",
    Direction="direction",
)


def _noun(kind: str, policy_id: str) -> Noun:
    """The rules of this kind of one policy."""
    path = f"{item_path(QOS_POLICY, policy_id)}/{_KINDS[kind].plural}"
    return Noun(declared=f"qos:{kind.replace('-', '_').upper()}", path=path, listed=_COLUMNS)


@click.group()
def rule() -> None:
    """Rules of a QoS policy."""


def _value_options(function: Function) -> Function:
    """The values of a rule; the command gets those given as ``values``."""

    @functools.wraps(function)
    def call(**parameters: Any) -> None:
        names = ("max_kbps", "max_burst_kbps", "dscp_mark", "min_kbps", "min_kpps", "direction")
        given = {name: parameters.pop(name) for name in names}
        function(values={name: value for name, value in given.items() if value is not None}, **parameters)

    decorated: Function = call
    for flag, name, text in reversed(
        (
            ("--max-kbps", "max_kbps", "Most bandwidth, in kbit/s."),
            ("--max-burst-kbits", "max_burst_kbps", "Largest burst, in kbit; 0: 80 % of the bandwidth."),
            ("--dscp-mark", "dscp_mark", "DSCP: 0, or even from 8 to 56 but 42, 44, 50, 52, 54."),
            ("--min-kbps", "min_kbps", "Least bandwidth, in kbit/s."),
            ("--min-kpps", "min_kpps", "Least rate, in 1000 packets/s."),
        )
    ):
        decorated = click.option(flag, name, type=int, help=text)(decorated)
    for direction, text in (
        ("any", "Both ways; packet rates only."),
        ("egress", "From the port."),
        ("ingress", "To it."),
    ):
        decorated = click.option(f"--{direction}", "direction", flag_value=direction, default=None, help=text)(
            decorated
        )
    return decorated


def _check(kind: str, values: JsonObject) -> None:
    """UsageError where a value is not of this kind of rule."""
    known = _KINDS[kind].attributes
    if foreign := sorted(set(values) - known.keys()):
        raise click.UsageError(f"A {kind} rule has no {' and no '.join(foreign)}.")
    if "direction" in values and values["direction"] not in known["direction"].choices:
        raise click.UsageError(f"A {kind} rule goes one way: --ingress or --egress.")


@rule.command("create")
@click.argument("policy", shell_complete=names_of(QOS_POLICY))
@click.option("--type", "kind", type=click.Choice(list(_KINDS)), required=True, help="Kind of rule.")
@_value_options
@settings(EXTRA)
@changes
@shows
def create_rule(output: Output, values: JsonObject, given: Given, policy: str, kind: str) -> None:
    """Create a rule in a QoS policy.

    \b
    Examples:
      nebulactl network qos rule create gold --type bandwidth-limit --max-kbps 10000 --egress
      nebulactl network qos rule create gold --type dscp-marking --dscp-mark 46
    """
    _check(kind, values)
    needed = [name for name, bound in _KINDS[kind].attributes.items() if bound.attribute.required]
    if kind.startswith("minimum-"):
        needed.append("direction")  # by the client, not by the API
    if missing := [name for name in needed if name not in values]:
        raise click.UsageError(f"A {kind} rule needs {' and '.join(missing)}.")
    noun = _noun(kind, str(find(api(), QOS_POLICY, policy).get("id")))
    output.resource(noun, create(api(), noun, {**values, **given.attributes}))


@rule.command("list")
@click.argument("policy", shell_complete=names_of(QOS_POLICY))
@lists
def list_rules(output: Output, policy: str) -> None:
    """List the rules of a QoS policy."""
    found = find(api(), QOS_POLICY, policy)
    # What a kind of rule has not is an empty string, as the client prints it.
    absent = dict.fromkeys((column.attribute for column in _COLUMNS), "")
    rules = [{**absent, **item} for item in as_objects(found.get("rules"))]
    output.rows(
        [column.title for column in _COLUMNS],
        [cells(QOS_POLICY, _COLUMNS, item) for item in rules],
    )


def _found(policy: str, rule_id: str) -> tuple[Noun, str]:
    """The noun of this rule of the policy, and its kind. Raises NotFound."""
    found = find(api(), QOS_POLICY, policy)
    for item in as_objects(found.get("rules")):
        if item.get("id") == rule_id:
            kind = str(item.get("type")).replace("_", "-")
            return _noun(kind, str(found.get("id"))), kind
    raise NotFound(f"QoS policy {policy} has no rule {rule_id!r}.")


@rule.command("show")
@click.argument("policy", shell_complete=names_of(QOS_POLICY))
@click.argument("rule_id", metavar="RULE")
@shows
def show_rule(output: Output, policy: str, rule_id: str) -> None:
    """Show one rule, by id."""
    noun, _kind = _found(policy, rule_id)
    output.resource(noun, find(api(), noun, rule_id))


@rule.command("set")
@click.argument("policy", shell_complete=names_of(QOS_POLICY))
@click.argument("rule_id", metavar="RULE")
@_value_options
@settings(EXTRA)
@changes
def set_rule(values: JsonObject, given: Given, policy: str, rule_id: str) -> None:
    """Change a rule, by id."""
    if not (values or given.attributes):
        raise click.UsageError("Nothing to set: give at least one option.")
    noun, kind = _found(policy, rule_id)
    _check(kind, values)
    update(api(), noun, rule_id, {**values, **given.attributes})


@rule.command("delete")
@click.argument("policy", shell_complete=names_of(QOS_POLICY))
@click.argument("rule_id", metavar="RULE")
@changes
def delete_rule(policy: str, rule_id: str) -> None:
    """Delete a rule, by id."""
    noun, _kind = _found(policy, rule_id)
    api().delete(noun.service, item_path(noun, rule_id))


@rule.group("type")
def rule_type() -> None:
    """The kinds of rules that the network service knows."""


@rule_type.command("list")
@click.option("--all-supported", is_flag=True, help="Those of any driver: there is one.")
@click.option("--all-rules", is_flag=True, help="Those that any driver could have.")
@paged
@lists
def list_types(output: Output, page: Page, all_supported: bool, all_rules: bool) -> None:
    """List the kinds of rules."""
    if all_supported and all_rules:
        raise click.UsageError("Give one of --all-supported and --all-rules.")
    asked = {"all_supported": ["True"]} if all_supported else {"all_rules": ["True"]} if all_rules else {}
    found = list_resources(api(), RULE_TYPE, {**asked, **page.query}, most=page.most)
    output.resources(RULE_TYPE, found, RULE_TYPE.columns)


@rule_type.command("show")
@click.argument("name", metavar="TYPE", shell_complete=names_of(RULE_TYPE))
@shows
def show_type(output: Output, name: str) -> None:
    """Show what a kind of rule takes, and of which drivers."""
    found = as_object(api().get(NETWORK, item_path(RULE_TYPE, name)).get("rule_type"))
    output.one(("drivers", "rule_type_name"), (cell(found.get("drivers")), cell(found.get("type"))))
