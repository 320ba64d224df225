"""Neutron's ``agents``. Effects: HTTP answers, SQL.

For administrators; others see none (Neutron's default policy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nebula.errors import BadRequest, InvalidAttribute, NotFound
from nebula.model import accept
from nebula_controller.api import query as queries
from nebula_controller.api.authority import ADMIN
from nebula_controller.api.endpoint import Answer, Call, Operation, Service
from nebula_controller.nodes.agents import agent, agents, delete_agent, set_agent
from nebula_controller.nodes.hosting_api import Hosting
from nebula_controller.store.database import Database

_FILTERS = (
    "admin_state_up",
    "agent_type",
    "alive",
    "availability_zone",
    "binary",
    "description",
    "host",
    "id",
    "topic",
)


RULES = dict.fromkeys(
    (
        *("get_agent", "update_agent", "delete_agent"),
        *("get_dhcp-agents", "get_dhcp-networks", "create_dhcp-network", "delete_dhcp-network"),
        *("get_l3-agents", "get_l3-routers", "create_l3-router", "delete_l3-router"),
    ),
    ADMIN,
)


class AgentsApi:
    """The operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def service(self) -> Service:
        """To be given to ``create_application`` beside the network service."""
        return Service(
            "/network",
            [
                Operation("GET", "/v2.0/agents", self._list),
                Operation("GET", "/v2.0/agents/{id}", self._show),
                Operation("PUT", "/v2.0/agents/{id}", self._update),
                Operation("DELETE", "/v2.0/agents/{id}", self._delete),
                *Hosting(self._database).operations(),
            ],
            rules=RULES,
        )

    def _list(self, call: Call) -> Answer:
        query = queries.parse(call.query)
        unknown = [name for name in query.filters if name not in _FILTERS]
        if unknown:
            raise BadRequest(f"{unknown} is invalid attribute for filtering", type_name="HTTPBadRequest")
        if not call.context.allows("get_agent", {}):
            return Answer(200, {"agents": []})
        with self._database.read() as tx:
            found = [r for r in agents(tx) if all(_matches(r[name], values) for name, values in query.filters.items())]
        found, links = queries.page(found, query, call.url, call.query)
        body = {"agents": [_only(row, call.query) for row in found]}
        return Answer(200, body | ({"agents_links": links} if links else {}))

    def _show(self, call: Call) -> Answer:
        _require(call, "get_agent")
        with self._database.read() as tx:
            return Answer(200, {"agent": _only(agent(tx, call.path["id"]), call.query)})

    def _update(self, call: Call) -> Answer:
        _require(call, "update_agent")
        values = _given(call.json())
        with self._database.write(call.context) as tx:
            set_agent(tx, call.path["id"], values)
            return Answer(200, {"agent": agent(tx, call.path["id"])})

    def _delete(self, call: Call) -> Answer:
        _require(call, "delete_agent")
        with self._database.write(call.context, status=204) as tx:
            delete_agent(tx, call.path["id"])
        return Answer(204)


def _require(call: Call, rule: str) -> None:
    if not call.context.allows(rule, {}):
        raise NotFound(f"Agent {call.path['id'][:64]} could not be found.", type_name="AgentNotFound")


def _matches(value: object, wanted: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return str(value).lower() in [text.lower() for text in wanted]
    return ("" if value is None else str(value)) in wanted


def _only(row: Mapping[str, Any], query: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    wanted = {value for name, value in query if name == "fields"}
    return {name: value for name, value in row.items() if name in wanted} if wanted else row


def _given(body: object) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("agent"), dict):
        raise BadRequest("The body must be an object with 'agent', an object.", type_name="HTTPBadRequest")
    makers = {"admin_state_up": accept.boolean, "description": accept.optional(accept.string())}
    values: dict[str, Any] = {}
    for name, value in body["agent"].items():
        if name not in makers:
            raise BadRequest(f"Cannot update read-only attribute {accept.shown(name)}", type_name="HTTPBadRequest")
        try:
            values[name] = makers[name](value)
        except ValueError as error:
            raise InvalidAttribute(name, str(error)) from None
    return values
