"""The controller's certificate authorities: one, or two while a new one takes over from an old one.

Effects: two files in a folder (0600), the certificates and their keys, made the first time. Read again when the
certificates' file is another, so that a running controller takes up what a command did. A key is there before its
certificate and goes after it: no moment in which a program dies leaves a certificate without its key.

Of two the older one signs the controller's own certificate, which all nodes trust, and the newer one signs nodes'
certificates, which come together with the certificates of both. Once no node needs the older one it can be retired.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nebula_runtime.log import event

from nebula.errors import ConfigError, Conflict
from nebula.view.joining import digest_of
from nebula_controller.state import locked, write_private
from nebula_controller.tls.authority import Authority, make, private_pem

log = logging.getLogger(__name__)

CERTIFICATES, KEYS = "authority.pem", "authority.key"
_END = "-----END PRIVATE KEY-----\n"


class Authorities:
    """``lifetime_s`` is that of what they sign. ConfigError where the files cannot be read or made."""

    def __init__(self, folder: Path, *, lifetime_s: float, wall_s: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._lifetime_s = lifetime_s
        self._wall_s = wall_s
        self._stamp: tuple[int, int] | None = None
        self._unusable: tuple[int, int] | None = None
        self._known: tuple[Authority, ...] = ()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
        if not self._certificates.exists():  # they are written last: without them there is none yet
            self._write(KEYS, [made := make(wall_s())])
            self._write(CERTIFICATES, [made])
        self.all()

    @property
    def _certificates(self) -> Path:
        return self._folder / CERTIFICATES

    def all(self) -> tuple[Authority, ...]:
        """The oldest first."""
        stamp = None
        try:
            found = self._certificates.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                self._known = self._read()
                self._stamp = stamp
        except (OSError, ConfigError) as error:
            if not self._known:
                raise error if isinstance(error, ConfigError) else _unusable(self._folder, error) from error
            if stamp != self._unusable:
                event(log, logging.ERROR, "going on with the authorities known so far", error=str(error))
            self._unusable = stamp
        return self._known

    @property
    def shown(self) -> Authority:
        """The controller's own certificate is of it, and tokens have its pin."""
        return self.all()[0]

    @property
    def signing(self) -> Authority:
        """Nodes' certificates are of it."""
        return self.all()[-1]

    @property
    def bundle(self) -> str:
        """What nodes and clients trust, in PEM."""
        return "".join(authority.pem for authority in self.all())

    @property
    def digest(self) -> str:
        """Of the bundle: a node that has another one gets it."""
        return digest_of(self.bundle)

    def trusts(self, key_id: str) -> bool:
        """Whether what this one has signed still counts."""
        return any(authority.key_id == key_id for authority in self.all())

    def rotate(self) -> Authority:
        """Begin: another one beside the one that there is. Raises Conflict where there are two."""
        with locked(self._folder):
            old = self._read()
            if len(old) > 1:
                raise Conflict(
                    f"Authority {old[1].pin[:16]} is taking over from {old[0].pin[:16]} already: "
                    "'nebula-controller authority retire' ends that."
                )
            made = make(self._wall_s())
            self._write(KEYS, [*old, made])
            self._write(CERTIFICATES, [*old, made])
        return self.signing

    def retire(self) -> Authority:
        """End: the older of two is trusted no more. Raises Conflict where there is one."""
        with locked(self._folder):
            old = self._read()
            if len(old) == 1:
                raise Conflict(
                    "There is one authority, and none to retire: 'nebula-controller authority rotate' begins."
                )
            self._write(CERTIFICATES, old[1:])
            self._write(KEYS, old[1:])
        return self.signing

    def _write(self, name: str, authorities: Sequence[Authority]) -> None:
        if name == KEYS:
            content = b"".join(private_pem(authority.key) for authority in authorities)
        else:
            content = "".join(authority.pem for authority in authorities).encode()
        write_private(self._folder / name, content)

    def _read(self) -> tuple[Authority, ...]:
        path = self._folder / KEYS
        try:
            certificates = x509.load_pem_x509_certificates(self._certificates.read_bytes())
            keys = _keys(path.read_text(encoding="ascii"))
            if path.stat().st_mode & 0o077:
                raise ConfigError(f"{path} is open to other users: run chmod 600 {path}")
        except OSError as error:
            raise _unusable(self._folder, error) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(
                f"the certificate authority in {self._folder} is damaged: restore a backup of it"
            ) from error
        found = []
        for certificate in certificates:
            key = next((key for key in keys if key.public_key() == certificate.public_key()), None)
            if key is None:
                raise ConfigError(f"{path} has no key of {self._certificates}: restore a backup of both")
            found.append(Authority(certificate, key, lifetime_s=self._lifetime_s, wall_s=self._now_s))
        return tuple(found)

    def _now_s(self) -> float:
        return self._wall_s()


def _keys(text: str) -> list[ec.EllipticCurvePrivateKey]:
    blocks = [block + _END for block in text.split(_END)[:-1]]
    keys = [serialization.load_pem_private_key(block.encode(), None) for block in blocks]
    return [key for key in keys if isinstance(key, ec.EllipticCurvePrivateKey)]


def _unusable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"the certificate authority in {folder} cannot be used: {error.strerror}")
