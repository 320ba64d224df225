"""Which hosts have joined, and the one-time tokens by which they do. Effects: the tables of both; randomness.

A token's secret is 128 random bits and kept as SHA-256 alone. A name that has joined is taken: only a token that was
made for it, or its revocation, lets it join anew, so that who got any token cannot become another node.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nebula.errors import Conflict, Forbidden, NotFound
from nebula.ids import Host
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.nodes import join_tokens, node_memberships

TOKENS_KEPT_S = 7 * 86_400
"""So long a token is still listed after its time is over."""

_MEMBER = select(node_memberships).where(node_memberships.c.host == bindparam("node"))
_MEMBERS = select(node_memberships).order_by(node_memberships.c.host)
_TOKEN = select(join_tokens).where(join_tokens.c.id == bindparam("token"))
_TOKENS = select(join_tokens).order_by(join_tokens.c.created_at, join_tokens.c.id)
_USE = update(join_tokens).where(join_tokens.c.id == bindparam("token"), join_tokens.c.used_at.is_(None))
_CHANGE = update(node_memberships).where(node_memberships.c.host == bindparam("node"))


class Member(msgspec.Struct, frozen=True):
    """A host that has joined. ``expires_at_s``: the end of its newest certificate; ``revoked_at`` RFC 3339.

    ``signed_by``: key identifier of the authority of the certificate that it showed last; None: it is not known yet.
    """

    host: Host
    membership: str
    joined_at: str
    expires_at_s: float
    revoked_at: str | None
    signed_by: str | None


def member(tx: Transaction, host: str) -> Member | None:
    """None where no such host has joined."""
    row = tx.execute(_MEMBER, {"node": host}).mappings().one_or_none()
    return _member(row) if row is not None else None


def members(tx: Transaction) -> dict[Host, Member]:
    """All, by host."""
    return {Host(row["host"]): _member(row) for row in tx.execute(_MEMBERS).mappings()}


def join(tx: Transaction, token_id: str, secret: str, host: Host, now_s: float) -> str:
    """Use the token up for this host; its new membership. Raises Forbidden and Conflict, and then uses nothing up."""
    token = tx.execute(_TOKEN, {"token": token_id}).mappings().one_or_none()
    if token is None or not hmac.compare_digest(_hash(secret), token["secret_hash"]):
        raise Forbidden("The controller knows no such token. Make one with 'nebulactl node token create'.")
    again = "Make another one with 'nebulactl node token create'."
    if token["used_at"] is not None:
        raise Forbidden(f"Token {token_id} was used by {token['used_by']} at {token['used_at']}. {again}")
    if now_s >= token["expires_at"]:
        raise Forbidden(f"Token {token_id} has ended at {_time(token['expires_at'])}. {again}")
    if token["host"] is not None and token["host"] != host:
        raise Forbidden(f"Token {token_id} is for {token['host']} alone, not for {host}.")
    known = member(tx, host)
    if known is not None and known.revoked_at is None and token["host"] is None:
        raise Conflict(
            f"A node {host} has joined at {known.joined_at}. If this is the same machine, make a token for it alone "
            f"('nebulactl node token create --host {host}'); if it is another one, give it another name (host)."
        )
    tx.execute(_USE, {"token": token_id, "used_at": _time(now_s), "used_by": host})
    membership = str(uuid.uuid4())
    values = {"membership": membership, "joined_at": _time(now_s), "token_id": token_id, "revoked_at": None}
    statement = upsert(node_memberships).values(host=host, expires_at=now_s, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["host"], set_=values))
    return membership


def extend(tx: Transaction, host: Host, expires_at_s: float) -> None:
    """The host has a newer certificate."""
    tx.execute(_CHANGE, {"node": host, "expires_at": expires_at_s})


def shows(tx: Transaction, host: Host, signed_by: str) -> None:
    """The host has, and shows, a certificate of this authority."""
    tx.execute(_CHANGE, {"node": host, "signed_by": signed_by})


def revoke(tx: Transaction, host: str, now_s: float) -> None:
    """No certificate of the host counts any more. Raises NotFound. Done before: nothing changes."""
    known = member(tx, host)
    if known is None:
        raise NotFound(f"No node {host} has joined.")
    if known.revoked_at is None:
        tx.execute(_CHANGE, {"node": host, "revoked_at": _time(now_s)})


def create_token(
    tx: Transaction, host: str | None, description: str, lifetime_s: float, now_s: float
) -> tuple[dict[str, Any], str]:
    """What may be shown of a new token, and its secret, which is nowhere else."""
    tx.execute(delete(join_tokens).where(join_tokens.c.expires_at < now_s - TOKENS_KEPT_S))
    identity, secret = secrets.token_hex(4), secrets.token_hex(16)
    row = {
        "id": identity,
        "secret_hash": _hash(secret),
        "host": host,
        "description": description,
        "created_at": _time(now_s),
        "expires_at": now_s + lifetime_s,
    }
    tx.execute(insert(join_tokens), row)
    return _shown({**row, "used_at": None, "used_by": None}, now_s), secret


def tokens(tx: Transaction, now_s: float) -> list[dict[str, Any]]:
    """All that are still known, the oldest first."""
    return [_shown(row, now_s) for row in tx.execute(_TOKENS).mappings()]


def delete_token(tx: Transaction, identity: str) -> None:
    """Raises NotFound."""
    if not tx.execute(delete(join_tokens).where(join_tokens.c.id == identity)).rowcount:
        raise NotFound(f"There is no token {identity}.")


def _shown(row: Any, now_s: float) -> dict[str, Any]:
    state = "used" if row["used_at"] else "expired" if now_s >= row["expires_at"] else "unused"
    return {
        "id": row["id"],
        "host": row["host"],
        "description": row["description"],
        "created_at": row["created_at"],
        "expires_at": _time(row["expires_at"]),
        "used_at": row["used_at"],
        "used_by": row["used_by"],
        "state": state,
    }


def _member(row: Any) -> Member:
    return Member(
        host=Host(row["host"]),
        membership=row["membership"],
        joined_at=row["joined_at"],
        expires_at_s=row["expires_at"],
        revoked_at=row["revoked_at"],
        signed_by=row["signed_by"],
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
