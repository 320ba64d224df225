"""Bodies of requests into records. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from nebula.errors import BadRequest

T = TypeVar("T")


def decode(body: bytes, kind: type[T]) -> T:
    """Raises BadRequest that names the record and what is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a {kind.__name__}: {error}") from None
