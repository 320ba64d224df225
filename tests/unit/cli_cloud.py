"""A small cloud behind a real HTTP server on 127.0.0.1: enough of Identity, Network and Compute for a client.

It keeps resources as the dicts that it was given, records every request, and can be told to fail.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

PROJECT_ID = "e46dba1da25046ddb861d55e2a3faa8d"
USER_ID = "0f3c1b2a4d5e46f7a8b9c0d1e2f30415"
_ITEM_KEYS = {"servers": "server", "policies": "policy"}
_NESTED = "port_forwardings"
"""The one collection that is below another: ``/floatingips/<id>/port_forwardings``."""
_FILTERS_TO_IGNORE = {"fields", "limit", "marker", "include_names"}


class Ended(NamedTuple):
    """How a run of ``nebulactl`` ended."""

    code: int
    out: str
    err: str


Nebulactl = Callable[..., Ended]


class Cloud:
    """``collections`` are the resources by plural name; ``requests`` are (method, path with query, body)."""

    def __init__(self) -> None:
        self.url = ""
        self.password = "secret"
        self.tokens: set[str] = set()
        self.logins = 0
        self.collections: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in (
                *("networks", "subnets", "ports", "routers", "agents", "servers"),
                *("security_groups", "security_group_rules", "address_groups", "floatingips", _NESTED),
                *("projects", "users", "roles", "extensions", "role_assignments", "domains", "policies"),
                *("rule_types", "quotas", "subnetpools"),
            )
        }
        self.requests: list[tuple[str, str, Any]] = []
        self.failure: tuple[int, bytes] | None = None
        self.receipts: dict[str, Any] = {}
        self.calls: list[dict[str, Any]] = []
        self.realised = ""
        self.capture: dict[str, Any] = {}
        self.chunks: list[bytes] = []
        """A capture's points and notes, and what its readings give, one after the other."""
        self.page_size = 0

    @property
    def environment(self) -> dict[str, str]:
        """The OS_* variables of this cloud's user."""
        return {
            "OS_AUTH_URL": f"{self.url}/identity/v3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self.password,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
        }

    def add(self, collection: str, **attributes: Any) -> dict[str, Any]:
        resource = {"id": str(uuid.uuid4()), **attributes}
        self.collections[collection].append(resource)
        return resource

    def sent(self, method: str) -> list[tuple[str, Any]]:
        """Path and body of the requests of this method that are not logins."""
        return [(path, body) for done, path, body in self.requests if done == method and "/auth/tokens" not in path]

    def answer(  # noqa: PLR0911 - one line per service
        self, method: str, target: str, headers: Any, body: Any
    ) -> tuple[int, dict[str, str], Any]:
        self.requests.append((method, target, body))
        url = urlsplit(target)
        parts = [part for part in url.path.split("/") if part]
        if url.path.rstrip("/") in {"/identity/v3", "/identity"}:
            return 200, {}, {"version": {"id": "v3.14", "status": "stable", "links": [self._self("/identity/v3/")]}}
        if url.path.rstrip("/") == "/network":
            return 200, {}, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [self._self("/network/v2.0/")]}]}
        if parts[-2:] == ["auth", "tokens"]:
            return self._log_in(body)
        if headers.get("X-Auth-Token") not in self.tokens:
            return 401, {}, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        if self.failure is not None:
            return self.failure[0], {}, self.failure[1]
        if parts[-2:] == ["auth", "catalog"]:
            return 200, {}, {"catalog": self._catalog()}
        if parts == ["nebula", "v1", "calls"]:
            return 200, {}, {"calls": self.calls}
        if parts[:3] == ["nebula", "v1", "captures"]:
            return self._capture(method)
        if parts[:2] == ["nebula", "v1"]:
            found = self.receipts.get(parts[-1])
            return (200, {}, found) if found else (404, {}, {"error": {"message": f"No request {parts[-1]}."}})
        return self._resources(method, parts[2:], parse_qs(url.query), body)

    def _capture(self, method: str) -> tuple[int, dict[str, str], Any]:
        if method == "POST" and not self.capture:
            message = "Node compute1: filter 'hots': can't parse filter expression: syntax error"
            return 400, {}, {"NeutronError": {"type": "BadRequest", "message": message, "detail": ""}}
        if method == "POST":
            return 201, {}, {"capture": self.capture}
        if method == "GET" and self.chunks:
            return 200, {}, self.chunks.pop(0)
        return 204, {}, None

    def _self(self, path: str) -> dict[str, str]:
        return {"rel": "self", "href": self.url + path}

    def _catalog(self) -> list[dict[str, Any]]:
        places = {"interface": "public", "region": "r", "region_id": "r"}
        return [
            {"type": kind, "name": kind, "endpoints": [{**places, "url": self.url + path}]}
            for kind, path in (("identity", "/identity/v3"), ("network", "/network"), ("compute", "/compute/v2.1"))
        ]

    def _log_in(self, body: Any) -> tuple[int, dict[str, str], Any]:
        self.logins += 1
        identity = body["auth"]["identity"]
        good = (
            identity["token"]["id"] in self.tokens
            if "token" in identity
            else identity["password"]["user"]["password"] == self.password
        )
        if not good:
            return 401, {}, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        token = f"token-{self.logins}"
        self.tokens.add(token)
        content = {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": USER_ID, "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT_ID, "name": "admin", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": self._catalog(),
        }
        return 201, {"X-Subject-Token": token}, {"token": content}

    def _resources(  # noqa: PLR0911 - one line per verb
        self, method: str, parts: list[str], query: dict[str, list[str]], body: Any
    ) -> tuple[int, dict[str, str], Any]:
        if len(parts) > 2 and parts[2] == _NESTED:
            parts = parts[2:]
        if parts[0] == "qos":
            parts = parts[1:]
        name, rest = parts[0].replace("-", "_"), parts[1:]
        if rest == ["detail"]:
            rest = []
        if rest[1:] == ["default"]:
            rest = rest[1:]
        key = _ITEM_KEYS.get(name, name.removesuffix("s"))
        resources = self.collections[name]
        if not rest:
            if method == "POST":
                return 201, {}, {key: self.add(name, **body[key])}
            found = [item for item in resources if _fits(item, query)]
            if self.page_size and name != "extensions":
                return 200, {}, self._page(name, found, query)
            return 200, {}, {name: found}
        item = next((item for item in resources if item["id"] == rest[0]), None)
        if item is None:
            message = f"{key.capitalize()} {rest[0]} could not be found."
            return 404, {}, {"NeutronError": {"type": f"{key.capitalize()}NotFound", "message": message, "detail": ""}}
        if len(rest) > 1:
            if rest[1] == "tags":
                item["tags"] = body["tags"]
            return 200, {}, body or {}
        if method == "DELETE":
            resources.remove(item)
            return 204, {}, None
        if method in {"PUT", "PATCH"}:
            item.update(body[key])
        return 200, {}, {key: item}

    def _page(self, name: str, found: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
        ids = [item["id"] for item in found]
        start = ids.index(query["marker"][0]) + 1 if "marker" in query else 0
        page = found[start : start + self.page_size]
        answer: dict[str, Any] = {name: page}
        if start + self.page_size < len(found):
            href = f"{self.url}/network/v2.0/{name}?marker={page[-1]['id']}"
            answer[f"{name}_links"] = [{"rel": "next", "href": href}]
        return answer


def _fits(item: dict[str, Any], query: dict[str, list[str]]) -> bool:
    return all(
        name in _FILTERS_TO_IGNORE or name not in item or str(item[name]).lower() in [v.lower() for v in values]
        for name, values in query.items()
    )


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """A cloud that answers until the block ends."""
    cloud = Cloud()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers, content = cloud.answer(self.command, self.path, self.headers, body)
            data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Openstack-Request-Id", f"req-{len(cloud.requests):04d}")
            if "X-Nebula-Wait" in self.headers:
                headers = {**headers, "X-Nebula-Realised": cloud.realised}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
