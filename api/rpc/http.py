"""The RPC endpoint as a raw ASGI application: reads a request, runs its calls, writes the answer."""

from asyncio import create_task
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from math import inf

from api.rpc import jsonl, sse, wire
from api.rpc.asgi import Incoming, Receive, Response, Scope, Send
from api.rpc.calls import Calls, CreateContext, Guard, OnError, RequestInfo, Within, unexpected
from api.rpc.codes import RpcError
from api.rpc.cors import cors_headers, preflight_headers
from api.rpc.dispatch import Dispatch
from api.rpc.limits import Limits, Pace
from api.rpc.request_id import request_id_from
from api.rpc.router import Router
from api.rpc.sockets.socket import SocketLimits
from api.rpc.sockets.ws import Sockets
from api.rpc.streaming import (
    Streams,
    end_events,
    unless_gone,
    until_done,
    write_events,
    write_lines,
    write_whole,
)

_LIMITS = Limits()
_PACE = Pace()


class RpcApp:
    """Serves a router below `prefix`; how calls are run, `Calls` says.

    Browsers of `allowed_origins` may read the answers; `*` stands for every other origin, which then gets no
    credentials of the browser's.
    """

    def __init__(
        self,
        router: Router,
        *,
        create_context: CreateContext,
        guard: Guard | None = None,
        on_error: OnError | None = None,
        within: Within = lambda _: nullcontext(),
        limits: Limits = _LIMITS,
        pace: Pace = _PACE,
        allow_method_override: bool = True,
        prefix: str = "/trpc",
        allowed_origins: Collection[str] = (),
        socket_limits: SocketLimits | None = None,
    ) -> None:
        self.router = router
        self.prefix = prefix.rstrip("/")
        self._calls = Calls(create_context, guard, on_error, within)
        self._limits = limits
        self._pace = pace
        self._allow_method_override = allow_method_override
        self._allowed_origins = frozenset(allowed_origins)
        self.streams = Streams()
        self.sockets = Sockets(router, self._calls, socket_limits or SocketLimits(), self._allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"this application answers HTTP and WebSockets, not {scope['type']}")
        headers = _headers(scope)
        if scope["type"] == "websocket":
            return await self.sockets.serve(scope, headers, receive, send)
        request_id = request_id_from(headers.get("x-request-id"))
        cors = cors_headers(self._allowed_origins, headers.get("origin"))
        response = Response(send, {**cors, "x-request-id": request_id})
        try:
            await self._answer(scope, headers, request_id, receive, response)
        except Exception as error:
            told = error if isinstance(error, RpcError) else unexpected(error, request_id, "the request")
            refusal = wire.failed(told)
            # What has begun can only be broken off.
            if not response.has_begun:
                await response.whole(wire.answer([refusal], batch=False))

    async def _answer(
        self, scope: Scope, headers: Mapping[str, str], request_id: str, receive: Receive, response: Response
    ) -> None:
        if scope["method"] == "HEAD":
            return await response.whole(wire.Answer(204, {}, b""))
        if scope["method"] == "OPTIONS":
            allowed = preflight_headers(self._allowed_origins, headers.get("origin"))
            return await response.whole(wire.Answer(204, allowed, b""))
        limits = self._limits
        try:
            request = _request(scope, headers, self.prefix)
            plan = wire.plan(self.router, request, max_batch=limits.max_batch, max_url_bytes=limits.max_url_bytes)
        except RpcError as error:
            return await response.whole(wire.answer([wire.failed(error)], batch=False))
        incoming = Incoming(receive, headers, has_body=plan.method != "GET")
        dispatch = Dispatch(
            calls=self._calls,
            plan=plan,
            info=_request_info(scope, headers, plan, request_id),
            incoming=incoming,
            limits=limits,
            refusals=tuple(self._refusal(call, plan) for call in plan.calls),
        )
        await self._run(dispatch, response)
        return None

    async def _run(self, dispatch: Dispatch, response: Response) -> None:
        ping_seconds = self._pace.ping_seconds
        match dispatch.plan.manner:
            case "whole":
                await unless_gone(write_whole(dispatch, response), dispatch.incoming)
            case "lines":
                work = create_task(write_lines(dispatch, response, self.streams))
                if await until_done(work, dispatch.incoming, response, ping=jsonl.PING, ping_seconds=ping_seconds):
                    await response.end()
            case "events":
                work = self.streams.start(write_events(dispatch, response, self._pace))
                if await until_done(
                    work, dispatch.incoming, response,
                    ping=sse.PING, ping_seconds=ping_seconds, max_seconds=self._pace.max_seconds or inf,
                ):  # fmt: skip
                    await end_events(response)

    def _refusal(self, call: wire.Call, plan: wire.Plan) -> RpcError | None:
        return wire.refusal(
            self.router, call, plan.method, allow_method_override=self._allow_method_override, batch=plan.batch
        )


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
        headers.get("accept", ""),
        headers.get("trpc-accept"),
        # Browsers send the id in UTF-8, as it came.
        headers.get("last-event-id", "").encode("latin-1").decode("utf-8", "replace"),
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
