"""Who may do what on identity: Keystone's default policy.

Pure. An administrator (role ``admin`` on whatever scope) may do everything. A reader of the system sees
everything, a reader of a domain what belongs to that domain. Everybody sees themselves. A policy file
may change each rule, as ``identity:list_users``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from nebula.model.attribute import Resource
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.token import ScopeKind


class Target(msgspec.Struct, frozen=True):
    """What an action is on, as far as the rules ask; an empty string is nobody's."""

    domain_id: str = ""
    project_id: str = ""
    user_id: str = ""


PREFIX = "identity:"
_ADMIN = "role:admin"
_SELF = f"{_ADMIN} or user_id:%(user_id)s"
_SYSTEM_READER = f"{_ADMIN} or (role:reader and system_scope:all)"
_SYSTEM_READER_OR_SELF = f"{_SYSTEM_READER} or user_id:%(user_id)s"
_READER = f"{_SYSTEM_READER} or (role:reader and domain_id:%(domain_id)s)"
_READER_OR_SELF = f"{_READER} or user_id:%(user_id)s"
_READER_OR_SCOPE = (
    f"{_READER} or project_id:%(project_id)s or domain_id:%(only_domain_id)s or project_domain_id:%(only_domain_id)s"
)
"""A reader, or whose token is scoped to just this project (or, for a domain, to it or a project in it)."""

_FOR_ADMINS = (
    *("create_grant", "revoke_grant", "create_implied_role", "delete_implied_role"),
    *("create_project_tag", "update_project_tags", "delete_project_tag", "delete_project_tags"),
    *("add_user_to_group", "remove_user_from_group"),
)

_SPECIAL: dict[str, str] = {
    **dict.fromkeys(_FOR_ADMINS, _ADMIN),
    "get_domain": _READER_OR_SCOPE,
    "list_domains": _READER,
    "get_project": _READER_OR_SCOPE,
    "list_user_projects": _READER_OR_SELF,
    "list_project_tags": _READER_OR_SCOPE,
    "get_user": _READER_OR_SELF,
    "list_groups_for_user": _READER_OR_SELF,
    "list_users_in_group": _READER,
    "check_user_in_group": _READER,
    "get_role": _SYSTEM_READER,
    "list_roles": _SYSTEM_READER,
    "get_implied_role": _SYSTEM_READER,
    "list_implied_roles": _SYSTEM_READER,
    "list_role_inference_rules": _SYSTEM_READER,
    "list_grants": _READER,
    "check_grant": _READER,
    "list_role_assignments": _READER,
    "get_region": "@",
    "list_regions": "@",
    "get_registered_limit": "@",
    "list_registered_limits": "@",
    "get_limit_model": "@",
    "get_limit": _READER_OR_SCOPE,
    "list_limits": "@",
    "create_application_credential": "user_id:%(user_id)s",
    "list_application_credentials": _SYSTEM_READER_OR_SELF,
    "get_application_credential": _SYSTEM_READER_OR_SELF,
    "delete_application_credential": _SELF,
    "create_credential": _SELF,
    "list_credentials": _SYSTEM_READER,
    "get_credential": _SYSTEM_READER_OR_SELF,
    "update_credential": _SELF,
    "delete_credential": _SELF,
    "ec2_create_credential": _SELF,
    "ec2_list_credentials": _SYSTEM_READER_OR_SELF,
    "ec2_get_credential": _SYSTEM_READER_OR_SELF,
    "ec2_delete_credential": _SELF,
    "ec2_validate_signature": f"{_ADMIN} or role:service",
    "validate_token": _READER_OR_SELF,
    "revoke_token": _SELF,
}


def rules(kinds: Iterable[tuple[Resource[Any], Callable[[str], str]]]) -> dict[str, str]:
    """By the names that a policy file has for them; of each kind what it is and what its actions are called.

    Where nothing else is said, administrators change, and readers of the system, or of its domain, see.
    """
    usual: dict[str, str] = {}
    for resource, name in kinds:
        readers = _READER if "domain_id" in resource.attributes else _SYSTEM_READER
        changing = [verb for verb in ("create", "update", "delete") if verb != "update" or resource.is_changed]
        usual |= {**dict.fromkeys(map(name, changing), _ADMIN), **dict.fromkeys(map(name, ("get", "list")), readers)}
    return {f"{PREFIX}{action}": text for action, text in {**usual, **_SPECIAL}.items()}


def allowed(principal: Principal, action: str, target: Target = Target()) -> bool:
    """True when the principal may do ``action`` (Keystone's name, without ``identity:``) on the target."""
    return principal.policy.allows(principal.caller, f"{PREFIX}{action}", _asked(target))


def require(principal: Principal, action: str, target: Target = Target()) -> None:
    """Forbidden, in Keystone's words, unless ``allowed``."""
    principal.policy.require(principal.caller, f"{PREFIX}{action}", _asked(target))


def _asked(target: Target) -> dict[str, object]:
    """What rules may ask; ``only_domain_id`` is that of an object which belongs to no project."""
    return {
        "user_id": target.user_id,
        "project_id": target.project_id,
        "domain_id": target.domain_id,
        "only_domain_id": "" if target.project_id else target.domain_id,
    }


def require_any(principal: Principal, action: str, *targets: Target) -> None:
    """As ``require``, where being allowed on one of the targets is enough."""
    if not any(allowed(principal, action, target) for target in targets):
        require(principal, action, targets[0])


def visible_domain(principal: Principal) -> str | None:
    """The one domain whose things this principal may list; None for no limit."""
    if principal.caller.is_admin or is_system_reader(principal) or not _is_domain_reader(principal):
        return None
    return _scope_id(principal)


def is_system_reader(principal: Principal) -> bool:
    """A token with the role ``reader`` (``admin`` and ``member`` imply it) on the system."""
    return principal.content.scope is ScopeKind.SYSTEM and principal.has_role("reader")


def _is_domain_reader(principal: Principal) -> bool:
    return principal.content.scope is ScopeKind.DOMAIN and principal.has_role("reader")


def _scope_id(principal: Principal) -> str:
    return principal.scope.id if principal.scope is not None else ""
