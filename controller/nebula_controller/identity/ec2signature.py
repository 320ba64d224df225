"""Signatures of EC2-style requests: Amazon's versions 2 and 4, with HMAC-SHA-256.

Pure. Sources: "Signature Version 2 signing process" and "Signature Version 4" of the AWS General Reference, in the
form in which Keystone's ``/v3/ec2tokens`` is asked (the request's parts in JSON).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from nebula.errors import BadRequest

_SAFE = "-_.~"


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request whose signature shall be checked. ``host`` may hold a port."""

    access: str = ""
    signature: str
    host: str = ""
    verb: str = "GET"
    path: str = "/"
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    body_hash: str = ""


def signature_matches(request: SignedRequest, secret: str) -> bool:
    """True when the signature was made with this secret; a host is also tried without its port, as clients sign it."""
    given = request.signature.encode()
    hosts = dict.fromkeys((request.host, request.host.partition(":")[0]))
    return any(
        hmac.compare_digest(made.encode(), given)
        for host in hosts
        for made in _signatures(msgspec.structs.replace(request, host=host), secret.encode())
    )


def signed_at(request: SignedRequest) -> float | None:
    """When a version 4 request says that it was signed, in seconds since the epoch; None for version 2."""
    if not _is_version_4(request):
        return None
    try:
        return datetime.strptime(_date(request), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadRequest("X-Amz-Date is a time as in 20300131T120000Z.") from error


def _signatures(request: SignedRequest, secret: bytes) -> Iterator[str]:
    if _is_version_4(request):
        yield _version_4(request, secret)
    elif request.params.get("SignatureVersion") == "2":
        yield _version_2(request, secret)
    else:
        raise BadRequest("Signature versions 2 and 4 are known.")


def _is_version_4(request: SignedRequest) -> bool:
    authorization = _lowered(request.headers).get("authorization", "")
    return request.params.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256" or authorization.startswith("AWS4-HMAC-SHA256")


def _version_2(request: SignedRequest, secret: bytes) -> str:
    pairs = {**request.params, "SignatureMethod": "HmacSHA256"}
    query = "&".join(f"{quote(name, safe=_SAFE)}={quote(pairs[name], safe=_SAFE)}" for name in sorted(pairs))
    text = "\n".join((request.verb, request.host, request.path, query))
    return base64.b64encode(_mac(secret, text)).decode()


def _version_4(request: SignedRequest, secret: bytes) -> str:
    headers = _lowered(request.headers)
    names = request.params.get("X-Amz-SignedHeaders") or _field(request, "SignedHeaders")
    headers["host"] = request.host or headers.get("host", "")
    lines = "".join(f"{name}:{headers.get(name, '')}\n" for name in names.split(";"))
    pairs = sorted((name, text) for name, text in request.params.items() if name != "X-Amz-Signature")
    query = "&".join(f"{quote(name, safe=_SAFE)}={quote(text, safe=_SAFE)}" for name, text in pairs)
    if request.verb.upper() == "POST":
        query = ""
    canonical = "\n".join((request.verb.upper(), request.path, query, lines, names, request.body_hash))
    credential = request.params.get("X-Amz-Credential") or _field(request, "Credential")
    parts = credential.split("/")
    if len(parts) != 5:
        raise BadRequest("Credential has the form ACCESS/DATE/REGION/SERVICE/aws4_request.")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", _date(request), "/".join(parts[1:]), digest))
    key = b"AWS4" + secret
    for part in parts[1:]:
        key = _mac(key, part)
    return _mac(key, text).hex()


def _date(request: SignedRequest) -> str:
    return request.params.get("X-Amz-Date") or _lowered(request.headers).get("x-amz-date", "")


def _field(request: SignedRequest, name: str) -> str:
    found = re.search(rf"\b{name}=([^\s,]+)", _lowered(request.headers).get("authorization", ""))
    return found.group(1) if found else ""


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower().strip(): text.strip() for name, text in headers.items()}


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
