"""Who may do what on identity: Keystone's default policy.

Pure. An administrator (role ``admin`` on whatever scope) may do everything. A reader of the system sees
everything, a reader of a domain what belongs to that domain. Everybody sees themselves. What has no row here
only an administrator may do.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nebula.errors import Forbidden
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.token import ScopeKind


class Target(msgspec.Struct, frozen=True):
    """What an action is on, as far as the rules ask; an empty string is nobody's."""

    domain_id: str = ""
    project_id: str = ""
    user_id: str = ""


Rule = Callable[[Principal, Target], bool]


def _nobody(_principal: Principal, _target: Target) -> bool:
    return False


def _anybody(_principal: Principal, _target: Target) -> bool:
    return True


def _system_reader(principal: Principal, _target: Target) -> bool:
    return is_system_reader(principal)


def _reader(principal: Principal, target: Target) -> bool:
    return is_system_reader(principal) or (_is_domain_reader(principal) and _scope_id(principal) == target.domain_id)


def _self(principal: Principal, target: Target) -> bool:
    return principal.user.id == target.user_id


def _system_reader_or_self(principal: Principal, target: Target) -> bool:
    return is_system_reader(principal) or _self(principal, target)


def _reader_or_self(principal: Principal, target: Target) -> bool:
    return _reader(principal, target) or _self(principal, target)


def _reader_or_scope(principal: Principal, target: Target) -> bool:
    """A reader, or whose token is scoped to just this project (or, for a domain, to it or a project in it)."""
    if _reader(principal, target):
        return True
    if principal.scope is None:
        return False
    if target.project_id:
        return principal.content.scope is ScopeKind.PROJECT and principal.scope.id == target.project_id
    return target.domain_id in {principal.scope.domain_id, principal.scope.id}


_RULES: dict[str, Rule] = {
    "get_domain": _reader_or_scope,
    "list_domains": _reader,
    "get_project": _reader_or_scope,
    "list_projects": _reader,
    "list_user_projects": _reader_or_self,
    "list_project_tags": _reader_or_scope,
    "get_user": _reader_or_self,
    "list_users": _reader,
    "get_group": _reader,
    "list_groups": _reader,
    "list_groups_for_user": _reader_or_self,
    "list_users_in_group": _reader,
    "check_user_in_group": _reader,
    "get_role": _system_reader,
    "list_roles": _system_reader,
    "get_implied_role": _system_reader,
    "list_implied_roles": _system_reader,
    "list_role_inference_rules": _system_reader,
    "list_grants": _reader,
    "check_grant": _reader,
    "list_role_assignments": _reader,
    "get_region": _anybody,
    "list_regions": _anybody,
    "get_service": _system_reader,
    "list_services": _system_reader,
    "get_endpoint": _system_reader,
    "list_endpoints": _system_reader,
    "get_registered_limit": _anybody,
    "list_registered_limits": _anybody,
    "get_limit_model": _anybody,
    "get_limit": _reader_or_scope,
    "list_limits": _anybody,
    "get_policy": _system_reader,
    "list_policies": _system_reader,
    "create_application_credential": _self,
    "list_application_credentials": _system_reader_or_self,
    "get_application_credential": _system_reader_or_self,
    "delete_application_credential": _self,
    "create_credential": _self,
    "list_credentials": _system_reader,
    "get_credential": _system_reader_or_self,
    "update_credential": _self,
    "delete_credential": _self,
    "ec2_create_credential": _self,
    "ec2_list_credentials": _system_reader_or_self,
    "ec2_get_credential": _system_reader_or_self,
    "ec2_delete_credential": _self,
    "ec2_validate_signature": lambda principal, _target: principal.has_role("service"),
    "validate_token": _reader_or_self,
    "revoke_token": _self,
}
_ONLY_ONESELF = frozenset({"create_application_credential"})
"""What not even an administrator does for somebody else."""


def allowed(principal: Principal, action: str, target: Target = Target()) -> bool:
    """True when the principal may do ``action`` (Keystone's name, without ``identity:``) on the target."""
    if action in _ONLY_ONESELF:
        return _self(principal, target)
    return principal.caller.is_admin or _RULES.get(action, _nobody)(principal, target)


def require(principal: Principal, action: str, target: Target = Target()) -> None:
    """Forbidden, in Keystone's words, unless ``allowed``."""
    if not allowed(principal, action, target):
        raise Forbidden(f"You are not authorized to perform the requested action: identity:{action}.")


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
