"""The RPC endpoint as a raw ASGI application: reads a request, runs its calls, writes the answer."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from api.rpc import wire
from api.rpc.codes import RpcError
from api.rpc.cors import cors_headers, preflight_headers
from api.rpc.inputs import Inputs, read_input
from api.rpc.procedure import Procedure
from api.rpc.router import Router

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestInfo:
    """What a context can be made of. Header names are in lower case; `request_id` stands in our log."""

    method: str
    headers: Mapping[str, str]
    client: str | None
    connection_params: Mapping[str, str] | None
    calls: tuple[wire.Call, ...]
    request_id: str


CreateContext: TypeAlias = Callable[[RequestInfo], Awaitable[Any]]
Guard: TypeAlias = Callable[[Any, Procedure[..., Any]], None]
OnError: TypeAlias = Callable[[Exception], RpcError | None]


class RpcApp:
    """Serves a router below `prefix`.

    `create_context` is awaited once per request; `guard` sees each procedure before its input is read and may
    raise; `on_error` translates exceptions of these two and of procedures. What it does not know becomes
    INTERNAL_SERVER_ERROR with a request id, and its traceback goes to the log only.
    """

    def __init__(
        self,
        router: Router,
        *,
        create_context: CreateContext,
        guard: Guard | None = None,
        on_error: OnError | None = None,
        max_body_bytes: int = 1024 * 1024,
        max_batch: int = 20,
        allow_method_override: bool = True,
        prefix: str = "/trpc",
        allowed_origins: Collection[str] = (),
    ) -> None:
        self.router = router
        self.prefix = prefix.rstrip("/")
        self._create_context = create_context
        self._guard = guard
        self._on_error = on_error
        self._max_body_bytes = max_body_bytes
        self._max_batch = max_batch
        self._allow_method_override = allow_method_override
        self._allowed_origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"this application answers HTTP, not {scope['type']}")
        headers = _headers(scope)
        request_id = uuid.uuid4().hex
        try:
            answer = self._answer_at_once(scope["method"], headers)
            answer = answer or await self._answer(scope, headers, request_id, receive)
        except _ClientGone:
            return
        except Exception as error:
            answer = wire.answer([wire.failed(_unexpected(error, request_id, "the request"))], batch=False)
        await _send(send, self._with_cors(answer, headers.get("origin")))

    def _answer_at_once(self, method: str, headers: Mapping[str, str]) -> wire.Answer | None:
        if method == "HEAD":
            return wire.Answer(204, {}, b"")
        if method == "OPTIONS" and self._allowed_origins:
            return wire.Answer(204, preflight_headers(self._allowed_origins, headers.get("origin")), b"")
        return None

    async def _answer(self, scope: Scope, headers: Mapping[str, str], request_id: str, receive: Receive) -> wire.Answer:
        try:
            plan = wire.plan(self.router, _request(scope, headers, self.prefix), max_batch=self._max_batch)
        except RpcError as error:
            return wire.answer([wire.failed(error)], batch=False)
        text = plan.query_input if plan.method == "GET" else await self._body(headers, receive)
        inputs = Inputs(text, batch=plan.batch)
        info = _request_info(scope, headers, plan, request_id)
        outcomes = await _unless_client_goes(self._outcomes(info, inputs), receive)
        return wire.answer(outcomes, batch=plan.batch)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | RpcError:
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            return _too_large(self._max_body_bytes)
        chunks = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            chunks += message.get("body", b"")
            if len(chunks) > self._max_body_bytes:
                return _too_large(self._max_body_bytes)
            if not message.get("more_body", False):
                return bytes(chunks)

    async def _outcomes(self, info: RequestInfo, inputs: Inputs) -> list[wire.Outcome]:
        refusals = [self._refusal(call, info.method) for call in info.calls]
        # Nobody is looked up for a request of which nothing can be called.
        context = None if all(refusals) else await self._context(info)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._outcome(call, refusal or context, inputs, info.request_id))
                for call, refusal in zip(info.calls, refusals, strict=True)
            ]
        return [task.result() for task in tasks]

    def _refusal(self, call: wire.Call, method: str) -> RpcError | None:
        return wire.refusal(self.router, call, method, allow_method_override=self._allow_method_override)

    async def _context(self, info: RequestInfo) -> Any:
        """The request's context, or the RpcError that each of its calls will be answered with."""
        try:
            return await _settled(self._create_context(info))
        except Exception as error:
            return self._translated(error, info.request_id, "the context")

    async def _outcome(self, call: wire.Call, context: Any, inputs: Inputs, request_id: str) -> wire.Outcome:
        try:
            output = await _settled(self._run(call, context, inputs))
            return wire.succeeded(output)
        except Exception as error:
            return wire.failed(self._translated(error, request_id, call.path), call.path)

    async def _run(self, call: wire.Call, context: Any, inputs: Inputs) -> object:
        if isinstance(context, RpcError):
            raise context
        procedure = call.procedure
        assert procedure is not None, "unknown procedures were refused"
        if self._guard is not None:
            self._guard(context, procedure)
        if procedure.input_type is None:
            return await procedure.call(context, None)
        return await procedure.call(context, read_input(procedure, inputs.of(call.index)))

    def _translated(self, error: Exception, request_id: str, where: str) -> RpcError:
        if isinstance(error, RpcError):
            return error
        known = self._on_error(error) if self._on_error is not None else None
        return known or _unexpected(error, request_id, where)

    def _with_cors(self, answer: wire.Answer, origin: str | None) -> wire.Answer:
        if not self._allowed_origins:
            return answer
        vary = ", ".join(filter(None, (answer.headers.get("vary"), "origin")))
        return replace(answer, headers={**answer.headers, **cors_headers(self._allowed_origins, origin), "vary": vary})


