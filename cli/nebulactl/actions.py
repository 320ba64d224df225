"""The verbs that all nouns share, made from the noun's declaration: list, show, create, set, unset, delete.

Effects: HTTP through Api; prints.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from nebula.errors import BadRequest, Conflict, NebulaError
from nebulactl import plain_settings
from nebulactl.api import IDENTITY, Api, Json, JsonObject, as_object, as_objects
from nebulactl.find import find, find_id, item_path, list_resources
from nebulactl.invocation import api
from nebulactl.nouns import Noun
from nebulactl.options import Given, Page, Setting, as_list, changes, lists, names_of, paged, settings, shows
from nebulactl.output import Output
from nebulactl.pool_nouns import AGENT


def create(cloud: Api, noun: Noun, attributes: JsonObject) -> JsonObject:
    """The new resource. Tags are a resource of their own, set after it."""
    tags = attributes.get("tags")
    body = {name: value for name, value in attributes.items() if name != "tags"}
    if noun.by_list:
        made = as_objects(cloud.post(noun.service, noun.route, {noun.list_key: [body]}).get(noun.list_key))
        resource = made[0] if made else {}
    else:
        resource = as_object(cloud.post(noun.service, noun.route, {noun.item_key: body}).get(noun.item_key))
    warn(resource)
    return resource | (_set_tags(cloud, noun, str(resource.get("id")), tags) if tags else {})


OR_SHOW = click.option("--or-show", is_flag=True, help="Show the one that there is, if there is one.")


def create_or_find(cloud: Api, noun: Noun, attributes: JsonObject) -> JsonObject:
    """The new resource, or the one that has its name in its domain."""
    try:
        return create(cloud, noun, attributes)
    except Conflict:
        domain = attributes.get("domain_id")
        return find(cloud, noun, str(attributes["name"]), domain=domain if isinstance(domain, str) else None)


def update(cloud: Api, noun: Noun, identifier: str, attributes: JsonObject) -> None:
    """Change these attributes (Keystone takes PATCH, Neutron and Nova PUT)."""
    body = {name: value for name, value in attributes.items() if name != "tags"}
    if body:
        send = cloud.patch if noun.service == IDENTITY else cloud.put
        warn(as_object(send(noun.service, item_path(noun, identifier), {noun.item_key: body}).get(noun.item_key)))
    if "tags" in attributes:
        _set_tags(cloud, noun, identifier, attributes["tags"])


def warn(resource: JsonObject) -> None:
    """Say on standard error what the API warns of."""
    for text in as_list(resource.get("warnings")):
        click.echo(f"nebulactl: warning: {text}", err=True)


def _set_tags(cloud: Api, noun: Noun, identifier: str, tags: Json) -> JsonObject:
    unique: list[Json] = [*dict.fromkeys(str(tag) for tag in as_list(tags))]
    return cloud.put(noun.service, f"{item_path(noun, identifier)}/tags", {"tags": unique})


_BY_ITEM = frozenset({"extra_dhcp_opts", "binding:profile"})
"""Lists of which the API itself changes only what is named."""


def merged(current: JsonObject, given: Given) -> JsonObject:
    """What to send for a ``set``: lists are added to what is there, unless they were cleared in the same call."""
    attributes = dict(given.attributes)
    for name, value in given.attributes.items():
        if isinstance(value, list) and name not in given.cleared and name not in _BY_ITEM:
            attributes[name] = [*value, *as_list(current.get(name))]
    return attributes


def add_list(group: click.Group, noun: Noun, *filters: Setting, on_agent: str = "", example: str = "") -> None:
    """``filters`` beside the declared ones. ``on_agent``: where an agent's are, below the agent."""
    asked = plain_settings.of_list(noun, filters) if noun.declared else filters

    @settings(*asked)
    @paged
    @lists
    def run(output: Output, given: Given, page: Page, long: bool = False, agent: str | None = None) -> None:
        if agent is None:
            found = list_resources(api(), noun, {**given.query, **page.query}, most=page.most)
        else:
            found = as_objects(api().get(noun.service, f"{item_path(AGENT, agent)}/{on_agent}").get(noun.list_key))
        output.resources(noun, found, noun.columns_long if long else noun.columns)

    if noun.of_network or noun.columns_long != noun.columns:
        run = click.option("--long", is_flag=True, help="More columns.")(run)
    if on_agent:
        run = click.option("--agent", metavar="ID", help="Those of this agent (by id), whatever else is asked.")(run)
    group.command("list", help=_help(f"List {noun.plural}.", example))(run)


def _in_domain(noun: Noun, run: Callable[..., None]) -> Callable[..., None]:
    """``--domain``, where names of the noun are unique in a domain only; the command gets it as ``domain``."""
    if not noun.in_domain:
        return run
    decorated: Callable[..., None] = click.option("--domain", help="The domain of its name (name or id).")(run)
    return decorated


def add_show(group: click.Group, noun: Noun, addition: Callable[[Api, JsonObject], JsonObject] | None = None) -> None:
    """``addition``: further attributes that are to be fetched."""

    @click.argument("name", shell_complete=names_of(noun))
    @shows
    def run(output: Output, name: str, domain: str | None = None) -> None:
        resource = find(api(), noun, name, domain=domain)
        warn(resource)
        output.resource(noun, resource | (addition(api(), resource) if addition is not None else {}))

    group.command("show", help=f"Show one {noun.words}, by name or id.")(_in_domain(noun, run))


