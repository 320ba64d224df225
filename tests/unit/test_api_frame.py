"""What all resources share: errors, bodies, filters, paging, fields, tags, revisions, discovery."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from api_network_client import Api, TokensAreNames, fresh
from nebula_controller.api.application import create_application
from nebula_controller.api.endpoint import BODY_LIMIT_BYTES, Answer, Call, Operation, Service


@pytest.fixture
def api() -> Api:
    return fresh()


def names(answer: dict[str, list[dict[str, str]]], plural: str = "networks") -> list[str]:
    return [row["name"] for row in answer[plural]]


def test_authentication(api: Api) -> None:
    """No token and a bad one get 401 in Keystone's shape; the versions need none."""
    for token in (None, "bad"):
        answer = api.call("GET", "/networks", token=token)
        assert (answer.status, answer.json["error"]["code"]) == (401, 401)
        assert "www-authenticate" in answer.headers
    assert api.call("GET", "//network/", token=None).json["versions"][0]["id"] == "v2.0"
    assert api.call("GET", "//network", token=None).status == 200
    assert api.call("GET", "/", token=None).status == 200


def test_request_ids(api: Api) -> None:
    """Each answer, also a refusal, has a request id of its own."""
    seen = {api.call("GET", path).headers["x-openstack-request-id"] for path in ("/networks", "/networks/x", "/none")}
    assert len(seen) == 3
    assert all(request_id.startswith("req-") for request_id in seen)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"network"', 400),
        (b"{}", 400),
        (b'{"network": null}', 400),
        (b'{"network": []}', 400),
        (b'{"network": {"name": NaN}}', 400),
        (b'{"network": {"name": "\xff"}}', 400),
        (b'{"network": {"name": "\\ud800"}}', 400),
        (b'{"network": {"mtu": ' + b"9" * 5000 + b"}}", 400),
        (b'{"network": {"name": ' + b"[" * 5000 + b"]" * 5000 + b"}}", 400),
        (b'{"networks": []}', 400),
        (b'{"networks": {}}', 400),
        (b'{"networks": [{}, 5]}', 400),
        (b" " * (BODY_LIMIT_BYTES + 1), 413),
    ],
)
def test_broken_bodies(api: Api, raw: bytes, status: int) -> None:
    """Whatever the bytes are, the answer is a refusal in Neutron's shape without a traceback, and nothing changes."""
    before = api.tables()
    answer = api.call("POST", "/networks", raw=raw)
    assert (answer.status, bool(answer.kind), b"Traceback" in answer.raw) == (status, True, False)
    assert api.tables() == before


