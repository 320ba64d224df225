"""A certificate authority: it signs for nodes and for the controller, for nobody else.

Effects: a clock and randomness. Keys are ECDSA on P-256. Certificates begin a day ago, because clocks of machines that
were just started are often wrong, by the time zone too.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import time
from collections.abc import Callable, Iterable

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nebula.errors import BadRequest
from nebula.ids import Host
from nebula.view.joining import CONTROLLER_NAME, pin_of
from nebula_controller.api.context import NodeCertificate

BACKDATED_S = 86_400
AUTHORITY_LIFETIME_S = 20 * 365 * 86_400
RENEW_SHARE = 1 / 3
"""A certificate is renewed when this share of its lifetime is left."""

_MEMBERSHIP = NameOID.SERIAL_NUMBER
_PEM = serialization.Encoding.PEM


class Signed(msgspec.Struct, frozen=True):
    """A certificate in PEM, and when it ends (seconds since the epoch)."""

    certificate: str
    expires_at_s: float


class Authority:
    """A certificate and its key. ``lifetime_s`` is that of what it signs."""

    def __init__(
        self,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        *,
        lifetime_s: float = 0.0,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._certificate = certificate
        self._lifetime_s = lifetime_s
        self._wall_s = wall_s
        self.key = key
        self.pem = certificate.public_bytes(_PEM).decode()
        self.pin = pin_of(certificate.public_bytes(serialization.Encoding.DER))
        self.key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()
        """What the certificates that it signs name it by (RFC 5280 section 4.2.1.1)."""
        self.expires_at_s = certificate.not_valid_after_utc.timestamp()

    def sign_request(self, request: str, host: Host, membership: str) -> Signed:
        """For a node that joins: of its request only the key counts. Raises BadRequest."""
        try:
            found = x509.load_pem_x509_csr(request.encode())
            good, key = found.is_signature_valid, found.public_key()
        except (ValueError, UnsupportedAlgorithm, InvalidSignature):
            good, key = False, None
        if not good or not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
            raise BadRequest("The request is not a certificate signing request (PEM) for an EC or Ed25519 key.")
        return self._sign_node(key, host, membership)

    def sign_controller(self, key: ec.EllipticCurvePublicKey, names: Iterable[str]) -> Signed:
        """For the controller itself, by all ``names`` (of hosts, or addresses) under which it is reached."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CONTROLLER_NAME)])
        alternative = x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys([CONTROLLER_NAME, *names])])
        return self._sign(key, subject, ExtendedKeyUsageOID.SERVER_AUTH, alternative)

    def _sign_node(self, key: CertificatePublicKeyTypes, host: Host, membership: str) -> Signed:
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, host), x509.NameAttribute(_MEMBERSHIP, membership)]
        return self._sign(key, x509.Name(attributes), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _sign(
        self,
        key: CertificatePublicKeyTypes,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> Signed:
        now_s = self._wall_s()
        builder = _builder(subject, self._certificate.subject, key, now_s, now_s + self._lifetime_s)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        expires_at_s = certificate.not_valid_after_utc.timestamp()
        return Signed(certificate.public_bytes(_PEM).decode(), expires_at_s)


def read_node(certificate: bytes) -> NodeCertificate | None:
    """What the certificate (DER), which the listener has verified, says of a node; None where it is no node's."""
    found = x509.load_der_x509_certificate(certificate)
    hosts = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    memberships = found.subject.get_attributes_for_oid(_MEMBERSHIP)
    if len(hosts) != 1 or len(memberships) != 1:
        return None
    ends_s = found.not_valid_after_utc.timestamp()
    lifetime_s = ends_s - found.not_valid_before_utc.timestamp() - BACKDATED_S
    signed_by = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return NodeCertificate(
        host=Host(str(hosts[0].value)),
        membership=str(memberships[0].value),
        expires_at_s=ends_s,
        renew_at_s=ends_s - RENEW_SHARE * lifetime_s,
        signed_by=(signed_by or b"").hex(),
    )


def make(now_s: float) -> Authority:
    """A new one, with a name of its own."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Nebula authority {secrets.token_hex(4)}")])
    builder = _builder(name, name, secret.public_key(), now_s, now_s + AUTHORITY_LIFETIME_S)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Authority(builder.sign(secret, hashes.SHA256()), secret)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 in PEM, without a password."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now_s: float, ends_s: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(int(now_s) - BACKDATED_S, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(int(ends_s), datetime.UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
