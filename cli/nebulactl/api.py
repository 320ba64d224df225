"""One caller's calls to a Nebula (or OpenStack) cloud: login, catalogue, requests, errors.

Effects: HTTP, and the token cache. It knows the three error shapes (Keystone's, Neutron's, Nova's), no resources.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from nebula_runtime.http import Client, Response, Trust

from nebula.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NebulaError,
    NotFound,
    PreconditionFailed,
    Unauthorized,
    Unavailable,
    UnknownAuthority,
)
from nebulactl.cache import Cache, Grant
from nebulactl.credentials import Credentials

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, Json]"
Query: TypeAlias = Mapping[str, list[str]]

IDENTITY, NETWORK, COMPUTE, NEBULA = "identity", "network", "compute", "nebula"
_VERSION = {IDENTITY: "/v3", NETWORK: "/v2.0", COMPUTE: "/v2.1", NEBULA: "/v1"}
TIMEOUT_S = 30.0
_NEW_S = 60.0
"""A token that is younger and not good is not made good by another login."""
_BY_STATUS: dict[int, type[NebulaError]] = {
    error.status: error for error in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, PreconditionFailed)
}


class Planned(Exception):
    """The first changing call of a command was rehearsed: ``call`` is its method and path, ``found`` the plan."""

    def __init__(self, call: str, found: JsonObject) -> None:
        super().__init__(call)
        self.call = call
        self.found = found


class Api:
    """Calls as one user in one project.

    ``on_change(request id, realised)`` is told of every changing call; ``wait_s``: such a call waits for the nodes, and
    ``realised`` is what the controller says of them (else None). ``plan``: the first changing call is rehearsed only,
    and raises ``Planned``. ``timeout_s`` is for one answer, beside that wait.
    """

    def __init__(
        self,
        credentials: Credentials,
        cache: Cache,
        on_change: Callable[[str, str | None], None] = lambda _request_id, _realised: None,
        *,
        wait_s: int = 0,
        plan: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._credentials = credentials
        self._cache = cache
        self._on_change = on_change
        self._wait_s = wait_s
        self._plan = plan
        self._timeout_s = timeout_s
        self._clients: dict[str, Client] = {}
        self._trust = Trust(credentials.cacert, anybody=credentials.insecure)
        self._grant: Grant | None = None
        self._logged_in_s = float("-inf")

    @property
    def grant(self) -> Grant:
        """The token in use; the first use logs in, unless a good token is remembered."""
        if self._grant is None and not self._credentials.token:
            self._grant = self._cache.grant()
        return self._grant or self.log_in()

    def get(self, service: str, path: str, query: Query | None = None) -> JsonObject:
        return self._call("GET", service, path + (f"?{urlencode(query, doseq=True)}" if query else ""), None)

    def read(self, service: str, path: str) -> bytes:
        """The body as it is; empty where there is nothing (204)."""
        response = self._answer("GET", service, path, None, {})
        if response.status >= 300:
            raise error_of(response, f"GET {path.partition('?')[0]}")
        return response.body

    def document(self, url: str) -> JsonObject:
        """What a service says of itself at this URL to everybody: no token is sent. HTTP 300 is several versions."""
        response = self._request("GET", url, {}, None)
        if response.status > 300:
            raise error_of(response, f"GET {url}")
        return _object(response)

    def post(self, service: str, path: str, body: JsonObject) -> JsonObject:
        return self._call("POST", service, path, body)

    def put(self, service: str, path: str, body: JsonObject | None = None) -> JsonObject:
        return self._call("PUT", service, path, body)

    def patch(self, service: str, path: str, body: JsonObject) -> JsonObject:
        return self._call("PATCH", service, path, body)

    def delete(self, service: str, path: str, headers: Mapping[str, str] | None = None) -> None:
        self._call("DELETE", service, path, None, headers)

    def _call(
        self,
        method: str,
        service: str,
        path: str,
        body: JsonObject | None,
        more: Mapping[str, str] | None = None,
    ) -> JsonObject:
        response = self._answer(method, service, path, body, more or {})
        request_id = response.headers.get("x-openstack-request-id", "")
        if method != "GET" and request_id and (service != NEBULA or self._wait_s):  # most of Nebula's change nothing
            self._on_change(request_id, response.headers.get("x-nebula-realised"))
            if response.status < 300 and not self._plan:
                self._cache.keep_request(request_id)
        if response.status >= 300:
            raise error_of(response, f"{method} {path.partition('?')[0]}")
        if self._plan and method != "GET":
            raise Planned(f"{method} {path.partition('?')[0]}", _object(response))
        return _object(response)

    def _answer(
        self, method: str, service: str, path: str, body: JsonObject | None, more: Mapping[str, str]
    ) -> Response:
        """Logs in anew where the remembered token is not good any more, or has expired: a capture may take days."""
        response = self._send(method, service, path, body, more)
        is_new = time.monotonic() - self._logged_in_s < _NEW_S
        if response.status == 401 and not is_new and not self._credentials.token:
            self._cache.drop()
            self.log_in()
            response = self._send(method, service, path, body, more)
        return response

    def _send(self, method: str, service: str, path: str, body: JsonObject | None, more: Mapping[str, str]) -> Response:
        headers = {"X-Auth-Token": self.grant.token, **more}
        if self._wait_s and method != "GET":
            headers["X-Nebula-Wait"] = str(self._wait_s)
        if self._plan and method != "GET":
            headers["X-Nebula-Plan"] = "true"
        return self._request(method, self._endpoint(service) + path, headers, body)

    def _endpoint(self, service: str) -> str:
        version = _VERSION[service]
        if service == IDENTITY:
            return self._credentials.identity_url
        url = self.grant.endpoints.get(service, "").rstrip("/")
        if not url and service == NEBULA:
            url = self._credentials.identity_url.removesuffix("/identity/v3") + "/nebula"
        if not url:
            raise NotFound(f"The cloud at {self._credentials.auth_url} offers no {service} service.")
        return url if url.endswith(version) else url + version

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: JsonObject | None) -> Response:
        parts = urlsplit(url)
        origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        client = self._clients.get(origin)
        if client is None:
            client = self._clients[origin] = Client(origin, timeout_s=self._timeout_s + self._wait_s, tls=self._trust)
        sent = {"Accept": "application/json", "User-Agent": "nebulactl", **headers}
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            return client.request(method, url[len(origin) :], headers=sent, body=content)
        except Unavailable as error:
            hint = " See 'nebulactl lab status'." if self._credentials.source.startswith("lab") else ""
            if isinstance(error, UnknownAuthority):
                hint = " Give its authority's file with --os-cacert or OS_CACERT."
            raise Unavailable(f"{error.message} (credentials from {self._credentials.source}).{hint}") from error

    def log_in(self) -> Grant:
        """Get a new token with the password (or the token that was given). Raises Unauthorized."""
        given = self._credentials
        identity: JsonObject
        if given.token:
            identity = {"methods": ["token"], "token": {"id": given.token}}
        else:
            user: JsonObject = {"name": given.username, "domain": {**given.user_domain}, "password": given.password}
            identity = {"methods": ["password"], "password": {"user": user}}
        auth: JsonObject = {"identity": identity}
        if given.project_id:
            auth["scope"] = {"project": {"id": given.project_id}}
        elif given.project_name:
            auth["scope"] = {"project": {"name": given.project_name, "domain": {**given.project_domain}}}
        response = self._request("POST", f"{given.identity_url}/auth/tokens", {}, {"auth": auth})
        if response.status == 401:
            who = f"user {given.username!r}" if given.username else "the token"
            raise Unauthorized(f"{given.identity_url} refuses {who} (credentials from {given.source}).")
        if response.status >= 300:
            raise error_of(response, "login")
        self._grant = _grant_of(response)
        self._logged_in_s = time.monotonic()
        if not given.token:
            self._cache.keep(self._grant)
        return self._grant


def _grant_of(response: Response) -> Grant:
    """Keystone's answer to ``POST /v3/auth/tokens``."""
    token = as_object(_object(response).get("token"))
    endpoints = {}
    for service in as_objects(token.get("catalog")):
        for endpoint in as_objects(service.get("endpoints")):
            if endpoint.get("interface") == "public":
                endpoints[str(service.get("type"))] = str(endpoint.get("url"))
    expires = str(token.get("expires_at", ""))
    try:
        expires_at_s = datetime.datetime.fromisoformat(expires).timestamp()
    except ValueError:
        expires_at_s = 0.0
    return Grant(
        token=response.headers.get("x-subject-token", ""),
        expires_at_s=expires_at_s,
        expires=expires,
        user_id=str(as_object(token.get("user")).get("id", "")),
        project_id=str(as_object(token.get("project")).get("id", "")),
        endpoints=endpoints,
    )


