"""A controller from a copy of the program with declarations that nobody has, and words to ask it.

Effects: a copy of the packages, a controller and its database in a folder of the caller's.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nebula_runtime.http import Client
from openstack_cloud import PASSWORD, Controller

PACKAGES = ("nebula", "nebula_runtime", "nebula_controller", "nebulactl", "nebula_lab")
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def kind(self) -> str:
        return str(self.body["NeutronError"]["type"])


class Cloud:
    """The controller, and tokens of who calls it."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._tokens: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, who: str = "admin", **headers: str) -> Answer:
        """Of the network service, if the path names no other."""
        place = path if path.startswith(("/identity", "/openapi")) else f"/network/v2.0{path}"
        sent = None if body is None else json.dumps(body).encode()
        client = Client(self.controller.url)
        try:
            answer = client.request(method, place, headers={"X-Auth-Token": self._token(who), **headers}, body=sent)
        finally:
            client.close()
        return Answer(answer.status, json.loads(answer.body or b"null"))

    def one(self, method: str, path: str, body: Any = None, who: str = "admin") -> Any:
        """What stands under the only name of an answer that says yes."""
        answer = self.call(method, path, body, who)
        assert answer.status < 300, answer
        (found,) = answer.body.values()
        return found

    def make(self, name: str, network: str, who: str = "alice", **more: Any) -> Any:
        panel = {"name": name, "network_id": network, "colour": "red", **more}
        return self.one("POST", "/patch-panels", {"patch_panel": panel}, who)

    def person(self, name: str, project: str, role: str) -> None:
        """A user with a role on a project, which is made if there is none; ``project`` empty: on the default domain."""
        if not project:
            self._grant(name, "domains/default", role)
            self._tokens[name] = self._login(name, {"domain": {"id": "default"}})
            return
        (project_id,) = [p["id"] for p in self.one_list(f"/identity/v3/projects?name={project}")] or [
            self.one("POST", "/identity/v3/projects", {"project": {"name": project}})["id"]
        ]
        self._grant(name, f"projects/{project_id}", role)
        self._tokens[name] = self._login(name, _on(project))

    def _grant(self, name: str, place: str, role: str) -> None:
        user = self.one("POST", "/identity/v3/users", {"user": {"name": name, "password": PASSWORD}})["id"]
        role_id = self.one_list(f"/identity/v3/roles?name={role}")[0]["id"]
        assert self.call("PUT", f"/identity/v3/{place}/users/{user}/roles/{role_id}").status == 204

    def one_list(self, path: str) -> list[Any]:
        body = self.call("GET", path).body
        found: list[Any] = next(value for value in body.values() if isinstance(value, list))
        return found

    def nebulactl(self, user: str, project: str, *words: str, code: int = 0) -> str:
        """A command of theirs; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "nebulactl", *words],
            cwd=self.controller.folder,
            env=self.controller.environment(USERNAME=user, PROJECT_NAME=project),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr

    def _token(self, who: str) -> str:
        if who not in self._tokens:
            self._tokens[who] = self._login(who, _on(who))
        return self._tokens[who]

    def _login(self, user: str, scope: Any) -> str:
        domain = {"id": "default"}
        by = {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": PASSWORD}}}
        body = {"auth": {"identity": by, "scope": scope}}
        client = Client(self.controller.url)
        try:
            answer = client.request("POST", "/identity/v3/auth/tokens", body=json.dumps(body).encode())
        finally:
            client.close()
        assert answer.status == 201, answer.body
        return {name.lower(): value for name, value in answer.headers.items()}["x-subject-token"]


def _on(project: str) -> Any:
    return {"project": {"name": project, "domain": {"id": "default"}}}


@contextmanager
def copied(folder: Path, **declarations: str) -> Iterator[Cloud]:
    """The cloud of the program with these files, by name, in ``nebula/model``."""
    for name in PACKAGES:
        source = Path(importlib.import_module(name).__path__[0])
        shutil.copytree(source, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in declarations.items():
        (folder / f"tree/nebula/model/{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "tree"))
        controller = Controller(folder)
        try:
            yield Cloud(controller)
        finally:
            controller.stop()
