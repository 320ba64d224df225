"""Structured logs on standard error: one event a line, as logfmt-like text or as JSON.

Effects: configures the root logger. Fields are given with ``extra={"fields": {...}}``; use ``event()``. Secrets
are never fields.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping

Field = str | int | float | bool | None


def _fields(record: logging.LogRecord) -> Mapping[str, Field]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _timestamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


class TextFormatter(logging.Formatter):
    """``2026-01-01T00:00:00.000Z INFO  event key=value``; values with blanks or control characters are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {key}={self._value(value)}" for key, value in _fields(record).items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{_timestamp(record)} {record.levelname:<7} {self._line(record.getMessage())}{pairs}{trace}"

    @staticmethod
    def _value(value: Field) -> str:
        text = str(value)
        plain = text.isprintable() and text != "" and not any(mark in text for mark in ' "=')
        return text if plain else json.dumps(text)

    @staticmethod
    def _line(text: str) -> str:
        return text if text.isprintable() else json.dumps(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``event``, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Field] = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(log_format: str = "text", level: str = "info") -> None:
    """Send all logs to standard error. ``log_format``: ``text`` or ``json``; ``level``: debug, info, warning, error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def event(logger: logging.Logger, level: int, message: str, /, **fields: Field) -> None:
    """Log one event with its fields; the message is constant text, what varies is a field."""
    logger.log(level, message, extra={"fields": fields})
