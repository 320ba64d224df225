"""What a token says, and its form on the wire: Fernet over MessagePack.

Pure but for ``TokenCodec``, which asks the key repository for the current keys. Not here: whether what the
token says still holds (``authenticator``). A Fernet token is no row in the database: everything is in its text.
The other provider is in ``uuidtokens``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import uuid
from typing import Protocol

import msgspec
from cryptography.fernet import InvalidToken

from nebula.errors import Unauthorized
from nebula_controller.identity.keys import KeyRepository

MAX_TOKEN_CHARACTERS = 1024
_VERSION = 1
_METHODS = ("password", "token", "application_credential", "ec2credential")
"""The place in the list is the bit in ``methods``: only ever append."""
_HEX, _TEXT = b"\0", b"\1"


class ScopeKind(enum.IntEnum):
    """What a token's roles hold on. The numbers are on the wire: only ever append."""

    NONE = 0
    PROJECT = 1
    DOMAIN = 2
    SYSTEM = 3


class TokenContent(msgspec.Struct, frozen=True):
    """What a token says. Times are seconds since the epoch; ``audit_ids`` are its own and that of its chain's first."""

    user_id: str
    methods: tuple[str, ...]
    scope: ScopeKind
    scope_id: str
    issued_at: float
    expires_at: float
    audit_ids: tuple[str, ...]
    application_credential_id: str = ""


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    version: int
    user: bytes
    methods: int
    scope: ScopeKind
    scope_id: bytes
    issued_at: float
    expires_at: float
    audit_ids: tuple[bytes, ...]
    application_credential: bytes = b"\1"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def new_audit_id() -> str:
    """22 characters that name a token in logs and revocations without being the token."""
    return _audit_text(uuid.uuid4().bytes)


class TokenProvider(Protocol):
    """Token content to token text and back. Not to be called inside a transaction: it may have one of its own."""

    def generation(self) -> int:
        """Another number once tokens that were read before may be void for the provider's own reasons."""
        ...

    def encode(self, content: TokenContent) -> str:
        """The text that stands for this content from now on."""
        ...

    def decode(self, token: str) -> TokenContent:
        """What the token says, expired or not. Unauthorized where it is not one of ours."""
        ...


class TokenCodec:
    """Fernet: the content itself, encrypted."""

    def __init__(self, keys: KeyRepository) -> None:
        self._keys = keys

    def generation(self) -> int:
        """Another number once the keys have changed: a token that was read before may have no key any more."""
        return self._keys.generation()

    def encode(self, content: TokenContent) -> str:
        """The token's text: some 200 characters of a URL's alphabet, without padding (as Keystone's)."""
        return self._keys.cipher().encrypt(to_bytes(content)).decode("ascii").rstrip("=")

    def decode(self, token: str) -> TokenContent:
        """What the token says, expired or not. Unauthorized where no key of ours made it."""
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise Unauthorized("The token is not one of ours.")
        try:
            padded = token + "=" * (-len(token) % 4)
            return from_bytes(self._keys.cipher().decrypt(padded.encode("ascii")))
        except (InvalidToken, msgspec.DecodeError, binascii.Error) as error:
            raise Unauthorized("The token is not one of ours.") from error


def to_bytes(content: TokenContent) -> bytes:
    """The content, packed: some 100 bytes."""
    wire = _Wire(
        _VERSION,
        _pack(content.user_id),
        sum(1 << _METHODS.index(method) for method in set(content.methods)),
        content.scope,
        _pack(content.scope_id),
        content.issued_at,
        content.expires_at,
        tuple(_audit_bytes(audit_id) for audit_id in content.audit_ids),
        _pack(content.application_credential_id),
    )
    return _encoder.encode(wire)


def from_bytes(packed: bytes) -> TokenContent:
    """The reverse. msgspec.DecodeError for what is not packed content."""
    wire = _decoder.decode(packed)
    return TokenContent(
        _unpack(wire.user),
        tuple(method for bit, method in enumerate(_METHODS) if wire.methods >> bit & 1),
        wire.scope,
        _unpack(wire.scope_id),
        wire.issued_at,
        wire.expires_at,
        tuple(_audit_text(audit_id) for audit_id in wire.audit_ids),
        _unpack(wire.application_credential),
    )


def _pack(identifier: str) -> bytes:
    """17 bytes for Keystone's usual 32 hexadecimal digits; other ids (``default``) as they are. The first byte says."""
    if len(identifier) == 32:
        with contextlib.suppress(ValueError):
            value = bytes.fromhex(identifier)
            if value.hex() == identifier:
                return _HEX + value
    return _TEXT + identifier.encode()


def _unpack(packed: bytes) -> str:
    return packed[1:].hex() if packed.startswith(_HEX) else packed[1:].decode()


def _audit_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")


def _audit_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
