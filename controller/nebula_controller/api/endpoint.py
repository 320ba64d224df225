"""From an HTTP request to a handler's ``Call``, and from its ``Answer`` or error back. Effects: ASGI channel, log.

A service is a list of operations:

    Service("/compute", [Operation("GET", "/v2.1/servers/{id}", show)], shape=nova_shape)

``show(call: Call) -> Answer`` runs synchronously on the event loop; only what waits for something (a long poll) is a
coroutine function. It raises the classes of ``nebula.errors``; whatever else it raises is logged and answered with 500.
Unless the operation is ``open``, the caller has been authenticated from ``X-Auth-Token`` before.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec
from nebula_runtime.log import event
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from nebula.errors import BadRequest, NebulaError, NotFound, Unauthorized, Unavailable
from nebula_controller.api.about import About
from nebula_controller.api.context import (
    NO_RULES,
    NODE,
    Authenticator,
    Caller,
    NodeCertificate,
    RequestContext,
    new_request_id,
)
from nebula_controller.api.errors import (
    ErrorShape,
    InternalError,
    MethodNotAllowed,
    TooLarge,
    keystone_shape,
    neutron_shape,
)
from nebula_controller.api.policy import Policy
from nebula_controller.store.database import Rehearsed

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 1024 * 1024
"""The largest body of an operation that does not say otherwise."""

OPEN_LIMIT_BYTES = 112 * 1024
"""The largest of those that anybody may send (Keystone's ``max_request_body_size``)."""

RETRY_AFTER_S = 1
"""What a 503 asks clients to wait before they try again."""

QUERY_LIMIT = 500
"""Parameters of one query: each may be a term of an expression of the database, which takes 1,000."""

_encoder = msgspec.json.Encoder()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler is given. ``path`` are the parameters in the path; ``query`` keeps order and repetition."""

    context: RequestContext
    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    raw: bytes
    url: str
    """The request's URL without its query, as the client wrote it."""
    node: NodeCertificate | None = None
    """The node that is at the other end of the connection."""
    source: str = ""
    """The address that the connection comes from; "" where it has none (a socket in a folder)."""

    def json(self) -> object:
        """The decoded body; raises ``BadRequest`` where there is none or it is broken."""
        if not self.raw.strip():
            raise BadRequest("Resource body required", type_name="HTTPBadRequest")
        try:
            return msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise BadRequest(f"The body is not valid JSON: {reason}", type_name="HTTPBadRequest") from None


class Answer(msgspec.Struct, frozen=True):
    """``body``: None for none, bytes as they are, else what msgspec encodes as JSON."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = {}
    media_type: str = "application/json"


PlainHandler = Callable[[Call], Answer]
Handler = Callable[[Call], Answer | Awaitable[Answer]]


Answered = Callable[[str, str, int, float], None]
"""Told of a request: service (``nodes`` for what agents ask), method, status, seconds."""


class Claim(msgspec.Struct, frozen=True):
    """What is known of a call before its body is read. ``node`` is at the other end of the connection."""

    headers: Mapping[str, str]
    path: Mapping[str, str]
    node: NodeCertificate | None


class Operation(msgspec.Struct, frozen=True):
    """One method on one path of a service. ``open``: no token is asked for (log in, versions, what nodes ask).

    ``rule``: the policy's, asked before the handler with the caller's own project and user as the object; handlers ask
    for what depends on an object. A body larger than ``limit_bytes`` is answered with 413 and not read. ``about``: what
    the API's document says beyond method and path. ``admits`` looks at who calls an open operation before its body is
    read, and raises ``Unauthorized`` or ``Forbidden``.
    """

    method: str
    path: str
    handler: Handler
    open: bool = False
    limit_bytes: int = BODY_LIMIT_BYTES
    rule: str = ""
    about: About | None = None
    admits: Callable[[Claim], None] | None = None


class Service(msgspec.Struct, frozen=True):
    """An OpenStack service (or one of ours) below ``prefix``, with its shape of errors.

    ``rules``: its policy's defaults, expressions by name.
    """

    prefix: str
    operations: Sequence[Operation]
    shape: ErrorShape = neutron_shape
    rules: Mapping[str, str] = {}


class Wishes(msgspec.Struct, frozen=True):
    """What a changing call asks for beyond its answer: to wait for the nodes (seconds), or only to be rehearsed."""

    wait_s: float = 0.0
    plan: bool = False


class Beyond(Protocol):
    """Grants the wishes."""

    def wishes(self, headers: Mapping[str, str]) -> Wishes:
        """Raises ``BadRequest`` for headers that are wrong, before anything is done."""
        ...

    async def waited(self, wait_s: float) -> Mapping[str, str]:
        """Wait; more headers for the answer."""
        ...

    async def planned(self, found: object, caller: Caller | None) -> object:
        """The body of the answer to a rehearsed call. ``found``: see ``Rehearsed``; None where nothing was changed.

        Raises ``Forbidden``.
        """
        ...


class Endpoint:
    """The ASGI application behind one path: all operations on it."""

    def __init__(
        self,
        operations: Iterable[Operation],
        shape: ErrorShape,
        authenticator: Authenticator,
        policy: Policy,
        beyond: Beyond | None = None,
        *,
        answered: Answered | None = None,
        service: str = "",
    ) -> None:
        """``answered`` is told of each request, with ``service``: its name there."""
        self._answered = answered
        self._service = service
        self._operations = {operation.method: operation for operation in operations}
        self._shape = shape
        self._authenticator = authenticator
        self._policy = policy
        self._beyond = beyond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; answers exactly once, whatever happens."""
        started = time.perf_counter()
        context = RequestContext(
            request_id=new_request_id(), method=scope["method"], path=scope["path"], policy=self._policy
        )
        try:
            operation = self._operation(scope)
            headers = Headers(scope=scope)
            if operation.admits is not None:
                operation.admits(Claim(headers, scope.get("path_params", {}), scope.get(NODE)))
            if not operation.open:
                context = msgspec.structs.replace(context, caller=self._authenticate(headers))
                if operation.rule:
                    context.require(operation.rule, {"project_id": context.project_id, "user_id": context.user_id})
            answer = await self._answer(operation, context, scope, headers, receive)
        except ClientGone:
            return
        except NebulaError as error:
            answer = self._refusal(error)
        except asyncio.CancelledError:  # the server's, when it has waited long enough for the calls under way
            answer = self._refusal(Unavailable("The controller is stopping."))
        except OperationalError as error:
            log.exception("the database refused", extra={"fields": {"request_id": context.request_id}})
            answer = self._refusal(Unavailable(f"The database does not answer: {error.orig}"))
        except Exception:
            log.exception("request failed", extra={"fields": {"request_id": context.request_id}})
            answer = self._refusal(
                InternalError("Request Failed: internal server error while processing your request.")
            )
        await _send(answer, context.request_id, send)
        duration_s = time.perf_counter() - started
        if self._answered is not None:
            self._answered(self._name(scope), context.method, answer.status, duration_s)
        event(
            log,
            logging.INFO,
            "request",
            request_id=context.request_id,
            method=context.method,
            path=context.path,
            status=answer.status,
            duration_ms=round(duration_s * 1000, 2),
            user_id=context.user_id,
            project_id=context.project_id,
        )

    async def _answer(
        self, operation: Operation, context: RequestContext, scope: Scope, headers: Headers, receive: Receive
    ) -> Answer:
        if self._beyond is None or operation.method == "GET":
            return await _run(operation, context, scope, headers, receive)
        wishes = self._beyond.wishes(headers)
        if wishes.plan:
            found = None
            try:
                await _run(operation, msgspec.structs.replace(context, dry_run=True), scope, headers, receive)
            except Rehearsed as end:
                found = end.found
            return Answer(200, await self._beyond.planned(found, context.caller))
        answer = await _run(operation, context, scope, headers, receive)
        if wishes.wait_s and answer.status < 300:
            more = await self._beyond.waited(wishes.wait_s)
            answer = msgspec.structs.replace(answer, headers={**answer.headers, **more})
        return answer

    def _name(self, scope: Scope) -> str:
        operation = self._operations.get(scope["method"])
        return "nodes" if operation is not None and operation.admits is not None else self._service

    def _operation(self, scope: Scope) -> Operation:
        operation = self._operations.get(scope["method"])
        if operation is None and scope["method"] == "HEAD":
            operation = self._operations.get("GET")  # RFC 9110, section 9.3.2; the server sends no body
        if operation is None:
            raise MethodNotAllowed(f"The method {scope['method']} is not allowed for this resource.")
        return operation

    def _authenticate(self, headers: Headers) -> Caller:
        token = headers.get("x-auth-token")
        if not token:
            raise Unauthorized("The request you have made requires authentication.")
        return self._authenticator.authenticate(token)

    def _refusal(self, error: NebulaError) -> Answer:
        if isinstance(error, Unauthorized):
            return Answer(401, keystone_shape(error), {"www-authenticate": "Keystone"})
        headers = {"allow": ", ".join(sorted(self._operations))} if isinstance(error, MethodNotAllowed) else {}
        if isinstance(error, Unavailable):
            headers = {"retry-after": str(RETRY_AFTER_S)}  # RFC 9110, section 10.2.3
        return Answer(error.status, self._shape(error), headers)


class Nowhere(Endpoint):
    """What answers on a path that no operation has: 404 in the shape of the service that the path is below."""

    def __init__(
        self, services: Sequence[Service], authenticator: Authenticator, answered: Answered | None = None
    ) -> None:
        super().__init__((), neutron_shape, authenticator, NO_RULES, answered=answered, service="none")
        self._services = services

    def _operation(self, scope: Scope) -> Operation:
        error = NotFound("The resource could not be found.")
        path = scope["path"]
        shapes = [s.shape for s in self._services if s.prefix and f"{path}/".startswith(f"{s.prefix}/")]
        answer = Answer(404, (shapes or [neutron_shape])[0](error))
        return Operation(scope["method"], path, lambda _call: answer, open=True)


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def _run(
    operation: Operation, context: RequestContext, scope: Scope, headers: Headers, receive: Receive
) -> Answer:
    call = Call(
        context=context,
        path=scope.get("path_params", {}),
        query=_query(scope["query_string"]),
        headers=headers,
        raw=await _read(headers, receive, operation.limit_bytes),
        url=_url(scope, headers),
        node=scope.get(NODE),
        source=(scope.get("client") or ("",))[0],
    )
    answer = operation.handler(call)
    return await answer if inspect.isawaitable(answer) else answer


async def _read(headers: Headers, receive: Receive, limit_bytes: int) -> bytes:
    too_large = TooLarge(f"The body exceeds {limit_bytes} bytes.")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise too_large
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _query(query_string: bytes) -> list[tuple[str, str]]:
    if not query_string:
        return []
    if query_string.count(b"&") >= QUERY_LIMIT:
        raise BadRequest(f"The query string has more than {QUERY_LIMIT} parameters.", type_name="HTTPBadRequest")
    try:
        return parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest("The query string cannot be read.", type_name="HTTPBadRequest") from None


def _url(scope: Scope, headers: Headers) -> str:
    server = scope.get("server") or ("localhost", None)
    host = headers.get("host") or f"{server[0]}:{server[1]}"
    return f"{scope.get('scheme', 'http')}://{host}{scope['path']}"


async def _send(answer: Answer, request_id: str, send: Send) -> None:
    if answer.body is None:
        content = b""
    elif isinstance(answer.body, bytes):
        content = answer.body
    else:
        content = _encoder.encode(answer.body)
    headers = [(b"x-openstack-request-id", request_id.encode())]
    if answer.status != 204:
        headers.append((b"content-length", str(len(content)).encode()))
    if content:
        headers.append((b"content-type", answer.media_type.encode()))
    headers.extend((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items())
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