def test_unforeseen_failure(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A bug is answered with 500 and no word of its cause; the log has it; the next call works."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr("nebula_controller.network.segments.allocate", broken)
        answer = api.call("POST", "/networks", {"network": {}})
    assert (answer.status, b"secret" in answer.raw) == (500, False)
    assert "secret detail" in caplog.text
    api.make("network")


def test_a_stop_in_the_midst(caplog: pytest.LogCaptureFixture) -> None:
    """A call that the server ends, because it stops, is answered with 503, and is no failure in the log."""

    async def lasts(_call: Call) -> Answer:
        await asyncio.sleep(60)
        return Answer()

    application = create_application(TokensAreNames(), [Service("", [Operation("GET", "/", lasts, open=True)])])
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": ""}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        task = asyncio.create_task(application(scope, receive, send))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await task

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert (sent[0]["status"], caplog.records) == (503, [])


def test_log_has_no_token(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """One line a request, with ids and status, without the token or the query."""
    with caplog.at_level(logging.INFO):
        api.call("GET", "/networks?name=private", token="s3cret-token")
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    fields = record.__dict__["fields"]
    assert (fields["method"], fields["path"], fields["status"]) == ("GET", "/network/v2.0/networks", 200)
    assert "private" not in str(fields)
    assert "token" not in {name for name, value in fields.items() if value == "s3cret-token"}


def test_unknown_paths(api: Api) -> None:
    """404 and 405 come in Neutron's shape; 405 says what is allowed."""
    assert api.call("GET", "/nonsense").kind == "HTTPNotFound"
    answer = api.call("PATCH", "/networks")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


def test_head(api: Api) -> None:
    """As GET, for whoever may GET."""
    made = api.make("network")
    assert [api.call("HEAD", f"/networks/{key}").status for key in (made["id"], "x")] == [200, 404]
    assert api.call("HEAD", "/networks", token=None).status == 401


def test_filters(api: Api) -> None:
    """Repeated values are "or", different names "and"; booleans and numbers are known; unknown names are refused."""
    for name in ("a", "b", "c"):
        api.make("network", name=name, admin_state_up=name != "c")
    assert names(api.get("/networks?name=a&name=b&name=zz&sort_key=name")) == ["a", "b"]
    assert names(api.get("/networks?name=a&name=c&admin_state_up=False")) == ["c"]
    assert names(api.get("/networks?mtu=1450&tenant_id=p-alice&name=b")) == ["b"]
    assert names(api.get("/networks?provider:segmentation_id=2", "admin")) == ["b"]
    for query in ("colour=red", "subnets=x", "admin_state_up=maybe", "mtu=big", f"mtu={'9' * 30}"):
        assert api.call("GET", f"/networks?{query}").status == 400, query


def test_filters_of_ports(api: Api) -> None:
    """By address, by a part of it, by subnet, by device."""
    network, subnet = api.network("10.0.0.0/24")
    for name in ("a", "b"):
        api.make("port", network_id=network["id"], name=name, device_id=f"vm-{name}")
    for query, found in {
        "fixed_ips=ip_address%3D10.0.0.3": ["b"],
        f"fixed_ips=ip_address%3D10.0.0.2&fixed_ips=subnet_id%3D{subnet['id']}": ["a"],
        "fixed_ips=ip_address_substr%3D0.0.": ["a", "b"],
        "fixed_ips=ip_address_substr%3D%25": [],
        "device_id=vm-b": ["b"],
    }.items():
        assert names(api.get(f"/ports?{query}&sort_key=name"), "ports") == found, query
    assert api.call("GET", "/ports?fixed_ips=colour%3Dred").status == 400


def test_paging(api: Api) -> None:
    """Pages by ``limit`` and ``marker`` hold each object once, both ways, also where sort keys are equal."""
    for number in range(7):
        api.make("network", name=f"n{number // 2}")
    everything = [n["id"] for n in api.get("/networks?sort_key=name&sort_dir=desc")["networks"]]
    path, pages = "/networks?sort_key=name&sort_dir=desc&limit=3", []
    for _ in range(5):
        page = api.get(path)
        pages.append([network["id"] for network in page["networks"]])
        following = [link["href"] for link in page.get("networks_links", []) if link["rel"] == "next"]
        if not following:
            break
        path = "/networks?" + following[0].split("?", 1)[1]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [key for page in pages for key in page] == everything
    back = api.get(f"/networks?sort_key=name&sort_dir=desc&limit=3&page_reverse=True&marker={pages[1][0]}")
    assert [network["id"] for network in back["networks"]] == pages[0]
    wrong = ("limit=-1", "limit=x", "sort_key=colour", "sort_key=name&sort_dir=up", "sort_dir=asc", "sort_key=subnets")
    for query in wrong:
        assert api.call("GET", f"/networks?{query}").status == 400, query
    assert api.call("GET", "/networks?marker=nobody").status == 404


def test_long_queries(api: Api) -> None:
    """Any number of values in a filter that a URL holds is an answer, too many parameters are a refusal."""
    api.make("network", name="a", tags=["red", "t7"])
    many = ",".join(f"t{number}" for number in range(5000))
    found = {f"{how}={many}": names(api.get(f"/networks?{how}={many}")) for how in ("tags", "tags-any", "not-tags-any")}
    assert list(found.values()) == [[], ["a"], []]
    assert names(api.get(f"/networks?{'id=x&' * 499}name=a")) == []
    made = api.get("/networks")["networks"][0]["id"]
    assert names(api.get(f"/networks?{'sort_key=name&' * 499}marker={made}")) == []
    assert api.call("GET", f"/networks?{'id=x&' * 500}name=a").status == 400
    assert api.call("GET", f"/ports?{'fixed_ips=ip_address_substr%3D1&' * 101}").status == 400


def test_fields(api: Api) -> None:
    """Only what is asked for is sent; what the caller may not see stays unseen."""
    made = api.make("network", name="a")
    query = "fields=id&fields=name&fields=subnets&fields=provider:segmentation_id"
    assert api.get(f"/networks?{query}")["networks"] == [{"id": made["id"], "name": "a", "subnets": []}]
    assert api.get(f"/networks/{made['id']}?fields=name")["network"] == {"name": "a"}


def test_revisions(api: Api) -> None:
    """``If-Match`` with the current revision passes, with another one it is 412 and nothing changes."""
    made = api.make("network", name="a")
    path, body = f"/networks/{made['id']}", {"network": {"name": "b"}}
    changed = api.call("PUT", path, body, headers={"if-match": "revision_number=1"})
    assert changed.json["network"]["revision_number"] == 2
    for method in ("PUT", "DELETE"):
        answer = api.call(method, path, body, headers={"if-match": "revision_number=1"})
        assert (answer.status, answer.kind) == (412, "RevisionNumberConstraintFailed")
    assert api.call("PUT", path, body, headers={"if-match": "*"}).status == 400


def test_tags(api: Api) -> None:
    """Tags are set, added, removed and filtered by; a change of tags is a change of the object."""
    one, two = api.make("network", name="one", tags=["red"]), api.make("network", name="two")
    path = f"/networks/{two['id']}/tags"
    assert api.call("PUT", path, {"tags": ["red", "blue"]}).json == {"tags": ["red", "blue"]}
    assert api.call("PUT", f"{path}/green").status == 201
    assert api.get(path) == {"tags": ["red", "blue", "green"]}
    assert api.call("DELETE", f"{path}/blue").status == 204
    assert api.call("DELETE", f"{path}/blue").kind == "TagNotFound"
    assert (api.call("GET", f"{path}/red").status, api.call("GET", f"{path}/blue").status) == (204, 404)
    expected = {
        "tags=red,green": ["two"],
        "tags-any=red,green": ["one", "two"],
        "not-tags=red,green": ["one"],
        "not-tags-any=red": [],
    }
    assert {query: names(api.get(f"/networks?{query}&sort_key=name")) for query in expected} == expected
    assert api.get(f"/networks/{two['id']}")["network"]["revision_number"] == 4
    assert api.call("PUT", path, {"tags": "red"}).status == 400
    assert api.call("DELETE", path).status == 204
    assert api.call("PUT", f"/networks/{one['id']}/tags", {"tags": []}, token="bob").status == 404


def test_extensions_are_realised(api: Api) -> None:
    """The list has each alias once, and each can be asked for; one that is not there is 404."""
    aliases = [extension["alias"] for extension in api.get("/extensions")["extensions"]]
    assert len(aliases) == len(set(aliases)) > 20
    assert {alias: api.call("GET", f"/extensions/{alias}").status for alias in aliases} == dict.fromkeys(aliases, 200)
    assert api.call("GET", "/extensions/bgp").kind == "ExtensionNotFound"


@pytest.mark.parametrize(
    "path", ["/availability_zones", "/quotas/p-alice", "/security-groups", "/floatingips", "/quotas/p-alice/details"]
)
def test_what_clients_ask_around(api: Api, path: str) -> None:
    """The ``openstack`` client asks for these on its way; they answer."""
    assert api.call("GET", path).status == 200
