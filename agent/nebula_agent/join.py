"""``nebula-agent join URL TOKEN``: this node becomes one of the controller's.

Effects: two connections, and the identity's folder. The first connection trusts nobody and only fetches the authority's
certificate; the token says whether it is the right one. Then the token's secret goes out, over a verified connection.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TypeVar

import msgspec
from nebula_runtime.http import Client, Response

from nebula.errors import BadRequest, Conflict, Forbidden, NebulaError, Unavailable
from nebula.view.joining import (
    CONTROLLER_NAME,
    AuthorityAnswer,
    CertificateAnswer,
    JoinRequest,
    parse_token,
    pin_of,
)
from nebula_agent import certificate_request, identity
from nebula_agent.access import refusal

_TIMEOUT_S = 15.0
_SKEW_S = 300.0

T = TypeVar("T")


class _Once(msgspec.Struct, frozen=True):
    """A ``Tls`` for one connection."""

    made: ssl.SSLContext
    server_name: str = CONTROLLER_NAME

    def context(self) -> ssl.SSLContext:
        return self.made


def join(url: str, token_text: str, host: str, folder: Path) -> list[str]:
    """What to tell the person, line by line. Raises NebulaError."""
    url = url.rstrip("/")
    if not url.startswith("https://"):
        raise BadRequest(f"{url!r} is not the controller's TLS address: give https://HOST:PORT")
    try:
        token = parse_token(token_text)
    except ValueError as error:
        raise BadRequest(f"the token is {error}") from None
    identity.check_writable(folder)
    authority = _authority(url, token.pin)
    key, request = certificate_request.make(host)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    trusting.load_verify_locations(cadata=authority)
    body = msgspec.json.encode(JoinRequest(token.id, token.secret, host, request))
    answer = _ask(url, trusting, "POST", "/nebula/v1/join", body)
    got = _decoded(url, answer, CertificateAnswer)
    identity.keep(
        folder,
        identity.Joined(url, host, got.expires_at_s),
        key=key,
        certificate=got.certificate,
        authorities=got.authorities,
    )
    said = [f"{host} has joined {url}; its certificate is renewed by itself, and good until {_utc(got.expires_at_s)}."]
    skew_s = time.time() - got.now_s
    if abs(skew_s) > _SKEW_S:
        how = "ahead of" if skew_s > 0 else "behind"
        said.append(f"This node's clock is {abs(skew_s) / 60:.0f} minutes {how} the controller's: have it set (NTP).")
    return said


def _authority(url: str, pin: str) -> str:
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    found = _decoded(url, _ask(url, unverified, "GET", "/nebula/v1/authority"), AuthorityAnswer).certificate
    try:
        certificate = ssl.PEM_cert_to_DER_cert(found)
    except ValueError:
        certificate = b""
    if pin_of(certificate) != pin:
        raise Forbidden(
            f"the token was not made by the controller that answers at {url}, or somebody stands between: the "
            f"authority there is {pin_of(certificate)[:16]}, the token's {pin[:16]}. The token was not sent"
        )
    return ssl.DER_cert_to_PEM_cert(certificate)


def _ask(url: str, context: ssl.SSLContext, method: str, path: str, body: bytes | None = None) -> Response:
    client = Client(url, timeout_s=_TIMEOUT_S, tls=_Once(context))
    try:
        return client.request(method, path, headers={"Content-Type": "application/json"}, body=body)
    finally:
        client.close()


def _decoded(url: str, answer: Response, kind: type[T]) -> T:
    if answer.status != 200:
        errors = {403: Forbidden, 409: Conflict, 400: BadRequest}
        raise errors.get(answer.status, NebulaError)(refusal(answer) or f"{url} answers {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(f"what answers at {url} is no Nebula controller: {error}") from None


def _utc(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_s))
