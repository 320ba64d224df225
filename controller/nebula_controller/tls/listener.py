"""What the TLS sockets are served with: the controller's own certificate, kept fresh, and the names that it is for.

Effects: a file in the authorities' folder, the machine's name and addresses, a clock.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from nebula_runtime.log import event

from nebula.errors import ConfigError
from nebula_controller.state import write_private
from nebula_controller.tls.authorities import Authorities
from nebula_controller.tls.authority import RENEW_SHARE, Authority, private_pem
from nebula_controller.tls.handshake import Context

log = logging.getLogger(__name__)

CONTROLLER_CERTIFICATE = "controller.pem"
"""The key and the certificate in one file, so that both are new at once. Made anew at each start."""

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which Python has no name."""

_LOOK_S, _AGAIN_S = 3600.0, 60.0

_ANY = ("0.0.0.0", "::")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)


class Listener:
    """A client may show a certificate: only one that an authority of ``authorities`` signed is let in."""

    def __init__(
        self, authorities: Authorities, folder: Path, names: Iterable[str], *, wall_s: Callable[[], float] = time.time
    ) -> None:
        self._authorities = authorities
        self._names = tuple(names)
        self._path = folder / CONTROLLER_CERTIFICATE
        self._wall_s = wall_s
        self._due_s = 0.0
        self._trusted: tuple[Authority, ...] = ()
        self.context()

    def context(self) -> ssl.SSLContext:
        """For the next handshake: another one once there are other authorities. Raises ConfigError the first time."""
        trusted = self._authorities.all()
        if trusted != self._trusted:
            try:
                self._certify(_context(self._authorities.bundle))
            except ConfigError as error:
                if not self._trusted:
                    raise
                event(log, logging.ERROR, "going on with the controller's old certificate", error=str(error))
            else:
                self._trusted = trusted
        return self._context

    def renew(self) -> None:
        """A new key and certificate, for the connections from now on. Raises ConfigError."""
        self._certify(self._context)

    def _certify(self, context: ssl.SSLContext) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._authorities.shown.sign_controller(key.public_key(), self._names)
        write_private(self._path, private_pem(key) + signed.certificate.encode())
        context.load_cert_chain(self._path)
        self._context = context
        now_s = self._wall_s()
        self._due_s = signed.expires_at_s - RENEW_SHARE * (signed.expires_at_s - now_s)

    def left_s(self) -> float:
        """How long until the certificate is to be renewed."""
        return max(0.0, self._due_s - self._wall_s())

    async def keep_fresh(self) -> None:
        """Renew in time, for ever. Asked often, because clocks are set and machines sleep."""
        while True:
            await asyncio.sleep(min(_LOOK_S, max(1.0, self.left_s())))
            if self.left_s() <= 0:
                try:
                    self.renew()
                    event(log, logging.INFO, "the controller's certificate is renewed")
                except (ConfigError, OSError) as error:
                    event(log, logging.ERROR, "the controller's certificate is not renewed", error=str(error))
                    await asyncio.sleep(_AGAIN_S)


def _context(trusted: str) -> ssl.SSLContext:
    """``trusted``: the certificates, in PEM, of the authorities whose clients are let in."""
    made = Context(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_OPTIONAL
    made.verify_flags |= _NO_CHECK_TIME  # the gate looks, and says what to do
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    made.num_tickets = 0  # each connection shows its certificate anew
    made.set_alpn_protocols(["http/1.1"])
    made.load_verify_locations(cadata=trusted)
    return made


def names_of(addresses: Iterable[tuple[str, int]], public_url: str, more: Iterable[str]) -> list[str]:
    """By which names and addresses clients may call: those listened on, the machine's, those of the settings.

    ConfigError for a name that is none.
    """
    found = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
    for host, _port in addresses:
        found += _own_addresses() if host in _ANY else [host]
    if public_url:
        found.append(urlsplit(public_url).hostname or "")
    for name in more:
        if not _NAME.fullmatch(name) and ":" not in name:
            raise ConfigError(f"tls_name {name!r} is neither the name nor the address of a host")
    return list(dict.fromkeys(name for name in [*found, *more] if name and (_NAME.fullmatch(name) or ":" in name)))


def _own_addresses() -> list[str]:
    """The machine's addresses, as the kernel lists them in /proc: the standard library has no call for it."""
    found: list[str] = []
    try:
        last = ""
        for line in Path("/proc/net/fib_trie").read_text(encoding="ascii").splitlines():
            if match := re.search(r"\|-- (\d+(?:\.\d+){3})", line):
                last = match.group(1)
            elif "/32 host LOCAL" in line:
                found.append(last)
        for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])))
    except OSError:
        pass
    return found
