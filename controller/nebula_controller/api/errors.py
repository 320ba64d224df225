"""The shapes in which OpenStack services put errors. Pure.

A service of another shape (Keystone's, Nova's) brings its own function of the type ``ErrorShape``.
"""

from __future__ import annotations

from collections.abc import Callable

from nebula.errors import NebulaError

ErrorShape = Callable[[NebulaError], object]
"""From an error to what is encoded as the JSON body of the answer."""


class MethodNotAllowed(NebulaError):
    """The path exists, the method does not (HTTP 405)."""

    status = 405
    type_name = "HTTPMethodNotAllowed"


class TooLarge(NebulaError):
    """The body exceeds the limit (HTTP 413)."""

    status = 413
    type_name = "HTTPRequestEntityTooLarge"


class InternalError(NebulaError):
    """Something that nobody foresaw; the log has it, the client does not (HTTP 500)."""

    status = 500
    type_name = "HTTPInternalServerError"


def neutron_shape(error: NebulaError) -> object:
    """Neutron's ``{"NeutronError": {"type", "message", "detail"}}``."""
    return {"NeutronError": {"type": error.type_name, "message": error.message, "detail": ""}}


def keystone_shape(error: NebulaError) -> object:
    """Keystone's ``{"error": {"code", "title", "message"}}``; also what its middleware answers 401 with elsewhere."""
    return {"error": {"code": error.status, "title": _TITLES.get(error.status, "Error"), "message": error.message}}


_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
