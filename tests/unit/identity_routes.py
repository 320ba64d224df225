"""Every route of identity, walked as every kind of caller; ``python tests/unit/identity_routes.py`` writes the table.

Effects: a database in a temporary folder, whose writes are rolled back while the routes are walked, so that all of them
meet the same objects; as a program also ``docs/identity.md``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from identity_cloud import ADMIN_PASSWORD, Cloud
from nebula_controller.api.endpoint import Operation
from nebula_controller.store.database import Origin, Transaction

DOCUMENT = Path(__file__).parents[2] / "docs" / "identity.md"
BEGIN, END = "<!-- routes: begin -->", "<!-- routes: end -->"
CALLERS = ("nobody", "other project", "reader", "self", "domain reader", "system reader", "admin")
HEAD = "| route | " + " | ".join(CALLERS) + " |\n|---|" + "---|" * len(CALLERS)


class Walk:
    """A cloud with one object of each kind, which mostly belong to the user alice, and a token for each caller."""

    def __init__(self, folder: Path) -> None:
        self.cloud = cloud = Cloud(folder)
        self.user_id, project_id, alice = cloud.member()
        hall = cloud.make("domain", name="hall")
        other = cloud.make("project", name="other", domain_id=hall)
        people = {name: cloud.make("user", name=name, password="pw") for name in ("bob", "carol", "dora", "emil")}
        reader, member = cloud.role("reader"), cloud.role("member")
        for place in (
            f"/projects/{other}/users/{people['bob']}/roles/{member}",
            f"/projects/{project_id}/users/{people['carol']}/roles/{reader}",
            f"/domains/default/users/{people['dora']}/roles/{reader}",
            f"/system/users/{people['emil']}/roles/{reader}",
        ):
            assert cloud.put(place).status == 204
        self.tokens = {
            "nobody": "",
            "other project": cloud.log_in("bob", "pw", scope={"project": {"id": other}}).token,
            "reader": cloud.log_in("carol", "pw", project="demo").token,
            "self": alice,
            "domain reader": cloud.log_in("dora", "pw", scope={"domain": {"id": "default"}}).token,
            "system reader": cloud.log_in("emil", "pw", scope={"system": {"all": True}}).token,
            "admin": cloud.log_in("admin", ADMIN_PASSWORD, project="admin").token,
        }
        service = cloud.get("/services").body["services"][0]["id"]
        limit = {"service_id": service, "resource_name": "cores"}
        registered = {"registered_limits": [{**limit, "default_limit": 1}]}
        own = {"limits": [{**limit, "resource_limit": 1, "project_id": project_id}]}
        group, role = cloud.make("group", name="class"), cloud.make("role", name="operator")
        program = {"application_credential": {"name": "robot"}}
        credentials = f"/users/{self.user_id}"
        robot = cloud.post(f"{credentials}/application_credentials", program, token=alice).body
        pair = cloud.post(f"{credentials}/credentials/OS-EC2", {"tenant_id": project_id}, token=alice).body
        policy = cloud.post("/policies", {"policy": {"type": "x", "blob": "x"}}).body["policy"]["id"]
        self._ids = {
            "/users/{user_id}/application_credentials": robot["application_credential"]["id"],
            "/users/{user_id}/credentials/OS-EC2": pair["credential"]["access"],
            "/users": self.user_id,
            "/groups": group,
            "/projects": project_id,
            "/domains": "default",
            "/roles": role,
            "/regions": "RegionOne",
            "/services": service,
            "/endpoints": cloud.get("/endpoints").body["endpoints"][0]["id"],
            "/registered_limits": cloud.post("/registered_limits", registered).body["registered_limits"][0]["id"],
            "/limits": cloud.post("/limits", own).body["limits"][0]["id"],
            "/policies": policy,
            "/credentials": cloud.get("/credentials").body["credentials"][0]["id"],
        }
        self._named = {"user_id": self.user_id, "tag": "red", "implied_id": reader, "role_id": role}
        self._actors = {"users": self.user_id, "groups": group}
        self._targets = {"projects": project_id, "domains": "default"}

    @property
    def known(self) -> dict[str, str]:
        """The object of each kind, by what attributes that name one are called: ``user_id``."""
        return {f"{path[1:-1]}_id": key for path, key in self._ids.items() if path.count("/") == 1}

    def rows(self) -> list[str]:
        """The table's rows, in the order of the paths."""
        operations = sorted(self.cloud.service.operations, key=lambda operation: (operation.path, operation.method))
        with self.nothing_is_kept():
            rows = [self._row(operation) for operation in operations if operation.method != "HEAD"]
        return list(dict.fromkeys(rows))

    def _row(self, operation: Operation) -> str:
        route = f"| `{operation.method} {operation.path or '/'}` | "
        if operation.open:
            return route + " | ".join(["open"] * len(CALLERS)) + " |"
        return route + " | ".join(self.answer(operation, caller) for caller in CALLERS) + " |"

    def answer(self, operation: Operation, caller: str) -> str:
        """``yes``, ``401`` or ``403``; ``yes`` is whatever has passed the policy, also a 400 for the empty body."""
        reply = self.cloud.call(
            operation.method,
            self.path(operation.path),
            self.body(operation.path),
            token=self.tokens[caller],
            subject=self.tokens["self"],
        )
        assert reply.status < 500, (operation, caller, reply.body)
        if reply.status == 401:
            return "401"
        refused = reply.status == 403 and "not authorized to perform" in reply.body["error"]["message"]
        return "403" if refused else "yes"

    def path(self, path: str) -> str:
        """The path with the ids of the objects that are there."""
        first = path.removeprefix("/v3").removeprefix("/OS-INHERIT").split("/")[1:2]
        for place, object_id in self._ids.items():
            path = path.replace(f"/v3{place}/{{id}}", f"/v3{place}/{object_id}")
        for name, object_id in self._named.items():
            path = path.replace(f"{{{name}}}", object_id)
        for plural, object_id in self._actors.items():
            path = path.replace(f"{plural}/{{actor_id}}", f"{plural}/{object_id}")
        return path.replace("{target_id}", self._targets.get("".join(first), ""))

    def body(self, path: str) -> object:
        """One that passes the policy."""
        if path.startswith("/v3/credentials"):  # whose it shall be is in the body
            return {"credential": {"type": "x", "blob": "x", "user_id": self.user_id}}
        return {}

    @contextmanager
    def nothing_is_kept(self) -> Iterator[None]:
        """Every call finds the same objects: what it wrote is rolled back."""
        database = self.cloud.database

        @contextmanager
        def write(context: Origin, *, status: int = 200) -> Iterator[Transaction]:
            del status
            with database._transaction(immediate=True):
                try:
                    yield Transaction(database._connection, context)
                finally:
                    database._connection.rollback()

        database.write = write  # type: ignore[method-assign]
        try:
            yield
        finally:
            del database.write  # type: ignore[method-assign]


def documented() -> list[str]:
    """The rows that the document has."""
    table = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    return table.removeprefix(HEAD).strip().splitlines()


def main() -> None:
    """Write the table of the document anew."""
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(Path(folder))
        rows = "\n".join(walk.rows())
        walk.cloud.close()
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{HEAD}\n{rows}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
