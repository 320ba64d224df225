"""How this node reaches its controller, and what it shows there: its certificate, or the nodes' shared secret.

Effects: reads the secret's file and the identity. There is no way from one to the other by itself: a node that has
joined speaks TLS alone.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from nebula_runtime.config import read_secret
from nebula_runtime.http import Client, Response

from nebula.errors import ConfigError, NebulaError, Untrusted
from nebula_agent import identity
from nebula_agent.identity import Identity
from nebula_agent.settings import Settings


class NotJoined(ConfigError):
    """This node has no certificate yet, and needs one."""


class Access(msgspec.Struct, frozen=True):
    """``secret`` where there is no ``identity``."""

    url: str
    identity: Identity | None = None
    secret: str = ""

    def client(self, timeout_s: float) -> Client:
        """A connection of its own, for one thread."""
        return Client(self.url, timeout_s=timeout_s, tls=self.identity)

    def trouble(self, error: NebulaError | None = None) -> str:
        """What a person has to do before the two can believe each other, after this ``error``; empty where nothing."""
        if self.identity is None:
            return ""
        if isinstance(error, Untrusted):
            return (
                f"what answers at {self.url} is not the controller that this node has joined, or a clock is wrong. If "
                "the controller was made anew, or its authority was changed while this node was off: 'nebulactl node "
                "token create' there, 'nebula-agent join URL TOKEN' here"
            )
        return self.identity.trouble()

    @property
    def headers(self) -> dict[str, str]:
        """For each request."""
        return {"Authorization": f"Bearer {self.secret}"} if self.identity is None else {}


def refusal(answer: Response) -> str:
    """The controller's own words for why it answers with an error."""
    try:
        body = msgspec.json.decode(answer.body, type=dict[str, dict[str, object]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return answer.body[:200].decode("utf-8", "replace")
    error = body.get("NeutronError") or body.get("error") or {}
    return str(error.get("message", ""))


def folder_of(settings: Settings) -> Path:
    """The identity's folder."""
    return Path(settings.state_dir) / "identity"


def find_access(settings: Settings) -> Access | None:
    """None where a file is the view's source.

    Raises ConfigError that says what is missing or contradicts itself; NotJoined where ``nebula-agent join`` mends it.
    """
    if settings.view_file:
        if settings.controller:
            raise ConfigError("give either --controller URL or --view-file FILE: where the node's view comes from")
        return None
    found = identity.find(folder_of(settings))
    url = settings.controller or (found.joined.url if found is not None else "")
    if not url:
        raise NotJoined(
            "this node has not joined: make a token at the controller with 'nebulactl node token create', then run "
            "'nebula-agent join URL TOKEN' here"
        )
    if url.startswith("https://"):
        return Access(url, _joined(found, settings, url))
    if found is not None:
        raise ConfigError(
            f"this node has joined {found.joined.url} and speaks TLS with it: take controller and node_secret_file out "
            f"of the configuration, or remove {folder_of(settings)} to go without"
        )
    if not settings.node_secret_file:
        raise ConfigError(
            f"{url} is not https: join the controller ('nebula-agent join https://HOST:PORT TOKEN'), or, on a network "
            "that nobody else is on, give --node-secret-file"
        )
    return Access(url, secret=read_secret(Path(settings.node_secret_file)))


def _joined(found: Identity | None, settings: Settings, url: str) -> Identity:
    if settings.node_secret_file:
        raise ConfigError("node_secret_file is for http:// alone: over https a node shows its certificate")
    if found is None:
        raise NotJoined(
            f"this node has not joined {url}: make a token there with 'nebulactl node token create', then run "
            f"'nebula-agent join {url} TOKEN' here"
        )
    if found.joined.host != settings.host:
        raise ConfigError(
            f"this node has joined as {found.joined.host}, and is called {settings.host} now: set host = "
            f'"{found.joined.host}" in the configuration, or join again'
        )
    return found
