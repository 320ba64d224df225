"""Tables with borders of plus and minus, byte for byte as the openstack client (prettytable) draws them.

Pure. Numbers of the first row put their column to the right; a cell may have several lines; wide and combining
characters count as the terminal shows them (Unicode TR 11); control characters are written out, so that no name in
the database can steer the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from nebulactl.api import Json


def draw(titles: Sequence[str], rows: Sequence[Sequence[Json]], *, limit: int = 0, least: int = 8) -> str:
    """The table, or nothing where there are no rows.

    ``limit`` is the width in columns that it shall fit in (0: any); no column is then made narrower than ``least``.
    """
    if not rows:
        return ""
    right = [isinstance(value, int | float) and not isinstance(value, bool) for value in rows[0]]
    texts = [[_visible(value) for value in row] for row in rows]
    widths = _widths(titles, texts)
    if limit and sum(widths) + 3 * len(widths) + 1 > limit:
        widths = _fitted(widths, limit, least)
        texts = [[_wrapped(text, width) for text, width in zip(row, widths, strict=True)] for row in texts]
        titles = [title if len(title) <= width else title[:width] for title, width in zip(titles, widths, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, _line(titles, widths, right), rule]
    for row in texts:
        split = [text.split("\n") for text in row]
        for number in range(max(map(len, split))):
            part = [lines_[number] if number < len(lines_) else "" for lines_ in split]
            lines.append(_line(part, widths, right))
    return "\n".join((*lines, rule))


def _visible(value: Json) -> str:
    text = str(value)
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", " ")
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _width(text: str) -> int:
    """Columns that one line takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _widths(titles: Sequence[str], texts: Sequence[Sequence[str]]) -> list[int]:
    widths = [_width(title) for title in titles]
    for row in texts:
        for number, text in enumerate(row):
            widths[number] = max(widths[number], *map(_width, text.split("\n")))
    return widths


def _fitted(widths: list[int], limit: int, least: int) -> list[int]:
    """cliff's rule: columns under the fair share stay, the others share the rest, the last takes what is over."""
    usable = max(0, limit - 1 - 3 * len(widths))
    share = usable // len(widths)
    wide = [number for number, width in enumerate(widths) if width > share]
    rest = usable - sum(width for width in widths if width <= share)
    fitted = list(widths)
    each = rest // len(wide)
    for number in wide[:-1]:
        fitted[number] = min(widths[number], max(least, each))
        rest -= each
    fitted[wide[-1]] = min(widths[wide[-1]], max(least, rest))
    return fitted


def _wrapped(text: str, width: int) -> str:
    if all(_width(line) <= width for line in text.split("\n")):
        return text
    import textwrap

    return "\n".join(part for line in text.split("\n") for part in (textwrap.wrap(line, width) or [""]))


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for text, width, to_right in zip(texts, widths, right, strict=True):
        gap = " " * (width - _width(text))
        parts.append(f" {gap}{text} " if to_right else f" {text}{gap} ")
    return "|" + "|".join(parts) + "|"