class _ClientGone(Exception):
    """There is nobody left to answer."""


async def _unless_client_goes(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """The result of `work`, which is cancelled when the client disconnects first."""
    worker = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((worker, watcher), return_when=asyncio.FIRST_COMPLETED)
        if not worker.done():
            raise _ClientGone
        return worker.result()
    finally:
        worker.cancel()
        watcher.cancel()
        await asyncio.gather(worker, watcher, return_exceptions=True)


async def _settled(work: Awaitable[T]) -> T:
    """The result of `work`; that something it waited for was cancelled is an error, our own cancellation is not."""
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("something this call waited for was cancelled") from error


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(scope: Scope) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        headers[name] = headers[name] + separator + value if name in headers else value
    return headers


def _request(scope: Scope, headers: Mapping[str, str], prefix: str) -> wire.Request:
    path = wire.path_below(prefix, scope.get("raw_path"), scope["path"], scope.get("root_path", ""))
    return wire.Request(scope["method"], path, scope.get("query_string", b""), headers.get("content-type"))


def _request_info(scope: Scope, headers: Mapping[str, str], plan: wire.Plan, request_id: str) -> RequestInfo:
    client = scope.get("client")
    return RequestInfo(
        method=plan.method,
        headers=headers,
        client=client[0] if client else None,
        connection_params=plan.connection_params,
        calls=plan.calls,
        request_id=request_id,
    )


def _too_large(limit: int) -> RpcError:
    return RpcError("PAYLOAD_TOO_LARGE", data={"maxBytes": limit})


def _unexpected(error: Exception, request_id: str, where: str) -> RpcError:
    logger.error("request %s: %s failed", request_id, where, exc_info=error)
    message = "something went wrong on our side; the request id finds it in our log"
    return RpcError("INTERNAL_SERVER_ERROR", message, data={"requestId": request_id})


async def _send(send: Send, answer: wire.Answer) -> None:
    headers = dict(answer.headers)
    if answer.status != 204:
        headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
