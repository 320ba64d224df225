"""The lab's calls to its own controller: wait until it answers, who is alive, the external network.

Effects: HTTP on the machine's loopback address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import msgspec
from nebula_runtime.http import Client, Response

from nebula.errors import NebulaError, Unauthorized, Unavailable
from nebula_lab.fabric import PHYSICAL_NETWORK, PROVIDER_CIDR, PROVIDER_GATEWAY

PUBLIC = "public"
_POOL = {"start": "203.0.113.10", "end": "203.0.113.200"}


class Credentials(msgspec.Struct, frozen=True):
    """A user of a controller, in the words of the openstack client."""

    auth_url: str
    username: str
    password: str
    project_name: str
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"

    def variables(self) -> dict[str, str]:
        """``OS_AUTH_URL`` and so on."""
        named = {f"OS_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(self).items()}
        return {**named, "OS_IDENTITY_API_VERSION": "3"}


class Cloud:
    """Calls as one user. ``endpoint`` is ``http://127.0.0.1:PORT``."""

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self._client = Client(endpoint, timeout_s=15.0)
        self._credentials = credentials
        self._token = ""

    def request(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """The answer's JSON object. Raises Unavailable, Unauthorized, or NebulaError with the server's words."""
        if not self._token:
            self._token = self._log_in()
        return _object(self._send(method, path, body), f"{method} {path}")

    def wait_until_up(self, timeout_s: float, still_runs: Callable[[], bool]) -> None:
        """Return when the controller answers. Raises Unavailable after the time, or when it has ended."""
        end = time.monotonic() + timeout_s
        while True:
            asked_s = time.monotonic()
            try:
                self._token = self._log_in()
                return
            except Unavailable:
                if asked_s > end or not still_runs():
                    raise
            _pause(asked_s)

    def alive_hosts(self, started_since: Mapping[str, str] | None = None) -> set[str]:
        """Nodes whose agents are alive; of those in ``started_since`` only agents started then or later.

        Times are as the API gives them, ``2026-11-22 14:42:27`` in UTC. An agent counts as alive for some seconds
        after its end, so a new one can be told from the old only by its start.
        """
        agents = self.request("GET", "/network/v2.0/agents").get("agents")
        since = started_since or {}
        return {
            str(agent.get("host"))
            for agent in (agents if isinstance(agents, list) else [])
            if isinstance(agent, dict)
            and agent.get("alive") is True
            and str(agent.get("started_at")) >= since.get(str(agent.get("host")), "")
        }

    def wait_alive(self, hosts: Collection[str], started_since: Mapping[str, str], timeout_s: float) -> set[str]:
        """Wait for the agents of these hosts; the ones still missing after ``timeout_s``."""
        end = time.monotonic() + timeout_s
        while True:
            asked_s = time.monotonic()
            missing = set(hosts) - self.alive_hosts(started_since)
            if not missing or asked_s > end:
                return missing
            _pause(asked_s)

    def ensure_public(self) -> bool:
        """Make the external network with its subnet where it is not there; True where something was made."""
        network_id = self._first_id("networks", f"name={PUBLIC}&router:external=true")
        made = False
        if network_id is None:
            body = {
                "name": PUBLIC,
                "router:external": True,
                "provider:network_type": "flat",
                "provider:physical_network": PHYSICAL_NETWORK,
            }
            network = self.request("POST", "/network/v2.0/networks", {"network": body}).get("network")
            network_id = str(network["id"]) if isinstance(network, dict) else ""
            made = True
        if self._first_id("subnets", f"network_id={network_id}") is None:
            subnet = {
                "name": f"{PUBLIC}_subnet",
                "network_id": network_id,
                "ip_version": 4,
                "cidr": PROVIDER_CIDR,
                "gateway_ip": PROVIDER_GATEWAY,
                "enable_dhcp": False,
                "allocation_pools": [_POOL],
            }
            self.request("POST", "/network/v2.0/subnets", {"subnet": subnet})
            made = True
        return made

    def _first_id(self, collection: str, query: str) -> str | None:
        found = self.request("GET", f"/network/v2.0/{collection}?{query}").get(collection)
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return str(found[0]["id"])
        return None

    def _log_in(self) -> str:
        who = self._credentials
        user = {"name": who.username, "domain": {"name": who.user_domain_name}, "password": who.password}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": who.project_name, "domain": {"name": who.project_domain_name}}},
            }
        }
        answer = self._send("POST", "/identity/v3/auth/tokens", body)
        if answer.status == 401:
            raise Unauthorized(f"the controller refuses user {who.username!r}")
        _object(answer, "login")
        return answer.headers.get("x-subject-token", "")

    def _send(self, method: str, path: str, body: object) -> Response:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "nebula-lab"}
        if self._token:
            headers["X-Auth-Token"] = self._token
        content = None if body is None else msgspec.json.encode(body)
        return self._client.request(method, path, headers=headers, body=content)


def _object(answer: Response, what: str) -> dict[str, object]:
    if answer.status >= 300:
        words = answer.body[:300].decode(errors="replace")
        kind = Unavailable if answer.status >= 500 else NebulaError
        raise kind(f"{what}: HTTP {answer.status}: {words}")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, object]) if answer.body else {}
    except msgspec.MsgspecError as error:
        raise Unavailable(f"{what}: the answer is not a JSON object") from error


def _pause(asked_s: float) -> None:
    """Before asking again: what is waited for needs the processors more, where asking takes long."""
    time.sleep(min(max(0.05, 4 * (time.monotonic() - asked_s)), 1.0))