def add_create(
    group: click.Group,
    noun: Noun,
    *special: Setting,
    arguments: str = "",
    without: str = "",
    example: str = "",
    or_show: bool = False,
    complete: Callable[[JsonObject], JsonObject] = lambda attributes: attributes,
) -> None:
    """``special``: the options that do not follow from a declaration; ``without``: attributes that are none.

    ``arguments``: those that are arguments instead, in this order; else it is the name, where it has one.
    ``complete`` adds what the API needs and the options leave open. ``or_show``: there may be one by that name already.
    """
    items = plain_settings.of_create(noun, special, f"{without} {arguments}") if noun.declared else special
    named = {name: plain_settings.of_attribute(noun, name) for name in arguments.split()}
    usual = plain_settings.usual(noun) if noun.declared else {}

    @settings(*items)
    @changes
    @shows
    def run(output: Output, given: Given, or_show: bool = False, **typed: str) -> None:
        sent = {name: named[name].sent(value) if name in named else value for name, value in typed.items()}
        attributes = complete({**usual, **sent, **given.attributes})
        make = create_or_find if or_show else create
        output.resource(noun, make(api(), noun, attributes))

    for setting in reversed(named.values()):
        metavar = setting.slug.removeprefix("set_").upper()
        completer = names_of(setting.noun) if setting.noun is not None else None
        run = click.argument(setting.attribute, metavar=metavar, shell_complete=completer)(run)
    if not named and noun.known_by == "name":
        run = click.argument("name")(run)
    if or_show:
        run = OR_SHOW(run)
    group.command("create", help=_help(f"Create {noun.one}.", example))(run)


def add_set(
    group: click.Group,
    noun: Noun,
    *special: Setting,
    without: str = "",
    example: str = "",
    settle: Callable[[JsonObject, JsonObject], JsonObject] = lambda attributes, _current: attributes,
) -> None:
    """``special`` and ``without`` as of ``add_create``; ``settle`` makes of the given and the present what is sent."""
    items = plain_settings.of_set(noun, special, without) if noun.declared else special

    @click.argument("name", shell_complete=names_of(noun))
    @settings(*items)
    @changes
    def run(given: Given, name: str, domain: str | None = None) -> None:
        resource = find(api(), noun, name, domain=domain)
        if not given.attributes and not given.cleared:
            raise click.UsageError("Nothing to set: give at least one option.")
        update(api(), noun, str(resource.get("id")), settle(merged(resource, given), resource))

    group.command("set", help=_help(f"Change {noun.one}.", example))(_in_domain(noun, run))


def without(noun: Noun, current: JsonObject, given: Given) -> JsonObject:
    """What to send for an ``unset``: less list items, none of what was cleared. Raises BadRequest."""
    attributes: JsonObject = {}
    for name, value in given.attributes.items():
        if not isinstance(value, list):
            attributes[name] = value
            continue
        here = current.get(name)
        left = dict(here) if isinstance(here, dict) else [] if name in given.cleared else list(as_list(here))
        for item in value if left else ():
            if item not in left:
                raise BadRequest(f"The {noun.words}'s {name} do not hold {item}.")
            if isinstance(left, dict):
                del left[str(item)]
            else:
                left.remove(item)
        attributes[name] = left
    return attributes


def add_unset(group: click.Group, noun: Noun, *items: Setting, blank: dict[str, tuple[str, str | None]]) -> None:
    """``items``: settings to take values out of; ``blank``: flags, each with its attribute and what stands for none."""

    @click.argument("name", shell_complete=names_of(noun))
    @settings(*items)
    @changes
    def run(given: Given, name: str, **flags: bool) -> None:
        resource = find(api(), noun, name)
        attributes = without(noun, resource, given)
        for flag, (attribute, nothing) in blank.items():
            if flags[_parameter(flag)]:
                attributes[attribute] = nothing
        if not attributes:
            raise click.UsageError("Nothing to unset: give at least one option.")
        update(api(), noun, str(resource.get("id")), attributes)

    for flag in reversed(blank):
        run = click.option(flag, _parameter(flag), is_flag=True, help=f"Clear the {flag.removeprefix('--')}.")(run)
    group.command("unset", help=f"Take values out of {noun.one}.")(run)


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def add_delete(group: click.Group, noun: Noun) -> None:
    @click.argument("names", nargs=-1, required=True, shell_complete=names_of(noun))
    @changes
    def run(names: tuple[str, ...], domain: str | None = None) -> None:
        delete_all(noun, names, functools.partial(find_id, domain=domain))

    group.command("delete", help=f"Delete {noun.plural}, by name or id.")(_in_domain(noun, run))


def delete_all(noun: Noun, names: tuple[str, ...], identify: Callable[[Api, Noun, str], str] = find_id) -> None:
    """Each by itself: one that cannot go does not keep the others. Raises the first error after the last try.

    ``identify``: from a name to what stands in the path.
    """
    failed = []
    for name in names:
        try:
            api().delete(noun.service, item_path(noun, identify(api(), noun, name)))
        except NebulaError as error:
            if len(names) == 1:
                raise
            failed.append(name)
            click.echo(f"nebulactl: {name}: {error.message}", err=True)
    if failed:
        raise BadRequest(f"{len(failed)} of {len(names)} {noun.plural} could not be deleted.")


def _help(text: str, example: str) -> str:
    return f"{text}\n\n\b\nExamples:\n  " + example.strip().replace("\n", "\n  ") if example else text
