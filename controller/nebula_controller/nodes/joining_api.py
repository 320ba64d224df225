"""How nodes join, renew and are shut out: ``/nebula/v1/authority``, ``join``, ``join-tokens``, ``nodes/{host}/...``.

Effects: HTTP answers, the tables of memberships, signatures, ends of connections. Tokens and revocation are for
administrators; ``authority`` and ``join`` are open to everybody: what they need is the token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from nebula_runtime.log import event

from nebula.errors import Conflict, Forbidden
from nebula.ids import Host
from nebula.view.joining import AuthorityAnswer, CertificateAnswer, JoinRequest, JoinToken, RenewRequest
from nebula_controller.api.endpoint import OPEN_LIMIT_BYTES, Answer, Call, Operation, Service
from nebula_controller.nodes import membership
from nebula_controller.nodes.bodies import decode
from nebula_controller.nodes.gate import Gate, check_host, host_of
from nebula_controller.nodes.registry import shut_out
from nebula_controller.store.database import Database

if TYPE_CHECKING:
    from nebula_controller.tls.authorities import Authorities
    from nebula_controller.tls.authority import Signed

log = logging.getLogger(__name__)

RULE = "nebula:manage_nodes"
MOST_TOKEN_LIFETIME_S = 30 * 86_400


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that makes a token. ``host``: for that node alone."""

    host: str | None = None
    description: Annotated[str, Meta(max_length=255)] = ""
    lifetime_s: Annotated[int, Meta(ge=1, le=MOST_TOKEN_LIFETIME_S)] = 3600


class Joining(msgspec.Struct, frozen=True):
    """What joining needs of a controller that listens with TLS. ``url``: where nodes reach it, as far as it knows.

    ``cut`` ends the open connections of a node.
    """

    authorities: Authorities
    url: str
    cut: Callable[[Host], int]


class JoiningApi:
    """The operations. ``joining`` None: the controller does not listen with TLS."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        joining: Joining | None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._gate = gate
        self._joining = joining
        self._wall_s = wall_s

    def service(self) -> Service:
        node = "/v1/nodes/{host}"
        return Service(
            "/nebula",
            [
                Operation("GET", "/v1/authority", self._show_authority, open=True, limit_bytes=OPEN_LIMIT_BYTES),
                Operation("POST", "/v1/join", self._join, open=True, limit_bytes=OPEN_LIMIT_BYTES),
                Operation("POST", f"{node}/certificate", self._renew, open=True, admits=self._gate.admit),
                Operation("DELETE", f"{node}/membership", self._revoke),
                Operation("GET", "/v1/join-tokens", self._list_tokens),
                Operation("POST", "/v1/join-tokens", self._create_token),
                Operation("DELETE", "/v1/join-tokens/{id}", self._delete_token),
            ],
            rules={RULE: "role:admin"},
        )

    def _show_authority(self, _call: Call) -> Answer:
        return Answer(200, AuthorityAnswer(self._tls().authorities.shown.pem))

    def _join(self, call: Call) -> Answer:
        authority, now_s = self._tls().authorities.signing, self._wall_s()
        if not call.url.startswith("https://"):
            raise Forbidden("A node joins over https alone.")
        asked = decode(call.raw, JoinRequest)
        host = check_host(asked.host)
        with self._database.write(call.context) as tx:
            joined = membership.join(tx, asked.token_id, asked.secret, host, now_s)
            signed = authority.sign_request(asked.request, host, joined)
            membership.extend(tx, host, signed.expires_at_s)
            membership.shows(tx, host, authority.key_id)
        self._tls().cut(host)  # of an earlier membership
        event(log, logging.INFO, "node joined", host=host, token=asked.token_id, request_id=call.context.request_id)
        return self._certified(signed)

    def _renew(self, call: Call) -> Answer:
        if call.node is None:
            raise Forbidden("Only a certificate is renewed: a node that has none joins.")
        asked = decode(call.raw, RenewRequest)
        signed = self._tls().authorities.signing.sign_request(asked.request, call.node.host, call.node.membership)
        with self._database.write(call.context) as tx:
            membership.extend(tx, call.node.host, signed.expires_at_s)
        event(log, logging.INFO, "certificate renewed", host=call.node.host)
        return self._certified(signed)

    def _certified(self, signed: Signed) -> Answer:
        bundle = self._tls().authorities.bundle
        return Answer(200, CertificateAnswer(signed.certificate, bundle, signed.expires_at_s, self._wall_s()))

    def _revoke(self, call: Call) -> Answer:
        _require_admin(call)
        host = host_of(call)
        with self._database.write(call.context, status=204) as tx:
            membership.revoke(tx, host, self._wall_s())
            shut_out(tx, host)
        cut = self._joining.cut(host) if self._joining is not None else 0
        event(log, logging.WARNING, "node revoked", host=host, connections=cut, user_id=call.context.user_id)
        return Answer(204)

    def _list_tokens(self, call: Call) -> Answer:
        _require_admin(call)
        with self._database.read() as tx:
            return Answer(200, {"join_tokens": membership.tokens(tx, self._wall_s())})

    def _create_token(self, call: Call) -> Answer:
        _require_admin(call)
        joining = self._tls()
        asked = decode(call.raw, NewToken)
        if asked.host is not None:
            check_host(asked.host)
        with self._database.write(call.context, status=201) as tx:
            shown, secret = membership.create_token(tx, asked.host, asked.description, asked.lifetime_s, self._wall_s())
        text = JoinToken(shown["id"], secret, joining.authorities.shown.pin).text()
        event(log, logging.INFO, "join token made", token=shown["id"], host=asked.host, user_id=call.context.user_id)
        return Answer(201, {"join_token": {**shown, "token": text, "url": joining.url}}, {"cache-control": "no-store"})

    def _delete_token(self, call: Call) -> Answer:
        _require_admin(call)
        with self._database.write(call.context, status=204) as tx:
            membership.delete_token(tx, call.path["id"][:64])
        return Answer(204)

    def _tls(self) -> Joining:
        if self._joining is None:
            raise Conflict(
                "The controller does not listen with TLS, so that no node can join: set listen_tls "
                '(as in listen_tls = ["0.0.0.0:9697"]) and start it again.'
            )
        return self._joining


def _require_admin(call: Call) -> None:
    if not call.context.allows(RULE, {}):
        raise Forbidden("Nodes are let in and shut out by administrators.")
