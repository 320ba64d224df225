"""An identity service in this process: a database in a temporary folder, a clock that stands still, no sockets."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from nebula_controller.api.application import create_application
from nebula_controller.identity.authenticator import TokenAuthenticator
from nebula_controller.identity.bootstrap import bootstrap
from nebula_controller.identity.directories import Directories
from nebula_controller.identity.keys import KeyRepository
from nebula_controller.identity.passwordrules import PasswordRules
from nebula_controller.identity.passwords import Passwords, hash_password
from nebula_controller.identity.service import identity_service
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import TokenCodec, TokenProvider
from nebula_controller.identity.uuidtokens import UuidTokens
from nebula_controller.store.database import Database

ROUNDS = 4
"""bcrypt's least: a hash takes 1 ms."""

ADMIN_PASSWORD = "an admin's password"


@functools.cache
def _bootstrapped() -> tempfile.TemporaryDirectory[str]:
    """A folder with a bootstrapped database, made once: copying it is ten times as fast."""
    folder = tempfile.TemporaryDirectory(prefix="nebula-identity-")
    database = Database(Path(folder.name) / "nebula.sqlite")
    bootstrap(database, hash_password(ADMIN_PASSWORD, ROUNDS))
    database.close()
    return folder


class Clock:
    """Seconds since the epoch, moved by hand; every reading is a microsecond later, as on a real machine."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.000001
        return self.now


class Reply(msgspec.Struct, frozen=True):
    """An answer; ``body`` is decoded JSON, None for none."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def token(self) -> str:
        return self.headers["x-subject-token"]


class Cloud:
    """The service with its administrator; ``get``, ``post``... call as the administrator unless a token is given."""

    def __init__(self, folder: Path, provider: str = "fernet", **rules: Any) -> None:
        self.clock = Clock()
        shutil.copy(f"{_bootstrapped().name}/nebula.sqlite", folder)
        self.database = Database(folder / "nebula.sqlite")
        self.keys = KeyRepository(folder / "keys")
        self.keys.make_if_absent()
        codec: TokenProvider = TokenCodec(self.keys)
        if provider == "uuid":
            codec = UuidTokens(self.database, self.clock)
        vault = KeyRepository(folder / "credential-keys")
        vault.make_if_absent()
        authenticator = TokenAuthenticator(self.database, codec, self.clock)
        self.site = Site(
            database=self.database,
            codec=codec,
            vault=vault,
            authenticator=authenticator,
            directories=Directories(self.database, {}, authenticator.forget, self.clock),
            passwords=Passwords(ROUNDS),
            rules=PasswordRules(**rules),
            clock=self.clock,
        )
        self.service = identity_service(self.site)
        self.application = create_application(self.site.authenticator, [self.service])
        self.admin = self.log_in("admin", ADMIN_PASSWORD, project="admin").token

    def close(self) -> None:
        self.site.passwords.close()
        self.site.directories.close()
        self.database.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        subject: str | None = None,
        raw: bytes | None = None,
        host: str = "cloud.example:9696",
    ) -> Reply:
        """One request below ``/identity``. ``token`` None: the administrator's; empty: none."""
        headers = [(b"host", host.encode())]
        token = self.admin if token is None else token
        if token:
            headers.append((b"x-auth-token", token.encode()))
        if subject is not None:
            headers.append((b"x-subject-token", subject.encode()))
        content = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
        return asyncio.run(self._exchange(method, f"/identity{path}", headers, content))

    async def _exchange(self, method: str, target: str, headers: list[tuple[bytes, bytes]], content: bytes) -> Reply:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "scheme": "http",
            "server": ("127.0.0.1", 9696),
            "root_path": "",
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        answer = b"".join(message.get("body", b"") for message in sent[1:])
        named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], named, json.loads(answer) if answer else None)

    def get(self, path: str, **options: Any) -> Reply:
        return self.call("GET", f"/v3{path}", **options)

    def head(self, path: str, **options: Any) -> Reply:
        return self.call("HEAD", f"/v3{path}", **options)

    def post(self, path: str, body: object, **options: Any) -> Reply:
        return self.call("POST", f"/v3{path}", body, **options)

    def patch(self, path: str, body: object, **options: Any) -> Reply:
        return self.call("PATCH", f"/v3{path}", body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> Reply:
        return self.call("PUT", f"/v3{path}", body, **options)

    def delete(self, path: str, **options: Any) -> Reply:
        return self.call("DELETE", f"/v3{path}", **options)

    def log_in(self, name: str, password: str, *, project: str | None = None, scope: object = None) -> Reply:
        """A login of a user of the default domain."""
        if project is not None:
            scope = {"project": {"name": project, "domain": {"id": "default"}}}
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        return self.authenticate({"methods": ["password"], "password": {"user": user}}, scope)

    def authenticate(self, identity: object, scope: object = None) -> Reply:
        """A login with any identity."""
        auth = {"identity": identity} if scope is None else {"identity": identity, "scope": scope}
        return self.post("/auth/tokens", {"auth": auth}, token="")

    def make(self, kind: str, **attributes: object) -> str:
        """The id of a new object made by the administrator."""
        reply = self.post(f"/{kind}s", {kind: attributes})
        assert reply.status == 201, reply.body
        return str(reply.body[kind]["id"])

    def role(self, name: str) -> str:
        """The id of a role by name."""
        return str(self.get(f"/roles?name={name}").body["roles"][0]["id"])

    def member(self, name: str = "alice", project: str = "demo", role: str = "member") -> tuple[str, str, str]:
        """A user with a role on a new project: ids of user and project, and a token on it."""
        project_id = self.make("project", name=project)
        user_id = self.make("user", name=name, password="pw")
        assert self.put(f"/projects/{project_id}/users/{user_id}/roles/{self.role(role)}").status == 204
        reply = self.log_in(name, "pw", project=project)
        assert reply.status == 201, reply.body
        return user_id, project_id, reply.token
