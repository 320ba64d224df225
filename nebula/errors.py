"""The one error tree of Nebula.

Pure. Callers ask by class, never by message. A message names the object, what was wrong and what to do;
it is what a person sees, so it never holds a secret or a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class NebulaError(Exception):
    """Everything that Nebula raises on purpose.

    ``type_name`` is what an OpenStack client reads as the error's type (Neutron's names where it has one).
    """

    status = 500
    type_name = "NebulaError"

    def __init__(self, message: str, *, type_name: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if type_name is not None:
            self.type_name = type_name


class BadRequest(NebulaError):
    """The request is wrong by itself, whatever the database holds (HTTP 400)."""

    status = 400
    type_name = "BadRequest"


class InvalidAttribute(BadRequest):
    """One attribute has the wrong type, range or form; the message starts with its name (HTTP 400)."""

    type_name = "HTTPBadRequest"

    def __init__(self, attribute: str, problem: str, *, type_name: str | None = None) -> None:
        super().__init__(f"Invalid input for {attribute}. Reason: {problem}.", type_name=type_name)
        self.attribute = attribute
        self.problem = problem


class Unauthorized(NebulaError):
    """Nobody is authenticated (HTTP 401)."""

    status = 401
    type_name = "Unauthorized"


class Forbidden(NebulaError):
    """The caller is known and may not do this (HTTP 403)."""

    status = 403
    type_name = "PolicyNotAuthorized"


class NotFound(NebulaError):
    """There is no such object, or the caller may not know that there is (HTTP 404)."""

    status = 404
    type_name = "HTTPNotFound"


class Conflict(NebulaError):
    """The request is right by itself and clashes with what exists (HTTP 409)."""

    status = 409
    type_name = "Conflict"


class PreconditionFailed(NebulaError):
    """``If-Match`` names another revision than the object's (HTTP 412)."""

    status = 412
    type_name = "RevisionNumberConstraintFailed"


class Unavailable(NebulaError):
    """Something that is needed for this does not answer now; trying again may help (HTTP 503)."""

    status = 503
    type_name = "ServiceUnavailable"


class Untrusted(Unavailable):
    """Who answers there shows a certificate of nobody that is trusted here, or out of its time."""


class UnknownAuthority(Untrusted):
    """The certificate is of an authority that is not trusted here."""


class ConfigError(NebulaError):
    """A configuration file, flag or the machine itself does not allow the program to start."""

    type_name = "ConfigError"


class CommandFailed(NebulaError):
    """A program that an edge ran ended with an error or ran out of time."""

    type_name = "CommandFailed"

    def __init__(self, argv: Sequence[str], exit_code: int | None, stderr: str) -> None:
        first = stderr.strip().splitlines()[0] if stderr.strip() else "no message"
        how = "timed out" if exit_code is None else f"exit {exit_code}"
        super().__init__(f"{' '.join(argv[:6])}{' ...' if len(argv) > 6 else ''}: {how}: {first}")
        self.argv = tuple(argv)
        self.exit_code = exit_code
        self.stderr = stderr


class KernelRefused(NebulaError):
    """A netlink, ioctl or OVSDB request was refused; ``errno_name`` is the kernel's (``EEXIST``...) or empty."""

    type_name = "KernelRefused"

    def __init__(self, message: str, errno_name: str = "") -> None:
        super().__init__(message)
        self.errno_name = errno_name
