"""Every collection's list, by every attribute of its declaration: filters, fields, sorting, pages, revisions, times.

What a list should hold is worked out here from all objects as they are shown.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from api_network_client import Api, fresh
from nebula_controller.api.endpoint import Endpoint

from nebula.model.address_scope import ADDRESS_SCOPE
from nebula.model.attribute import BoundAttribute, Resource
from nebula.model.floating_ip import FLOATING_IP, PORT_FORWARDING
from nebula.model.network import NETWORK
from nebula.model.port import PORT
from nebula.model.qos import QOS_POLICY, QOS_RULES
from nebula.model.rbac import RBAC_POLICY
from nebula.model.router import ROUTER
from nebula.model.security_group import ADDRESS_GROUP, SECURITY_GROUP, SECURITY_GROUP_RULE
from nebula.model.subnet import SUBNET
from nebula.model.subnet_pool import SUBNET_POOL

COUNT = 7
Row = dict[str, Any]
Make = Callable[[int, Mapping[str, str]], Mapping[str, object]]
WORDS = ("a", "b", "b", "", "a", "ö", "B")
TAGS = ([], ["red"], ["red", "blue"], ["blue"], ["green", "red", "blue"], [], ["green"])


def _words(number: int) -> dict[str, object]:
    return {"name": WORDS[number], "description": WORDS[-number - 1], "tags": TAGS[number]}


def _nameless(number: int) -> dict[str, object]:
    return {name: value for name, value in _words(number).items() if name != "name"}


RESOURCES: Mapping[str, tuple[Resource[Any], Make]] = {
    "/networks": (NETWORK, lambda n, _: {**_words(n), "admin_state_up": n % 2 == 0, "mtu": 1300 + n % 3}),
    "/subnets": (
        SUBNET,
        lambda n, ids: {
            **_words(n),
            "network_id": ids["network"],
            "ip_version": 4,
            "cidr": f"10.{n}.0.0/24",
            "enable_dhcp": n % 2 == 0,
            **({"gateway_ip": None} if n == 3 else {}),
        },
    ),
    "/subnetpools": (
        SUBNET_POOL,
        lambda n, _: {
            **_words(n),
            "name": f"pool{n % 3}",
            "prefixes": [f"10.{n}.0.0/16"],
            "default_quota": 300 + n % 2,
        },
    ),
    "/address-scopes": (ADDRESS_SCOPE, lambda n, _: {"name": f"scope{n % 3}", "ip_version": 4 if n % 2 else 6}),
    "/ports": (
        PORT,
        lambda n, ids: {**_words(n), "network_id": ids["network"], "device_id": WORDS[n], "binding:host_id": WORDS[n]},
    ),
    "/routers": (ROUTER, lambda n, _: {**_words(n), "admin_state_up": n % 2 == 0}),
    "/security-groups": (SECURITY_GROUP, lambda n, _: {**_words(n), "stateful": n % 2 == 0}),
    "/security-group-rules": (
        SECURITY_GROUP_RULE,
        lambda n, ids: {
            "security_group_id": ids["group"],
            "direction": "ingress",
            "description": WORDS[n],
            "protocol": ("tcp", "udp", "icmp")[n % 3],
            **({"remote_ip_prefix": f"10.{n}.0.0/16"} if n % 2 else {"remote_group_id": ids["group"]}),
            **({"port_range_min": n + 1, "port_range_max": 99} if n % 3 < 2 else {"port_range_min": n}),
        },
    ),
    "/address-groups": (ADDRESS_GROUP, lambda n, _: {"name": WORDS[n], "description": WORDS[-n], "addresses": []}),
    "/floatingips": (
        FLOATING_IP,
        lambda n, ids: {
            **_nameless(n),
            "floating_network_id": ids["public"],
            **({"port_id": ids["inner"]} if n == 2 else {}),
        },
    ),
    "/floatingips/FLOATING/port_forwardings": (
        PORT_FORWARDING,
        lambda n, ids: {
            "description": WORDS[n],
            "protocol": "tcp" if n % 2 else "udp",
            "internal_port_id": ids["inner"],
            "internal_port": 80 + n,
            "external_port": 8000 - n,
        },
    ),
    "/rbac-policies": (
        RBAC_POLICY,
        lambda n, ids: {
            "object_type": "network",
            "object_id": ids["network"],
            "action": "access_as_shared" if n % 2 else "access_as_external",
            "target_tenant": f"p-{n}",
        },
    ),
    "/qos/policies": (QOS_POLICY, lambda n, _: {**_words(n), "name": f"policy{n % 3}"}),
    **{
        f"/qos/policies/POLICY/{rules.plural}": (rules, lambda n, ids, name=rules.singular: RULES[name](n))
        for rules in QOS_RULES
    },
}
RULES: Mapping[str, Callable[[int], Mapping[str, object]]] = {
    "bandwidth_limit_rule": lambda n: {"max_kbps": 10 + n, "direction": ("egress", "ingress")[n]},
    "minimum_bandwidth_rule": lambda n: {"min_kbps": 5 + n, "direction": ("egress", "ingress")[n]},
    "minimum_packet_rate_rule": lambda n: {"min_kpps": 5 + n, "direction": ("egress", "ingress")[n]},
    "dscp_marking_rule": lambda n: {"dscp_mark": (10, 12)[n]},
}
"""Of these a policy has one of each direction at most."""


class Lists:
    """All collections with some objects, and what their lists say."""

    def __init__(self) -> None:
        self.api = fresh()
        self.paths: dict[str, str] = {}
        self.queries = _queries(self.api)
        network, subnet = self.api.network("10.99.0.0/24", "admin")
        public, _ = self.api.external()
        router = self.api.make("router", "admin", external_gateway_info={"network_id": public["id"]})
        interface = {"subnet_id": subnet["id"]}
        self._done("PUT", f"/routers/{router['id']}/add_router_interface", interface)
        inner = self.api.make("port", "admin", network_id=network["id"])
        self.ids = {
            "network": network["id"],
            "public": public["id"],
            "inner": inner["id"],
            "group": self.api.make("security_group", "admin", name="g")["id"],
            "FLOATING": self.api.make("floatingip", "admin", floating_network_id=public["id"])["id"],
            "POLICY": self._done("POST", "/qos/policies", {"policy": {"name": "p"}})["policy"]["id"],
        }
        for path, (resource, make) in RESOURCES.items():
            self.paths[path] = "/".join(self.ids.get(part, part) for part in path.split("/"))
            count = 2 if "POLICY" in path and resource.singular != "dscp_marking_rule" else COUNT
            for number in range(1 if resource.singular == "dscp_marking_rule" else count):
                body = dict(make(number, self.ids))
                owner = resource.attributes.get("project_id")
                if owner is not None and owner.attribute.post and not {"port_id", "internal_port_id"} & set(body):
                    body["project_id"] = f"p-{number % 2}"
                self._done("POST", self.paths[path], {resource.singular: body})

    def all(self, path: str, query: str = "") -> list[Row]:
        """What a list with this query holds."""
        found: list[Row] = self.page(path, query)[RESOURCES[path][0].plural]
        return found

    def page(self, path: str, query: str) -> Row:
        answer = self.api.call("GET", f"{self.paths[path]}?{query}", token="admin")
        assert answer.status == 200, (path, query, answer.raw)
        found: Row = answer.json
        return found

    def refused(self, path: str, query: str) -> str:
        answer = self.api.call("GET", f"{self.paths[path]}?{query}", token="admin")
        assert answer.status == 400, (path, query, answer.raw)
        return answer.kind

    def filterable(self, path: str) -> list[str]:
        """The attributes that are filters and that one sees."""
        shown = self.all(path)[0]
        attributes = RESOURCES[path][0].attributes
        return [name for name, bound in attributes.items() if _is_filter(bound) and name in shown]

    def _done(self, method: str, path: str, body: object) -> Any:
        answer = self.api.call(method, path, body, token="admin")
        assert answer.status < 300, (path, body, answer.raw)
        return answer.json


def _queries(api: Api) -> dict[str, set[str]]:
    """What each list may be asked for, by its path."""
    found = {}
    for route in api.application.routes:
        endpoint, path = route.endpoint, route.path  # type: ignore[attr-defined]
        assert isinstance(endpoint, Endpoint)
        operation = endpoint._operations.get("GET")
        if operation is not None and operation.about is not None and "marker" in operation.about.query:
            place = re.sub(r"\{(floating|policy)\w*\}", lambda name: name[1].upper(), path)
            found[place.removeprefix("/network/v2.0")] = set(operation.about.query)
    return found


def _is_filter(bound: BoundAttribute) -> bool:
    return bound.attribute.filtered and bound.attribute.stored and bound.attribute.sent


def _text(value: object) -> str:
    """As it stands in a URL."""
    return "" if value is None else quote(str(value))


def _order(value: object) -> tuple[bool, Any]:
    """Numbers before text; what is null is the empty text."""
    value = "" if value is None else value
    return isinstance(value, str), value


@pytest.fixture(scope="module")
def lists() -> Lists:
    return Lists()


def test_all_lists_are_here(lists: Lists) -> None:
    """A new collection has to come into ``RESOURCES``."""
    assert set(lists.queries) == set(RESOURCES)


@pytest.mark.parametrize("path", RESOURCES)
def test_filters(lists: Lists, path: str) -> None:
    """By each value of each attribute, two at once, the empty one and one that none has."""
    rows = lists.all(path)
    assert len(rows) >= (1 if "POLICY" in path else COUNT)
    names = [*lists.filterable(path), *(["tenant_id"] if "project_id" in rows[0] else [])]
    assert {"id"} < set(names)
    for name in names:
        values = list(dict.fromkeys(_text(row[name]) for row in rows))
        for some in ([value] for value in values), itertools.pairwise(values):
            for chosen in some:
                query = "&".join(f"{name}={value}" for value in chosen)
                wanted = [row["id"] for row in rows if _text(row[name]) in chosen]
                assert [row["id"] for row in lists.all(path, query)] == wanted, (path, query)
        if isinstance(rows[0][name], bool):
            assert lists.all(path, f"{name}=true") == [row for row in rows if row[name]]
        elif any(isinstance(row[name], int) for row in rows):
            assert lists.all(path, f"{name}=77777") == []
        elif name not in (
            "project_id",
            "tenant_id",
        ):  # a project that is asked for gets its default group, as in Neutron
            assert lists.all(path, f"{name}=nothing") == []
            assert lists.all(path, f"{name}=") == [row for row in rows if row[name] in ("", None)]
            assert lists.all(path, f"{name}=%25") == []


@pytest.mark.parametrize("path", RESOURCES)
def test_two_filters(lists: Lists, path: str) -> None:
    """Different attributes are "and"."""
    rows = lists.all(path)
    for one, other in itertools.pairwise(lists.filterable(path)):
        query = f"{one}={_text(rows[0][one])}&{other}={_text(rows[-1][other])}"
        wanted = [row["id"] for row in rows if row[one] == rows[0][one] and row[other] == rows[-1][other]]
        assert [row["id"] for row in lists.all(path, query)] == wanted, (path, query)


@pytest.mark.parametrize("path", RESOURCES)
def test_what_is_no_filter(lists: Lists, path: str) -> None:
    """Unknown names are refused, as filters and as keys to sort by; so is an attribute that is not plain."""
    special = lists.queries[path]
    for name in ("colour", "name__contains", "id[]"):
        assert lists.refused(path, f"{quote(name)}=x") == "HTTPBadRequest"
    for name, bound in RESOURCES[path][0].attributes.items():
        if not (bound.attribute.filtered and bound.attribute.stored):
            assert lists.refused(path, f"sort_key={name}") == "HTTPBadRequest"
            if name not in special:
                assert lists.refused(path, f"{name}=x") == "HTTPBadRequest", name
    for query in ("limit=-1", "limit=x", "sort_dir=asc", "sort_key=id&sort_dir=up", "sort_key=id&sort_key=colour"):
        lists.refused(path, query)


@pytest.mark.parametrize("path", RESOURCES)
def test_fields(lists: Lists, path: str) -> None:
    """Each alone, in lists and of one object; two together; what is unknown is not there."""
    rows = lists.all(path)
    one = RESOURCES[path][0].singular
    for name in rows[0]:
        assert lists.all(path, f"fields={name}") == [{name: row[name]} for row in rows]
        shown = lists.api.get(f"{lists.paths[path]}/{rows[0]['id']}?fields={name}", "admin")
        assert shown == {one: {name: rows[0][name]}}
    assert lists.all(path, "fields=id&fields=project_id&fields=colour") == [
        {name: row[name] for name in ("id", "project_id") if name in row} for row in rows
    ]


@pytest.mark.parametrize("path", RESOURCES)
def test_sorting_and_pages(lists: Lists, path: str) -> None:
    """By each attribute and by two, both ways: pages hold each object once, forwards and back, also of equals."""
    rows = lists.all(path)
    names = lists.filterable(path)
    keys = [(name,) for name in names] + list(itertools.pairwise(names))
    for key in keys:
        for ways in itertools.product(("asc", "desc"), repeat=len(key)):
            wanted = sorted(rows, key=lambda row: row["id"])
            for name, way in reversed(list(zip(key, ways, strict=True))):
                wanted.sort(key=lambda row, name=name: _order(row[name]), reverse=way == "desc")  # type: ignore[misc]
            query = urlencode([*(("sort_key", name) for name in key), *(("sort_dir", way) for way in ways)])
            ids = [row["id"] for row in wanted]
            assert [row["id"] for row in lists.all(path, query)] == ids, (path, query)
            if len(key) == 1:
                _walk(lists, path, query, ids, limit=2 if ways == ("asc",) else 3)
    _walk(lists, path, "sort_key=id", sorted(row["id"] for row in rows), limit=1)


def _walk(lists: Lists, path: str, query: str, ids: list[str], *, limit: int) -> None:
    """Follow ``next`` to the end and ``previous`` to the beginning."""
    plural = RESOURCES[path][0].plural
    pages, asked = [], f"{query}&limit={limit}"
    while asked:
        page = lists.page(path, asked)
        pages.append([row["id"] for row in page[plural]])
        assert len(pages[-1]) <= limit
        asked = _link(page, plural, "next")
    assert [key for each in pages for key in each] == ids, (path, query, limit)
    last = next(each for each in reversed(pages) if each)
    back, asked = [last], f"{query}&limit={limit}&page_reverse=True&marker={last[0]}"
    while asked:
        page = lists.page(path, asked)
        back.insert(0, [row["id"] for row in page[plural]])
        asked = _link(page, plural, "previous")
    assert [key for each in back for key in each] == ids, (path, query, limit)
    assert [row["id"] for row in lists.all(path, f"{query}&limit={limit}&page_reverse=True")] == ids[-limit:]


def _link(page: Row, plural: str, rel: str) -> str:
    found = [link["href"] for link in page.get(f"{plural}_links", []) if link["rel"] == rel]
    assert len(found) <= 1
    if not found:
        return ""
    url = urlsplit(found[0])
    assert url.netloc == "controller:9696"
    assert dict(parse_qsl(url.query, keep_blank_values=True))["marker"]
    return url.query


@pytest.mark.parametrize("path", [path for path in RESOURCES if path != "/rbac-policies" and "/" not in path[12:]])
def test_tags(lists: Lists, path: str) -> None:
    """The four filters with one, two and unknown tags, together with another filter too."""
    rows = lists.all(path)
    for wished in (["red"], ["red", "blue"], ["none"], ["red", "none"], ["green", "red"], ["red", "red"]):
        asked = set(wished)
        for how, fits in {
            "tags": lambda have, asked=asked: asked <= have,
            "tags-any": lambda have, asked=asked: bool(asked & have),
            "not-tags": lambda have, asked=asked: not asked <= have,
            "not-tags-any": lambda have, asked=asked: not asked & have,
        }.items():
            wanted = [row["id"] for row in rows if fits(set(row["tags"]))]
            for query in (f"{how}={','.join(wished)}", "&".join(f"{how}={tag}" for tag in wished)):
                assert [row["id"] for row in lists.all(path, query)] == wanted, (path, query)
    both = [row["id"] for row in rows if "red" in row["tags"] and "green" not in row["tags"]]
    assert [row["id"] for row in lists.all(path, "tags=red&not-tags=green")] == both


@pytest.mark.parametrize("path", RESOURCES)
def test_owner_times_and_revisions(lists: Lists, path: str) -> None:
    """``tenant_id`` is ``project_id``; times are UTC; ``If-Match`` takes the present revision and no other."""
    resource = RESOURCES[path][0]
    for row in lists.all(path):
        assert ("tenant_id" in row) == ("project_id" in row)
        assert row.get("tenant_id") == row.get("project_id")
        for name in ("created_at", "updated_at"):
            assert name not in row or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[name])
        if "revision_number" not in row or "description" not in row or resource is SECURITY_GROUP_RULE:
            continue
        one = f"{lists.paths[path]}/{row['id']}"
        now = row["revision_number"]
        for number, status in ((now + 1, 412), (now - 1, 412), (now, 200), (now, 412)):
            body = {resource.singular: {"description": f"{status} {number}"}}
            headers = {"if-match": f"revision_number={number}"}
            answer = lists.api.call("PUT", one, body, token="admin", headers=headers)
            assert answer.status == status, (path, answer.raw)
        after = lists.api.get(one, "admin")[resource.singular]
        assert (after["description"], after["revision_number"] > now) == (f"200 {now}", True)
        assert after["updated_at"] >= after["created_at"] == row["created_at"]
