"""How a token looks in JSON: Keystone's ``{"token": {...}}``.

Reads the catalogue from the caller's transaction; otherwise pure.
"""

from __future__ import annotations

import msgspec

from nebula_controller.identity.attributes import timestamp
from nebula_controller.identity.authenticator import Party, Principal
from nebula_controller.identity.collection import Values
from nebula_controller.identity.services_api import catalogue
from nebula_controller.identity.token import ScopeKind
from nebula_controller.store.database import Transaction


def token_body(tx: Transaction, principal: Principal, base_url: str, *, with_catalogue: bool) -> Values:
    """The body of ``POST`` and ``GET /v3/auth/tokens``."""
    content = principal.content
    token: Values = {
        "methods": content.methods,
        "user": {
            **_party(principal.user),
            "password_expires_at": timestamp(principal.user.password_expires_at),
        },
        "audit_ids": content.audit_ids,
        "expires_at": timestamp(content.expires_at),
        "issued_at": timestamp(content.issued_at),
    }
    if principal.application_credential is not None:
        token["application_credential"] = msgspec.structs.asdict(principal.application_credential)
    if content.scope is ScopeKind.NONE:
        return {"token": token}
    token["roles"] = [{"id": role.id, "name": role.name} for role in principal.roles]
    if content.scope is ScopeKind.SYSTEM:
        token["system"] = {"all": True}
    elif content.scope is ScopeKind.DOMAIN and principal.scope is not None:
        token["domain"] = {"id": principal.scope.id, "name": principal.scope.name}
    elif principal.scope is not None:
        token["project"] = _party(principal.scope)
        token["is_domain"] = False
    if with_catalogue:
        token["catalog"] = catalogue(tx, base_url, principal.caller.project_id)
    return {"token": token}


def _party(party: Party) -> Values:
    return {"id": party.id, "name": party.name, "domain": {"id": party.domain_id, "name": party.domain_name}}
