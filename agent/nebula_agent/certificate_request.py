"""A new key and the request to have it certified, in PEM: for a node that joins, and for each renewal.

Effects: randomness; as a program (``python -m nebula_agent.certificate_request HOST``) it prints both. The agent runs
it so: the library would stay in its memory, for what is needed once in two months.
"""

from __future__ import annotations

import sys

BEGIN = "-----BEGIN CERTIFICATE REQUEST-----"


def make(host: str) -> tuple[str, str]:
    """The key (PKCS #8 without a password) and the request (PKCS #10)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return secret.decode(), request.public_bytes(pem).decode()


if __name__ == "__main__":
    sys.stdout.writelines(make(sys.argv[1]))
