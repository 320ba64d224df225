"""Without a token nothing answers but what says which versions there are, and what one logs in with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_routes import Walk

VERSIONS = {
    *("/identity", "/identity/", "/identity/v3", "/identity/v3/"),
    *("/network", "/network/", "/network/v2.0", "/network/v2.0/"),
    *("/compute", "/compute/", "/compute/v2.1", "/compute/v2.1/", "/image", "/image/"),
}
OWN_PROOF = {"/identity/v3/auth/tokens", "/identity/v3/users/{id}/password"}
"""Where the body says who somebody is."""
JOINING = {"/nebula/v1/authority", "/nebula/v1/join"}
"""What needs a one-time token, and TLS, which this controller does not speak."""


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    made = Walk(Path(tmp_path_factory.mktemp("open")))
    with made.nothing_is_kept():
        yield made
    made.controller.close()


@pytest.mark.parametrize("token", [None, "", "none", "x" * 10_000])
def test_nothing_else_is_open(walk: Walk, token: str | None) -> None:
    """Every method of every route, with no token and with one of nobody's: 401, whatever the body."""
    headers = {} if token is None else {"x-auth-token": token}
    seen = set()
    for path, operation in walk.operations:
        place = walk.place(path)
        for body in (None, "{", '{"a": 1}'):
            reply = walk.send(operation.method, place, body, headers)
            if operation.method == "GET" and path in VERSIONS:
                assert reply.status_code in (200, 300), path
                seen.add(path)
            elif path in JOINING:
                assert reply.status_code == 409, path
                seen.add(path)
            elif operation.method == "POST" and path in OWN_PROOF:
                assert reply.status_code in (400, 401), path
                seen.add(path)
            else:
                assert reply.status_code == 401, (operation.method, path, reply.text)
                assert operation.method == "HEAD" or set(reply.json()) == {"error"}, (path, reply.text)
    assert seen == VERSIONS | OWN_PROOF | JOINING
