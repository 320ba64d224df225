"""Credentials that can be read back, above all EC2-style key pairs, and logging in with a signature of one.

Effects: the database; secrets in it are encrypted with the credential keys, which are not those of tokens.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nebula.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized, Unavailable
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, policy
from nebula_controller.identity.appcreds import require_unrestricted
from nebula_controller.identity.attributes import CredentialChange, CredentialNew, Ec2New
from nebula_controller.identity.authenticator import Principal, principal_of, user_standing
from nebula_controller.identity.collection import Values, listing
from nebula_controller.identity.ec2signature import SignedRequest, signature_matches, signed_at
from nebula_controller.identity.policy import Target
from nebula_controller.identity.proofs import REFUSED
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import ScopeKind, TokenContent, new_audit_id
from nebula_controller.identity.tokenbody import token_body
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import credentials, projects, users

EC2 = "ec2"
MAX_AGE_S = 15 * 60
"""How old a version 4 signature may be (Keystone's ``auth_ttl``)."""


class KeyPair(msgspec.Struct, frozen=True):
    """The blob of an EC2 credential, as Keystone stores it."""

    access: str
    secret: str
    trust_id: str | None = None


class Credentials:
    """``/v3/credentials``, ``/v3/users/{user_id}/credentials/OS-EC2`` and ``/v3/ec2tokens``."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The routes."""
        one = "/v3/credentials/{id}"
        mine = "/v3/users/{user_id}/credentials/OS-EC2"
        return [
            Operation("GET", "/v3/credentials", self.index),
            Operation("POST", "/v3/credentials", self.create),
            Operation("GET", one, self.show),
            Operation("HEAD", one, self.show),
            Operation("PATCH", one, self.update),
            Operation("DELETE", one, self.delete),
            Operation("GET", mine, self.pairs),
            Operation("POST", mine, self.create_pair),
            Operation("GET", f"{mine}/{{id}}", self.show_pair),
            Operation("DELETE", f"{mine}/{{id}}", self.delete_pair),
            Operation("POST", "/v3/ec2tokens", self.log_in),
        ]

    def create(self, call: Call) -> Answer:
        """201; one of type ``ec2`` gets its id from its access key."""
        principal = self.site.principal(call)
        given = attributes.read_object(call.raw, "credential")
        wanted = attributes.convert(given, CredentialNew)
        user_id = wanted.user_id or principal.user.id
        policy.require(principal, "create_credential", Target(user_id=user_id))
        require_unrestricted(principal)
        credential_id = uuid.uuid4().hex
        if wanted.type == EC2:
            if wanted.project_id is None:
                raise BadRequest("A credential of type ec2 is for one project: project_id is required.")
            credential_id = _id_of(_pair(wanted.blob).access)
        with self.site.change(call) as tx:
            values = {"id": credential_id, "user_id": user_id, "project_id": wanted.project_id, "type": wanted.type}
            self._store(tx, {**values, "extra": attributes.extras(given, CredentialNew)}, wanted.blob)
            shown = self._show(self._row(tx, credential_id), call)
        return Answer(201, {"credential": shown})

    def index(self, call: Call) -> Answer:
        """200 with those of everybody for who may see them, else with one's own; ``user_id`` and ``type`` filter."""
        principal = self.site.principal(call)
        statement = select(credentials)
        for name, text in call.query:
            if name in {"user_id", "type"}:
                statement = statement.where(credentials.c[name] == text)
        if not policy.allowed(principal, "list_credentials"):
            statement = statement.where(credentials.c.user_id == principal.user.id)
        with self.site.database.read() as tx:
            shown = [self._show(row, call) for row in tx.execute(statement.order_by(credentials.c.id)).all()]
        return Answer(200, listing("credentials", shown, call))

    def show(self, call: Call) -> Answer:
        """200, or 404."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            shown = self._show(self._found(tx, principal, "get_credential", call), call)
        return Answer(200, {"credential": shown})

    def update(self, call: Call) -> Answer:
        """200 with the changed one; whom it belongs to only an administrator changes."""
        principal = self.site.principal(call)
        require_unrestricted(principal)
        given = attributes.read_object(call.raw, "credential")
        values = attributes.given(attributes.convert(given, CredentialChange))
        with self.site.change(call) as tx:
            row = self._found(tx, principal, "update_credential", call)
            if values.get("user_id", row.user_id) != row.user_id and not principal.caller.is_admin:
                raise Forbidden("Only an administrator gives a credential to another user.")
            if values.get("type", row.type) != row.type:
                raise BadRequest("The type of a credential cannot be changed.")
            self._check_places(tx, values.get("user_id"), values.get("project_id"))
            blob = values.pop("blob", None)
            if isinstance(blob, str):
                if row.type == EC2 and _id_of(_pair(blob).access) != row.id:
                    raise BadRequest("The access key of a credential cannot be changed.")
                values["sealed_blob"] = self._seal(blob)
            values["extra"] = {**row.extra, **attributes.extras(given, CredentialChange)}
            tx.execute(update(credentials).where(credentials.c.id == row.id).values(**values))
            shown = self._show(self._row(tx, row.id), call)
        return Answer(200, {"credential": shown})

    def delete(self, call: Call) -> Answer:
        """204."""
        principal = self.site.principal(call)
        require_unrestricted(principal)
        with self.site.change(call) as tx:
            row = self._found(tx, principal, "delete_credential", call)
            tx.execute(delete(credentials).where(credentials.c.id == row.id))
        return Answer(204)

    def create_pair(self, call: Call) -> Answer:
        """201 with a new access key and its secret, for the user on one project."""
        principal = self.site.principal(call)
        user_id = call.path["user_id"]
        policy.require(principal, "ec2_create_credential", Target(user_id=user_id))
        require_unrestricted(principal)
        wanted = attributes.convert(attributes.read_body(call.raw), Ec2New)
        pair = KeyPair(uuid.uuid4().hex, secrets.token_hex(16))
        with self.site.change(call) as tx:
            blob = msgspec.json.encode(pair).decode()
            values = {"id": _id_of(pair.access), "user_id": user_id, "project_id": wanted.tenant_id, "type": EC2}
            self._store(tx, values, blob)
            shown = self._show_pair(self._row(tx, _id_of(pair.access)), call)
        return Answer(201, {"credential": shown})

    def pairs(self, call: Call) -> Answer:
        """200 with the user's."""
        user_id = call.path["user_id"]
        policy.require(self.site.principal(call), "ec2_list_credentials", Target(user_id=user_id))
        mine = select(credentials).where(credentials.c.user_id == user_id, credentials.c.type == EC2)
        with self.site.database.read() as tx:
            shown = [self._show_pair(row, call) for row in tx.execute(mine.order_by(credentials.c.id)).all()]
        return Answer(200, listing("credentials", shown, call))

    def show_pair(self, call: Call) -> Answer:
        """200, or 404."""
        policy.require(self.site.principal(call), "ec2_get_credential", Target(user_id=call.path["user_id"]))
        with self.site.database.read() as tx:
            shown = self._show_pair(self._users_pair(tx, call), call)
        return Answer(200, {"credential": shown})

    def delete_pair(self, call: Call) -> Answer:
        """204, or 404."""
        principal = self.site.principal(call)
        policy.require(principal, "ec2_delete_credential", Target(user_id=call.path["user_id"]))
        require_unrestricted(principal)
        with self.site.change(call) as tx:
            row = self._users_pair(tx, call)
            tx.execute(delete(credentials).where(credentials.c.id == row.id))
        return Answer(204)

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
            secret = self._opened(row).secret if row is not None and row.type == EC2 else secrets.token_hex(16)
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

    def _found(self, tx: Transaction, principal: Principal, action: str, call: Call) -> Row[Any]:
        row = tx.execute(select(credentials).where(credentials.c.id == call.path["id"])).one_or_none()
        policy.require(principal, action, Target(user_id=row.user_id) if row is not None else Target())
        return row if row is not None else self._row(tx, call.path["id"])

    def _users_pair(self, tx: Transaction, call: Call) -> Row[Any]:
        row = self._row(tx, _id_of(call.path["id"]))
        if row.user_id != call.path["user_id"] or row.type != EC2:
            raise NotFound(f"Could not find credential: {call.path['id']}.")
        return row

    def _row(self, tx: Transaction, credential_id: str) -> Row[Any]:
        row = tx.execute(select(credentials).where(credentials.c.id == credential_id)).one_or_none()
        if row is None:
            raise NotFound(f"Could not find credential: {credential_id}.")
        return row

    def _store(self, tx: Transaction, values: Values, blob: str) -> None:
        self._check_places(tx, values["user_id"], values["project_id"])
        try:
            tx.execute(insert(credentials).values(**values, sealed_blob=self._seal(blob)))
        except IntegrityError as error:
            raise Conflict("Conflict occurred attempting to store credential - Duplicate entry.") from error

    def _check_places(self, tx: Transaction, user_id: object, project_id: object) -> None:
        for noun, table, wanted in (("user", users, user_id), ("project", projects, project_id)):
            if wanted is not None and tx.execute(select(table.c.id).where(table.c.id == wanted)).first() is None:
                raise NotFound(f"Could not find {noun}: {wanted}.")

    def _seal(self, blob: str) -> bytes:
        return self.site.vault.cipher().encrypt(blob.encode())

    def _blob(self, row: Row[Any]) -> str:
        try:
            return self.site.vault.cipher().decrypt(row.sealed_blob).decode()
        except InvalidToken as error:
            raise Unavailable("The credential keys that encrypted this credential are gone.") from error

    def _opened(self, row: Row[Any]) -> KeyPair:
        return _pair(self._blob(row))

    def _show(self, row: Row[Any], call: Call) -> Values:
        return {
            **row.extra,
            "id": row.id,
            "user_id": row.user_id,
            "project_id": row.project_id,
            "type": row.type,
            "blob": self._blob(row),
            "links": {"self": f"{self.site.v3_url(call)}/credentials/{row.id}"},
        }

    def _show_pair(self, row: Row[Any], call: Call) -> Values:
        pair = self._opened(row)
        url = f"{self.site.v3_url(call)}/users/{row.user_id}/credentials/OS-EC2/{pair.access}"
        names = {"user_id": row.user_id, "tenant_id": row.project_id, "links": {"self": url}}
        return {**msgspec.structs.asdict(pair), **names}


def _id_of(access: str) -> str:
    """Keystone's: an EC2 credential is found by the hash of its access key."""
    return hashlib.sha256(access.encode("utf-8", "surrogatepass")).hexdigest()


def _pair(blob: str) -> KeyPair:
    try:
        return msgspec.json.decode(blob, type=KeyPair)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("The blob of an ec2 credential is a JSON object with access and secret.") from error
