"""The output formats: table, json, value, csv, shell, yaml, in the very form of the openstack client (cliff).

Effects: writes to standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterable, Sequence

import click
import msgspec

from nebulactl.api import Json, JsonObject
from nebulactl.nouns import Column, Noun
from nebulactl.render import Cell, cells, fields
from nebulactl.tables import draw


class Output(msgspec.Struct, frozen=True):
    """What the output options of a call say."""

    format: str = "table"
    columns: tuple[str, ...] = ()
    noindent: bool = False
    prefix: str = ""
    max_width: int = 0
    fit_width: bool = False
    sort_columns: tuple[str, ...] = ()
    descending: bool = False

    def resources(self, noun: Noun, resources: Iterable[JsonObject], columns: tuple[Column, ...]) -> None:
        """A list of resources under these columns; optional ones only where a resource has a value."""
        found = list(resources)
        columns = tuple(
            column
            for column in columns
            if not column.optional or any(item.get(column.attribute) is not None for item in found)
        )
        self.rows([column.title for column in columns], [cells(noun, columns, item) for item in found])

    def resource(self, noun: Noun, resource: JsonObject) -> None:
        """One resource with all its fields."""
        self.one(*fields(noun, resource))

    def rows(self, titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A list, sorted and with the columns as asked."""
        rows = self._sorted(titles, rows)
        chosen = self._chosen(titles)
        titles = [titles[number] for number in chosen]
        rows = [[row[number] for number in chosen] for row in rows]
        machine = [[value.machine for value in row] for row in rows]
        match self.format:
            case "json":
                self._json([dict(zip(titles, row, strict=True)) for row in machine])
            case "value":
                for row in machine:
                    click.echo(" ".join(str(value) for value in row))
            case "csv":
                import csv

                writer = csv.writer(sys.stdout, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n", escapechar="\\")
                writer.writerow(titles)
                writer.writerows([str(v) if isinstance(v, list | dict) else v for v in row] for row in machine)
            case "yaml":
                _yaml([dict(zip(titles, row, strict=True)) for row in machine])
            case _:
                click.echo(draw(titles, [[value.human for value in row] for row in rows], limit=self._limit()))

    def one(self, titles: Sequence[str], values: Sequence[Cell]) -> None:
        """Field by field."""
        chosen = self._chosen(titles)
        pairs = [(titles[number], values[number]) for number in chosen]
        match self.format:
            case "json":
                self._json({title: value.machine for title, value in pairs})
            case "value":
                for _title, value in pairs:
                    click.echo(str(value.machine))
            case "shell":
                for title, value in pairs:
                    name = title.lower().replace(" ", "_").replace(":", "_").replace("-", "_")
                    text = str(value.machine).replace('"', '\\"')
                    click.echo(f'{self.prefix}{name}="{text}"')
            case "yaml":
                for title, value in pairs:
                    _yaml({title: value.machine})
            case _:
                table = [[title, str(value.human)] for title, value in pairs]
                click.echo(draw(("Field", "Value"), table, limit=self._limit(), least=16))

    def _chosen(self, titles: Sequence[str]) -> list[int]:
        if not self.columns:
            return list(range(len(titles)))
        asked = {_plain(column) for column in self.columns}
        chosen = [number for number, title in enumerate(titles) if _plain(title) in asked]
        if not chosen:
            raise click.UsageError(
                f"There is no column {' or '.join(map(repr, self.columns))}. Columns: {', '.join(titles)}."
            )
        return chosen

    def _sorted(self, titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Sequence[Sequence[Cell]]:
        plain = [_plain(title) for title in titles]
        for name in reversed(self.sort_columns):
            if _plain(name) in plain:
                number = plain.index(_plain(name))
                rows = sorted(rows, key=lambda row: _sort_key(row[number].machine), reverse=self.descending)
        return rows

    def _limit(self) -> int:
        """Columns of the terminal, where the table shall fit in it; 0 for any width."""
        if self.max_width > 0:
            return self.max_width
        if not (self.fit_width or sys.stdout.isatty()):
            return 0
        try:
            return os.get_terminal_size().columns
        except OSError:
            return int(os.environ.get("COLUMNS") or 0)

    def _json(self, value: Json | Sequence[JsonObject]) -> None:
        click.echo(json.dumps(value, indent=None if self.noindent else 2))


def _plain(title: str) -> str:
    return title.lower().strip().replace(" ", "_")


def _sort_key(value: Json) -> tuple[bool, bool, float, str]:
    """None last; numbers by size, the rest by their text."""
    number = isinstance(value, int | float)
    return value is None, not number, float(value) if isinstance(value, int | float) else 0.0, str(value)


def _yaml(value: object) -> None:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise click.UsageError("-f yaml needs PyYAML: pip install pyyaml, or take -f json.") from None
    yaml.safe_dump(value, stream=sys.stdout, default_flow_style=False)
