"""The RPC endpoint as a raw ASGI application: reads a request, runs its calls, writes the answer."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from api.rpc import wire
from api.rpc.calls import Calls, CreateContext, Guard, OnError, RequestInfo, unexpected
from api.rpc.codes import RpcError
from api.rpc.cors import cors_headers, preflight_headers
from api.rpc.inputs import Inputs, read_input
from api.rpc.router import Router

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")


class RpcApp:
    """Serves a router below `prefix`; how calls are run, `Calls` says."""

    def __init__(
        self,
        router: Router,
        *,
        create_context: CreateContext,
        guard: Guard | None = None,
        on_error: OnError | None = None,
        max_body_bytes: int = 1024 * 1024,
        max_body_seconds: float = 30.0,
        max_batch: int = 20,
        allow_method_override: bool = True,
        prefix: str = "/trpc",
        allowed_origins: Collection[str] = (),
    ) -> None:
        self.router = router
        self.prefix = prefix.rstrip("/")
        self._calls = Calls(create_context, guard, on_error)
        self._max_body_bytes = max_body_bytes
        self._max_body_seconds = max_body_seconds
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
            answer = wire.answer([wire.failed(unexpected(error, request_id, "the request"))], batch=False)
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
            text = plan.query_input if plan.method == "GET" else await self._body(headers, receive)
        except RpcError as error:
            return wire.answer([wire.failed(error)], batch=False)
        inputs = Inputs(text, batch=plan.batch)
        info = _request_info(scope, headers, plan, request_id)
        outcomes = await _unless_client_goes(self._outcomes(info, inputs), receive)
        return wire.answer(outcomes, batch=plan.batch)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | RpcError:
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            return _too_large(self._max_body_bytes)
        try:
            async with asyncio.timeout(self._max_body_seconds):
                return await self._received(receive)
        except TimeoutError:
            raise _too_slow(self._max_body_seconds) from None

    async def _received(self, receive: Receive) -> bytes | RpcError:
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
        context = None if all(refusals) else await self._calls.context(info)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._outcome(call, refusal or context, inputs, info.request_id))
                for call, refusal in zip(info.calls, refusals, strict=True)
            ]
        return [task.result() for task in tasks]

    def _refusal(self, call: wire.Call, method: str) -> RpcError | None:
        return wire.refusal(self.router, call, method, allow_method_override=self._allow_method_override)

    async def _outcome(self, call: wire.Call, context: Any, inputs: Inputs, request_id: str) -> wire.Outcome:
        try:
            return wire.succeeded(await self._run(call, context, inputs, request_id))
        except Exception as error:  # also of an output that cannot be written
            return wire.failed(self._calls.translated(error, request_id, call.path), call.path)

    async def _run(self, call: wire.Call, context: Any, inputs: Inputs, request_id: str) -> object:
        procedure = call.procedure
        if procedure is None:
            raise context
        return await self._calls.answer(
            procedure, context, lambda: read_input(procedure, inputs.of(call.index)), request_id
        )

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
    return wire.Request(
        scope["method"],
        path,
        scope.get("query_string", b""),
        headers.get("content-type"),
        headers.get("content-encoding"),
    )


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


def _too_slow(limit: float) -> RpcError:
    # Whatever else it sends is not waited for.
    message = f"the body did not arrive within {limit:g} seconds"
    return RpcError("TIMEOUT", message, headers={"connection": "close"})


async def _send(send: Send, answer: wire.Answer) -> None:
    headers = dict(answer.headers)
    if answer.status != 204:
        headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
