"""WebSockets as an ASGI shell: who may open one, and which are open."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from api.rpc.asgi import Receive, Scope, Send
from api.rpc.calls import Calls, RequestInfo
from api.rpc.router import Router
from api.rpc.sockets.line import Gone, Line
from api.rpc.sockets.origins import is_foreign
from api.rpc.sockets.socket import Socket, SocketLimits

# The largest frame that a server should let in; there may be many calls in it, whose inputs have a limit of their own.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

_FORBIDDEN = 1008


class Sockets:
    """The open sockets of one application."""

    def __init__(self, router: Router, calls: Calls, limits: SocketLimits, allowed_origins: Collection[str]) -> None:
        self._router = router
        self._calls = calls
        self._limits = limits
        self._allowed_origins = allowed_origins
        self._open: dict[asyncio.Task[Any], Socket] = {}

    async def serve(self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        """Serve one socket until either side closes it. To a page of a foreign origin the answer is 403."""
        await receive()
        if is_foreign(headers.get("origin"), headers.get("host"), self._allowed_origins):
            await send({"type": "websocket.close", "code": _FORBIDDEN})
            return
        await send({"type": "websocket.accept"})
        limits = self._limits
        line = Line(
            receive,
            send,
            ping_seconds=limits.ping_seconds,
            pong_seconds=limits.pong_seconds,
            send_seconds=limits.send_seconds,
        )
        opening, awaits_params = _opening(scope, headers), _has_connection_params(scope)
        socket = Socket(self._router, self._calls, limits, line, opening, awaits_params=awaits_params)
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._open[task] = socket
        try:
            await socket.run()
        finally:
            del self._open[task]

    async def leave(self, *, patience_seconds: float) -> None:
        """Ask all clients to go on at another socket, elsewhere, and serve them until they have left or time is up."""
        open_now = dict(self._open)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds), asyncio.TaskGroup() as group:
                for task, socket in open_now.items():
                    group.create_task(_left(task, socket))


async def _left(task: asyncio.Task[Any], socket: Socket) -> None:
    with suppress(Gone):
        await socket.tell_to_move()
    await asyncio.wait({task})


def _opening(scope: Scope, headers: Mapping[str, str]) -> RequestInfo:
    client = scope.get("client")
    return RequestInfo(
        method="GET",
        headers=headers,
        client=client[0] if client else None,
        connection_params=None,
        calls=(),
        request_id="",
    )


def _has_connection_params(scope: Scope) -> bool:
    # The first value of a repeated name counts.
    parameters = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return parameters.get("connectionParams", [""])[0] == "1"