def _object(response: Response) -> JsonObject:
    if not response.body:
        return {}
    try:
        return msgspec.json.decode(response.body, type=dict)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"The answer is not a JSON object (HTTP {response.status}): {error}") from error


def error_of(response: Response, what: str) -> NebulaError:
    """The error that an answer of status 300 or more stands for, with the server's own words where it has some."""
    message = _message(response.body)
    request_id = response.headers.get("x-openstack-request-id", "")
    if not message:
        message = f"{what}: HTTP {response.status}"
    if response.status >= 500 and request_id:
        message = f"{message} (request {request_id})"
    kind = _BY_STATUS.get(response.status) or (Unavailable if response.status >= 500 else NebulaError)
    return kind(message)


def _message(body: bytes) -> str:
    """From ``{"NeutronError": {"message"}}``, Keystone's ``{"error": {"message"}}`` or Nova's ``{"<fault>": {}}``."""
    try:
        content = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.MsgspecError:
        return ""
    fault = content.get("NeutronError") or content.get("error") or next(iter(content.values()), None)
    if isinstance(fault, dict):
        message, detail = str(fault.get("message") or ""), str(fault.get("detail") or "")
        return f"{message} {detail}".strip()
    return fault if isinstance(fault, str) else ""


def as_object(value: Json) -> JsonObject:
    """The object, or an empty one where the server sent something else."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Json) -> list[JsonObject]:
    """The list's objects; nothing else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
