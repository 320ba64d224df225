"""Credentials that can be read back, above all EC2-style key pairs, and logging in with a signature of one.

Effects: the database; secrets in it are encrypted with the credential keys, which are not those of tokens.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken
from sqlalchemy import ColumnElement, Row, Select, select

from nebula.errors import BadRequest, Forbidden, InvalidAttribute, Unauthorized, Unavailable
from nebula.model.credential import CREDENTIAL, EC2_CREDENTIAL
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, policy
from nebula_controller.identity.appcreds_api import require_unrestricted
from nebula_controller.identity.authenticator import Principal, principal_of, user_standing
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.identity.ec2signature import SignedRequest, signature_matches, signed_at
from nebula_controller.identity.policy import Target
from nebula_controller.identity.proofs import REFUSED
from nebula_controller.identity.token import ScopeKind, TokenContent, new_audit_id
from nebula_controller.identity.tokenbody import token_body
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import credentials

EC2 = "ec2"
MAX_AGE_S = 15 * 60
"""How old a version 4 signature may be (Keystone's ``auth_ttl``)."""


class _Pair(msgspec.Struct, frozen=True):
    """The blob of an EC2 credential, as Keystone stores it."""

    access: str
    secret: str
    trust_id: str | None = None


class _Sealed(Collection):
    """What is stored encrypted."""

    def seal(self, blob: str) -> bytes:
        """Text to store."""
        return self.site.vault.cipher().encrypt(blob.encode())

    def opened(self, row: Any) -> str:
        """What was stored. Unavailable without the keys."""
        try:
            return self.site.vault.cipher().decrypt(row.sealed_blob).decode()
        except InvalidToken as error:
            raise Unavailable("The credential keys that encrypted this credential are gone.") from error


class Credentials(_Sealed):
    """``/v3/credentials``."""

    resource = CREDENTIAL

    def admit(self, principal: Principal, verb: str, call: Call) -> None:
        """By whose it is; of a new one the body says that."""
        require_unrestricted(principal)
        if verb != "create":
            with self.site.database.read() as tx:
                self.find(tx, principal, self.action(verb), call)

    def visible(self, principal: Principal, call: Call) -> list[ColumnElement[bool]]:
        """Those of everybody for who may see them, else one's own."""
        return [] if policy.allowed(principal, self.action("list")) else [credentials.c.user_id == principal.user.id]

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """One of type ``ec2`` gets its id from its access key."""
        user_id = values["user_id"] or principal.user.id
        policy.require(principal, self.action("create"), Target(user_id=user_id))
        if values["type"] == EC2:
            if values["project_id"] is None:
                raise BadRequest("A credential of type ec2 is for one project: project_id is required.")
            values["id"] = _id_of(_pair(values["blob"]).access)
        sealed = self.seal(values["blob"])
        return super().before_create(tx, principal, {**values, "user_id": user_id, "sealed_blob": sealed})

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """The new values; whom it belongs to only an administrator changes."""
        user_id, blob = values.get("user_id", row.user_id), values.get("blob")
        if user_id is None:
            raise InvalidAttribute("user_id", "Expected `str`, got `null`")
        if user_id != row.user_id and not principal.caller.is_admin:
            raise Forbidden("Only an administrator gives a credential to another user.")
        if values.get("type", row.type) != row.type:
            raise BadRequest("The type of a credential cannot be changed.")
        if blob is not None:
            if row.type == EC2 and _id_of(_pair(blob).access) != row.id:
                raise BadRequest("The access key of a credential cannot be changed.")
            values["sealed_blob"] = self.seal(blob)
        return super().before_update(tx, principal, row, values)

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """With what is kept."""
        shown = super().render(tx, rows, v3_url)
        return [{**one, "blob": self.opened(row)} for one, row in zip(shown, rows, strict=True)]


class KeyPairs(_Sealed):
    """``/v3/users/{user_id}/credentials/OS-EC2``, of the credentials those of type ``ec2``, and ``/v3/ec2tokens``."""

    resource = EC2_CREDENTIAL
    actions = "ec2_"

    def operations(self) -> list[Operation]:
        """All but changes, and logging in."""
        return [*super().operations(), Operation("POST", "/v3/ec2tokens", self.log_in)]

    def admit(self, principal: Principal, verb: str, call: Call) -> None:
        """Not with the token of a restricted application credential."""
        super().admit(principal, verb, call)
        require_unrestricted(principal)

    def read(self, call: Call) -> dict[str, object]:
        """Under no name."""
        return attributes.read_body(call.raw)

    def key(self, call: Call) -> str:
        """Of an access key."""
        return _id_of(call.path["id"])

    def rows(self, call: Call) -> Select[Any]:
        """Of their type."""
        return super().rows(call).where(credentials.c.type == EC2)

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """A new access key and its secret, for the user on one project."""
        pair = _Pair(uuid.uuid4().hex, secrets.token_hex(16))
        sealed = self.seal(msgspec.json.encode(pair).decode())
        stored = {"id": _id_of(pair.access), "project_id": values["tenant_id"], "type": EC2, "sealed_blob": sealed}
        return super().before_create(tx, principal, {**values, **stored})

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """Pairs, by their access keys."""
        del tx
        return [self._shown(row, _pair(self.opened(row)), v3_url) for row in rows]

    def _shown(self, row: Row[Any], pair: _Pair, v3_url: str) -> Values:
        url = f"{v3_url}{self.resource.path.format(user_id=row.user_id)}/{pair.access}"
        return {
            **msgspec.structs.asdict(pair),
            **{"user_id": row.user_id, "tenant_id": row.project_id, "links": {"self": url}},
        }

    def log_in(self, call: Call) -> Answer:
        """200 with the token that a signed request stands for: what an EC2 front asks about its client's request.

        It needs a token itself (an administrator's, or one with the role ``service``), as in Keystone since the
        signature of a presigned URL, which is no secret, gave tokens to everybody (CVE-2025-65073).
        """
        policy.require(self.site.principal(call), "ec2_validate_signature")
        body = attributes.read_body(call.raw)
        given = body.get("credentials", body.get("ec2Credentials"))
        if not isinstance(given, dict):
            raise BadRequest("Expecting to find credentials in the body.")
        request = attributes.convert(given, SignedRequest)
        now = self.site.clock()
        at = signed_at(request)
        with self.site.database.read() as tx:
            row = tx.execute(select(credentials).where(credentials.c.id == _id_of(request.access))).one_or_none()
            secret = _pair(self.opened(row)).secret if row is not None and row.type == EC2 else secrets.token_hex(16)
            right = signature_matches(request, secret)
            if row is None or not right or (at is not None and abs(now - at) > MAX_AGE_S):
                raise Unauthorized(REFUSED)
            user = user_standing(tx, row.user_id)
            if user is None or not user.enabled:
                raise Unauthorized(REFUSED)
            content = TokenContent(
                user_id=row.user_id,
                methods=("ec2credential",),
                scope=ScopeKind.PROJECT,
                scope_id=row.project_id,
                issued_at=now,
                expires_at=now + self.site.token_lifetime_s,
                audit_ids=(new_audit_id(),),
            )
            principal = principal_of(tx, content, user.party)
            answer = token_body(tx, principal, self.site.base_url(call), with_catalogue=True)
        return Answer(200, answer, {"X-Subject-Token": self.site.codec.encode(content), "Vary": "X-Auth-Token"})


def _id_of(access: str) -> str:
    """Keystone's: an EC2 credential is found by the hash of its access key."""
    return hashlib.sha256(access.encode("utf-8", "surrogatepass")).hexdigest()


def _pair(blob: str) -> _Pair:
    try:
        return msgspec.json.decode(blob, type=_Pair)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("The blob of an ec2 credential is a JSON object with access and secret.") from error
