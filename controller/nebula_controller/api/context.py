"""Who calls, and within which request. Pure.

For those who write a service: a handler gets a ``Call`` (``api.endpoint``) whose ``context`` is a ``RequestContext``;
pass that on to ``database.write(context)``. The identity service supplies an ``Authenticator``: ``authenticate(token)``
says who the bearer of an ``X-Auth-Token`` is, or raises ``nebula.errors.Unauthorized``.
"""

from __future__ import annotations

import uuid
from typing import Protocol

import msgspec

from nebula.ids import Host
from nebula_controller.api.policy import ADMIN_ROLE, Policy, Target

NO_RULES = Policy({})
"""Administrators may do everything, others nothing."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. It is scoped to one project, one domain, the whole system, or to nothing.

    ``project_id`` and ``domain_id`` are None, ``system_scope`` is False, where the scope is another.
    """

    user_id: str
    user_name: str = ""
    user_domain_id: str = "default"
    project_id: str | None = None
    project_name: str = ""
    project_domain_id: str = "default"
    domain_id: str | None = None
    system_scope: bool = False
    roles: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Neutron's ``context_is_admin``: the role ``admin`` in whatever project."""
        return ADMIN_ROLE in self.roles


NODE = "nebula.node"
"""The key of the ASGI scope that has the ``NodeCertificate``; there is none where no node is at the other end."""


class NodeCertificate(msgspec.Struct, frozen=True):
    """What the certificate says that a node has shown, and that the TLS listener has verified.

    ``membership`` is of the time that the node joined: renewals keep it. ``signed_by`` is the authority's key
    identifier. Times are seconds since the epoch.
    """

    host: Host
    membership: str
    expires_at_s: float
    renew_at_s: float
    signed_by: str


class Authenticator(Protocol):
    """Supplied by the identity service."""

    def authenticate(self, token: str) -> Caller:
        """Raises ``Unauthorized`` where the token is not valid; the message never repeats the token."""
        ...


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """One request: its id (``req-<uuid>``), method and path, who makes it (None where nobody logged in), and by
    which rules it is judged.
    """

    request_id: str
    method: str
    path: str
    caller: Caller | None = None
    policy: Policy = NO_RULES
    dry_run: bool = False
    """Nothing is to be kept: a write ends with ``store.database.Rehearsed``."""

    @property
    def user_id(self) -> str | None:
        """The caller's user."""
        return self.caller.user_id if self.caller else None

    @property
    def project_id(self) -> str | None:
        """The project that the caller's token is scoped to."""
        return self.caller.project_id if self.caller else None

    @property
    def domain_id(self) -> str | None:
        """The domain that the caller's token is scoped to."""
        return self.caller.domain_id if self.caller else None

    @property
    def system_scope(self) -> bool:
        """The caller's token is scoped to the whole system."""
        return self.caller is not None and self.caller.system_scope

    @property
    def roles(self) -> frozenset[str]:
        """The caller's roles on the token's scope, implied ones too."""
        return self.caller.roles if self.caller else frozenset()

    @property
    def is_admin(self) -> bool:
        """Sees the objects of every project. What may be done with them is the policy's (``allows``)."""
        return self.caller is not None and self.caller.is_admin

    def allows(self, rule: str, target: Target) -> bool:
        """Whether the policy's rule lets the caller."""
        return self.policy.allows(self.caller, rule, target)

    def require(self, rule: str, target: Target) -> None:
        """``Forbidden`` unless ``allows``."""
        self.policy.require(self.caller, rule, target)


def new_request_id() -> str:
    """``req-`` and a random UUID, as in every OpenStack service."""
    return f"req-{uuid.uuid4()}"


def internal(name: str) -> RequestContext:
    """The context of what no API call caused (``scheduler``, ``status``): allowed everything, recorded as such."""
    caller = Caller(user_id=name, user_name=name, roles=frozenset({ADMIN_ROLE}))
    return RequestContext(request_id=new_request_id(), method="INTERNAL", path=name, caller=caller)
