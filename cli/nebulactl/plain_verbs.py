"""The commands of a resource as its declaration makes them; those of resources that no command here names are found.

The command's words are the name of the file in ``nebula/model``: ``address scope`` is ``address_scope.py``. Effects:
through the verbs of ``actions``; imports of declarations, of those alone whose words begin as the call's.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

import click

from nebula.model import registry
from nebulactl import declared
from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, add_unset
from nebulactl.common_settings import TAG_OUT
from nebulactl.identity_settings import PROPERTY
from nebulactl.nouns import Noun


def add_plain(group: click.Group, noun: Noun, *, example: str = "") -> None:
    """All verbs, without anything special."""
    resource = declared.resource(noun.declared)
    more = (PROPERTY,) if resource.extensible else ()
    add_create(group, noun, *more, example=example)
    add_list(group, noun)
    add_show(group, noun)
    add_set(group, noun, *more, without="domain_id" if noun.in_domain else "")
    if "tags" in resource.attributes and resource.attributes["tags"].attribute.sent:
        add_unset(group, noun, TAG_OUT, blank={})
    add_delete(group, noun)


def plain_group(name: str, noun: Noun) -> click.Group:
    """The group of that name with all verbs."""
    about = inspect.getdoc(declared.resource(noun.declared).record) or ""
    group = click.Group(name, help=f"{noun.plural[0].upper()}{noun.plural[1:]}: {about[:1].lower()}{about[1:]}")
    add_plain(group, noun)
    return group


def complete(name: str, command: click.Command | None) -> click.Command | None:
    """The program's command with what is declared and not in it; None where there is nothing of that name."""
    root = click.Group(commands={} if command is None else {name: command})
    for file in registry.files():
        *above, last = file.split("_")
        if [*above, last][0] == name and not _has(root, [*above, last]):
            for noun in _nouns(file):
                _place(root, above).add_command(plain_group(last, noun))
    return root.commands.get(name)


def names(but: Iterable[str]) -> list[str]:
    """The first words of commands that are declared, ``but`` for these."""
    taken = set(but)
    first = {file: file.partition("_")[0] for file in registry.files()}
    return sorted({word for file, word in first.items() if word not in taken and any(_nouns(file))})


def _nouns(file: str) -> Iterator[Noun]:
    """The resource whose words are the file's name, if that has one, and it is below no other."""
    for variable, resource in registry.of_file(file).items():
        if resource.words.lower().replace(" ", "_") == file and "{" not in resource.path:
            yield Noun(
                declared=f"{file}:{variable}",
                in_domain="domain_id" in resource.unique,
                open_ended=resource.extensible,
                hidden=frozenset({"links"}),
            )


def _has(command: click.Command, words: list[str]) -> bool:
    if not words:
        return True
    inner = command.commands.get(words[0]) if isinstance(command, click.Group) else None
    return inner is not None and _has(inner, words[1:])


def _place(group: click.Group, words: list[str]) -> click.Group:
    """The group below ``group`` with these words; made where there is none."""
    for word in words:
        inner = group.commands.get(word)
        if inner is None:
            inner = click.Group(word, help=f"What begins with {word}.")
            group.add_command(inner)
        assert isinstance(inner, click.Group)
        group = inner
    return group
