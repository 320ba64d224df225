"""Options that many commands share, and settings: options that stand for an attribute of the API.

Effects: none at import; a setting that names a resource looks it up when its command runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import click
import msgspec
from click.shell_completion import CompletionItem

from nebulactl.api import Api, Json, JsonObject, Query
from nebulactl.find import find_id
from nebulactl.invocation import Invocation, api
from nebulactl.nouns import Noun
from nebulactl.output import Output

Function: TypeAlias = Callable[..., None]
Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class KeyValues(click.ParamType[dict[str, str]]):
    """``key=value,key=value`` as a dict of the API's names. ``keys`` are known, ``required`` among them needed."""

    name = "key=value"

    def __init__(self, keys: str, required: str = "", **renamed: str) -> None:
        self._known = keys.split()
        self._required = required.split()
        self._renamed = renamed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        pairs: dict[str, str] = {}
        for part in str(value).split(","):
            key, separator, content = part.partition("=")
            if not separator or key not in self._known:
                self.fail(f"{part!r} is not one of {', '.join(f'{known}=...' for known in self._known)}.", param, ctx)
            pairs[key] = content
        missing = [key for key in self._required if not pairs.get(key)]
        if missing:
            self.fail(f"{value!r} lacks {' and '.join(f'{key}=...' for key in missing)}.", param, ctx)
        return {self._renamed.get(key, key).replace("-", "_"): content for key, content in pairs.items()}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """An option and the API's attribute that it sets (or, in a list, filters by).

    ``flag`` may be a pair ``--enable/--disable``. ``noun``: the value names one of these, its id is sent; where such
    names are a domain's, ``<flag>-domain`` says which domain is meant. ``many``: may be repeated. ``clear``: the flag
    for none; with ``many``, ``set`` adds to what is there unless that flag is given too. ``convert`` turns the option's
    value into the API's, or into ``msgspec.UNSET``: say nothing. ``spread``: each value is several attributes.
    """

    flag: str
    attribute: str
    help: str
    type: click.ParamType[Any] | None = None
    metavar: str | None = None
    noun: Noun | None = None
    many: bool = False
    clear: str = ""
    required: bool = False
    convert: Callable[[Api, Any], Any] | None = None
    spread: bool = False

    @property
    def slug(self) -> str:
        """The parameter's name."""
        return "set_" + self.flag.partition("/")[0].removeprefix("--").replace("-", "_")

    @property
    def has_domain(self) -> bool:
        """Whether the name may be one of several domains'."""
        return self.noun is not None and self.noun.in_domain

    def sent(self, value: Any, domain: str | None = None) -> Any:
        """The value for the API."""
        if self.noun is not None:
            return find_id(api(), self.noun, value, domain=domain)
        return self.convert(api(), value) if self.convert is not None else value


class Given(msgspec.Struct, frozen=True):
    """The settings of a call in the API's form; ``cleared`` are the list attributes that shall start empty."""

    attributes: JsonObject
    cleared: frozenset[str] = frozenset()

    @property
    def query(self) -> Query:
        """The same as filters of a list; a list is a filter several times."""
        return {
            name: [str(item) for item in value] if isinstance(value, list) else [str(value)]
            for name, value in self.attributes.items()
        }


