"""Who may speak as a node: who shows its certificate, or, for hosts that never joined, the nodes' shared secret.

Effects: reads of the database, a clock. The shared secret exists only where the controller was given one. A host that
has joined is believed by its certificate alone from then on.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from nebula.errors import ConfigError, Forbidden, InvalidAttribute, Unauthorized
from nebula.ids import Host
from nebula_controller.api.endpoint import Call, Claim
from nebula_controller.nodes import membership
from nebula_controller.nodes.report import HOST_NAME
from nebula_controller.store.database import Database

JOIN_AGAIN = (
    "To have it back: 'nebulactl node token create --host {host}' at the controller, then "
    "'nebula-agent join URL TOKEN' on the node."
)


class Gate:
    """``secret`` None: only certificates count. ``trusts``: whether an authority's signature still counts, by its key
    identifier. ``wall_s``: seconds since the epoch.
    """

    def __init__(
        self,
        database: Database,
        secret: bytes | None,
        trusts: Callable[[str], bool],
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._trusts = trusts
        self._wall_s = wall_s
        if secret is not None and not secret.strip():
            raise ConfigError("The nodes' secret is empty: put one into the node secret file.")
        self._expected = b"bearer " + secret.strip() if secret is not None else None

    def admit(self, call: Claim) -> None:
        """Of an operation whose path has ``{host}``: only that node itself.

        Raises Unauthorized where nobody is shown, Forbidden for another one.
        """
        host = host_of(call)
        if call.node is None:
            self._admit_by_secret(call, host)
            return
        if call.node.host != host:
            raise Forbidden(f"The certificate is node {call.node.host}'s: what is of node {host} is not for it.")
        if self._wall_s() >= call.node.expires_at_s:
            raise Forbidden(f"The certificate of node {host} has expired. {JOIN_AGAIN.format(host=host)}")
        if not self._trusts(call.node.signed_by):
            raise Forbidden(
                f"The authority that signed the certificate of node {host} is retired. {JOIN_AGAIN.format(host=host)}"
            )
        with self._database.read() as tx:
            known = membership.member(tx, host)
        if known is None:
            raise Forbidden(
                f"The controller does not know that node {host} has joined: its database is older, or another. "
                f"{JOIN_AGAIN.format(host=host)}"
            )
        if known.revoked_at is not None:
            raise Forbidden(f"Node {host} was revoked at {known.revoked_at}. {JOIN_AGAIN.format(host=host)}")
        if known.membership != call.node.membership:
            raise Forbidden(f"Node {host} has joined anew at {known.joined_at}: this certificate is an older one.")

    def _admit_by_secret(self, call: Claim, host: Host) -> None:
        if self._expected is None:
            raise Unauthorized(
                "Nodes show a certificate: 'nebulactl node token create' at the controller, then "
                "'nebula-agent join URL TOKEN' on the node."
            )
        scheme, _, secret = call.headers.get("authorization", "").partition(" ")
        given = f"{scheme.lower()} {secret.strip()}".encode()
        if not hmac.compare_digest(given, self._expected):
            raise Unauthorized("The node's secret is missing or wrong (Authorization: Bearer <node secret>).")
        with self._database.read() as tx:
            known = membership.member(tx, host)
        if known is not None:
            raise Forbidden(f"Node {host} has joined: only its certificate counts, over https.")


def host_of(call: Call | Claim) -> Host:
    """The node in the call's path. Raises InvalidAttribute."""
    return check_host(call.path["host"])


def check_host(host: str) -> Host:
    """Raises InvalidAttribute."""
    if not HOST_NAME.fullmatch(host):
        raise InvalidAttribute("host", "a node's name has up to 64 letters, digits, '.', '-' and '_'")
    return Host(host)
