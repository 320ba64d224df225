"""How a node becomes one of the controller's: the one-time token, the request, what comes back.

Pure records and the token's text. A token carries a pin of the controller's certificate authority, so that the node
knows with whom it speaks before it sends anything (as the discovery hash of kubeadm does).
"""

from __future__ import annotations

import hashlib
import re

import msgspec

_TOKEN = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{32})\.([0-9a-f]{64})")

CONTROLLER_NAME = "nebula-controller"
"""The name in the controller's certificate that nodes look for: an authority of ours names one controller so, wherever
it is reached.
"""


class JoinToken(msgspec.Struct, frozen=True):
    """``secret`` is for the controller alone, ``pin`` for the node alone; ``id`` may be shown to everybody."""

    id: str
    secret: str
    pin: str

    def text(self) -> str:
        """What a person carries to the node."""
        return f"{self.id}.{self.secret}.{self.pin}"


def parse_token(text: str) -> JoinToken:
    """Raises ValueError; its message does not repeat the text."""
    found = _TOKEN.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a token as 'nebulactl node token create' prints it (ID.SECRET.PIN)")
    return JoinToken(*found.groups())


def pin_of(certificate: bytes) -> str:
    """Of an authority's certificate in DER: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def digest_of(authorities: str) -> str:
    """Of the authorities that a node trusts, all their certificates in PEM: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(authorities.encode()).hexdigest()


class AuthorityAnswer(msgspec.Struct, frozen=True):
    """The authority of the controller's own certificate, as anybody may read it: to be compared with the pin. PEM."""

    certificate: str


class JoinRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``request``: a certificate signing request (PKCS #10) in PEM; the node keeps its key."""

    token_id: str
    secret: str
    host: str
    request: str


class RenewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``request`` as in ``JoinRequest``, with a new key. The connection shows the certificate whose place is taken."""

    request: str


class CertificateAnswer(msgspec.Struct, frozen=True):
    """To a node that joins or renews: its certificate, and those of all authorities to trust from now on, in PEM.

    Times are seconds since the epoch, by the controller's clock.
    """

    certificate: str
    authorities: str
    expires_at_s: float
    now_s: float