def settings(*items: Setting) -> Callable[[Function], Function]:
    """Adds the options, and gives the command ``given``: those that were used."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(**parameters: Any) -> None:
            attributes: JsonObject = {}
            cleared = set()
            for item in items:
                value = parameters.pop(item.slug)
                domain = parameters.pop(f"{item.slug}_domain") if item.has_domain else None
                if item.clear and parameters.pop(f"{item.slug}_clear"):
                    cleared.add(item.attribute)
                if item.spread:
                    for one in value if item.many else [value] * (value is not None):
                        _spread(attributes, item.sent(one))
                elif item.many and (value or item.attribute in cleared):
                    attributes[item.attribute] = [item.sent(one, domain) for one in value]
                elif item.many:
                    continue
                elif value is None and item.attribute in cleared:
                    attributes[item.attribute] = None
                elif value is not None and (sent := item.sent(value, domain)) is not msgspec.UNSET:
                    attributes[item.attribute] = sent
            function(given=Given(attributes, frozenset(cleared)), **parameters)

        decorated: Function = call
        for item in reversed(items):
            if item.has_domain:
                flag = f"{item.flag}-domain"
                decorated = click.option(flag, f"{item.slug}_domain", help=f"Domain of {item.flag} (name or id).")(
                    decorated
                )
            if item.clear:
                decorated = click.option(
                    item.clear, f"{item.slug}_clear", is_flag=True, help=f"None of {item.flag.removeprefix('--')}."
                )(decorated)
            decorated = _option(item)(decorated)
        return decorated

    return decorate


def _spread(attributes: JsonObject, several: JsonObject) -> None:
    """Add them; members of one attribute that several settings make come together."""
    for name, value in several.items():
        known = attributes.get(name)
        attributes[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value


def _option(item: Setting) -> Callable[[Function], Function]:
    # click takes a default of None for one that meets "required", and without it a switch for off.
    default = {} if item.required else {"default": None}
    return click.option(
        item.flag,
        item.slug,
        type=item.type,
        metavar=item.metavar,
        help=item.help + (" May be repeated." if item.many else ""),
        required=item.required,
        multiple=item.many,
        **default,
        shell_complete=names_of(item.noun) if item.noun is not None else None,
    )


class Page(msgspec.Struct, frozen=True):
    """How much of a list is asked for, and how much at once; ``marker`` is the id of the last one before it."""

    limit: int | None = None
    marker: str | None = None
    most: int | None = None

    @property
    def query(self) -> Query:
        """For the API."""
        given = {"limit": self.limit, "marker": self.marker}
        return {name: [str(value)] for name, value in given.items() if value is not None}


def paged(function: Function) -> Function:
    """The options for a part of a list; the command gets them as ``page``."""

    @functools.wraps(function)
    def call(limit: int | None, marker: str | None, max_items: int | None, **parameters: Any) -> None:
        function(page=Page(limit, marker, max_items), **parameters)

    count = click.IntRange(min=0)
    decorated: Function = call
    for option in (
        click.option("--max-items", type=count, help="So many at most, in all."),
        click.option("--marker", metavar="ID", help="Those after this one."),
        click.option("--limit", type=count, help="So many in one request."),
    ):
        decorated = option(decorated)
    return decorated


def shows(function: Function) -> Function:
    """The output options of what prints one resource; the command gets them as ``output``."""
    return _with_output(function, "table json value shell yaml")


def lists(function: Function) -> Function:
    """The output options of what prints several resources; the command gets them as ``output``."""
    sorts = (
        click.option("--sort-column", "sort_columns", multiple=True, metavar="COLUMN", help="Sort by this column."),
        click.option("--sort-ascending/--sort-descending", "ascending", default=True, help="Direction of the sort."),
    )
    return _with_output(function, "table json value csv yaml", *sorts)


def _with_output(function: Function, formats: str, *more: Callable[[Function], Function]) -> Function:
    @functools.wraps(function)
    def call(**parameters: Any) -> None:
        output = Output(
            format=parameters.pop("format"),
            columns=parameters.pop("columns"),
            noindent=parameters.pop("noindent"),
            prefix=parameters.pop("prefix", ""),
            max_width=parameters.pop("max_width"),
            fit_width=parameters.pop("fit_width"),
            sort_columns=parameters.pop("sort_columns", ()),
            descending=not parameters.pop("ascending", True),
        )
        function(output=output, **parameters)

    options: list[Callable[[Function], Function]] = [
        click.option(
            "-f", "--format", "format", type=click.Choice(formats.split()), default="table", help="Output format."
        ),
        click.option("-c", "--column", "columns", multiple=True, metavar="COLUMN", help="Only this column; repeat."),
        click.option("--noindent", is_flag=True, help="JSON in one line."),
        click.option("--max-width", type=int, default=0, metavar="COLUMNS", help="Width of the table at most."),
        click.option("--fit-width", is_flag=True, help="Fit the table to the terminal also when not on one."),
    ]
    if "shell" in formats:
        options.append(click.option("--prefix", default="", help="Prefix of the variables of -f shell."))
    decorated: Function = call
    for option in reversed((*options, *more)):
        decorated = option(decorated)
    return decorated


def changes(function: Function) -> Function:
    """The option of what changes something: to print the request's id, which 'nebulactl receipt' takes."""

    def show(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        found = ctx.find_object(Invocation)
        if value and found is not None:
            found.show_request_id = True

    option: Callable[[Function], Function] = click.option(
        "-v",
        "--show-request-id",
        is_flag=True,
        expose_value=False,
        callback=show,
        help="Print the request's id to stderr, for 'nebulactl receipt'.",
    )
    return option(function)


def names_of(noun: Noun) -> Completer:
    """Completes the names (else ids) of what the cloud has; silent where it does not answer at once."""
    return offers(lambda _typed: ((), (noun,)))


def offers(choose: Callable[[tuple[str, ...]], tuple[Sequence[str], Sequence[Noun]]]) -> Completer:
    """Completes words, and names of nouns, as ``choose`` says for what was typed for the same parameter before."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from nebulactl.completion import names

        words, nouns = choose(tuple(ctx.params.get(parameter.name or "") or ()))
        found = [*words, *(names(ctx, nouns) if nouns else ())]
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete


def as_list(value: Json) -> list[Json]:
    """A list attribute's value; none is empty."""
    return value if isinstance(value, list) else []
