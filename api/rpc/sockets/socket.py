"""One WebSocket: its messages are taken one by one, the calls in them run side by side."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from api.rpc.calls import Calls, RequestInfo
from api.rpc.codes import RpcError
from api.rpc.inputs import read_input, resumed
from api.rpc.procedure import Procedure
from api.rpc.router import Router
from api.rpc.sockets import messages
from api.rpc.sockets.line import Gone, Line
from api.rpc.sockets.messages import Asked, Id, Refused, Request, Stop
from api.rpc.sockets.subscription import Subscription
from api.rpc.text import check_text
from api.rpc.tracked import Tracked
from api.rpc.wire import Call

_POLICY_VIOLATION = 1008
# Each takes a millisecond or two, in which nothing else is answered.
_MAX_SUGGESTIONS = 20


@dataclass(frozen=True, kw_only=True)
class SocketLimits:
    """What one socket may do at once, and how long its client may be silent or leave unread what it is sent.

    A client that reconnects asks for all its subscriptions in one batch, so `max_batch` is not less than these.
    """

    max_batch: int = 512
    max_calls: int = 256
    max_subscriptions: int = 256
    max_input_bytes: int = 1024 * 1024
    ping_seconds: float = 30.0
    pong_seconds: float = 10.0
    send_seconds: float = 30.0


class Socket:
    """What runs on one socket. `opening` is the request that opened it, of which each message's own is made."""

    def __init__(
        self,
        router: Router,
        calls: Calls,
        limits: SocketLimits,
        line: Line,
        opening: RequestInfo,
        *,
        awaits_params: bool,
    ) -> None:
        self._router = router
        self._calls = calls
        self._limits = limits
        self._line = line
        self._opening = opening
        self._awaits_params = awaits_params
        self._tasks = asyncio.TaskGroup()
        self._running = 0
        self._subscriptions: dict[Id | None, Subscription] = {}
        self._is_outdated = False
        self._is_told_to_move = False

    async def run(self) -> None:
        """Take messages until the client goes or is sent away; what runs then is cancelled."""
        try:
            async with self._tasks:
                while True:
                    await self._take(await self._line.hear())
        except* Gone:
            pass
        except* _SentAway:
            await self._line.close(_POLICY_VIOLATION)

    async def tell_to_move(self) -> None:
        """Ask the client, once, to go on at another socket; this one serves what it asks meanwhile.

        Raises:
            Gone: it is not there any more.
        """
        if not self._is_told_to_move:
            self._is_told_to_move = True
            await self._line.say(messages.RECONNECT)

    async def _take(self, text: str | None) -> None:
        match text:
            case None:
                error = RpcError("PARSE_ERROR", "this is no message of tRPC: it is binary, and should be text")
                await self._line.say(messages.failed(messages.NOTHING, error))
            case messages.PING:
                await self._line.say(messages.PONG)
            case messages.PONG:
                pass
            case _ if self._awaits_params:
                await self._take_params(text)
            case _:
                await self._take_requests(text)

    async def _take_params(self, text: str) -> None:
        try:
            params = messages.connection_params(text)
        except RpcError as error:
            await self._line.say(messages.failed(messages.NOTHING, error))
            raise _SentAway from None
        self._opening = replace(self._opening, connection_params=params)
        self._awaits_params = False

    async def _take_requests(self, text: str) -> None:
        try:
            requests = messages.requests(text, max_batch=self._limits.max_batch)
        except RpcError as error:
            await self._line.say(messages.failed(messages.NOTHING, error))
            return
        for refusal in self._begin(requests):
            await self._line.say(refusal)

    def _begin(self, requests: Sequence[Request]) -> list[str]:
        """Begin what can be; what is answered to the rest."""
        refusals: list[str] = []
        begun: list[_Begun] = []
        for request in requests:
            match request:
                case Stop(id=id):
                    if subscription := self._subscriptions.get(id):
                        subscription.stop()
                case Refused(ref=ref, error=error):
                    refusals.append(messages.failed(ref, error))
                case Asked():
                    try:
                        suggests = len(refusals) < _MAX_SUGGESTIONS
                        begun.append(self._begun(request, len(begun), suggests=suggests))
                    except RpcError as error:
                        refusals.append(messages.failed(request.ref, error, request.path))
        if begun:
            self._tasks.create_task(self._answer(begun))
        return refusals

    def _begun(self, asked: Asked, index: int, *, suggests: bool) -> "_Begun":
        procedure = self._router.get(asked.path)
        if procedure is None or procedure.kind != asked.kind:
            near = self._router.nearest(asked.path) if procedure is None and suggests else None
            data = {"suggestion": near} if near else {}
            raise RpcError("NOT_FOUND", f'No "{asked.kind}"-procedure on path "{asked.path}"', data=data)
        if procedure.upload is not None:
            message = f"Cannot take {procedure.media_type} over WebSockets, which carry JSON - use httpLink"
            raise RpcError("UNSUPPORTED_MEDIA_TYPE", message)
        call = Call(index, asked.path, procedure)
        if procedure.kind == "subscription":
            return _Begun(asked, call, procedure, self._subscribed(asked.ref.id))
        if procedure.streams:
            message = f"Cannot return an async iterable from a {procedure.kind} procedure with WebSockets"
            raise RpcError("UNSUPPORTED_MEDIA_TYPE", f"{message} - use httpBatchStreamLink")
        if self._running >= self._limits.max_calls:
            raise _too_many("calls", self._limits.max_calls)
        self._running += 1
        return _Begun(asked, call, procedure, None)

    def _subscribed(self, id: Id | None) -> Subscription:
        if id in self._subscriptions:
            raise RpcError("BAD_REQUEST", f"Duplicate id {id}")
        if len(self._subscriptions) >= self._limits.max_subscriptions:
            raise _too_many("subscriptions", self._limits.max_subscriptions)
        self._subscriptions[id] = subscription = Subscription()
        return subscription

    async def _answer(self, begun: Sequence["_Begun"]) -> None:
        # Made anew for each message: a token that is revoked while the socket is open must be of no use from then on.
        info = replace(self._opening, calls=tuple(each.call for each in begun), request_id=uuid.uuid4().hex)
        context = await self._calls.context(info)
        if isinstance(context, RpcError):
            # Told apart from a refused call by the client, which then does not reconnect at once, again and again.
            await self._line.say(messages.failed(messages.NOTHING, context))
            for each in begun:
                await self._line.say(messages.failed(each.asked.ref, context, each.call.path))
            raise _SentAway
        for each in begun:
            if each.subscription is None:
                self._tasks.create_task(self._call(each, context, info.request_id))
            else:
                self._tasks.create_task(self._subscribe(each, each.subscription, context, info.request_id))

    async def _call(self, begun: "_Begun", context: Any, request_id: str) -> None:
        asked, procedure = begun.asked, begun.procedure
        try:
            output = await self._calls.answer(procedure, context, lambda: self._input(begun), request_id)
            text = messages.answered(asked.ref, output)
        except Exception as error:  # also of an output that cannot be written
            text = self._failed(begun, error, request_id)
        await self._line.say(text)
        self._running -= 1
        await self._tell_to_move_if_outdated()

    async def _subscribe(self, begun: "_Begun", subscription: Subscription, context: Any, request_id: str) -> None:
        ref = begun.asked.ref
        try:
            items = self._calls.stream(begun.procedure, context, lambda: self._input(begun), request_id)
        except RpcError as error:
            self._subscriptions.pop(ref.id)
            await self._line.say(self._failed(begun, error, request_id))
        else:
            await self._line.say(messages.started(ref))
            await subscription.until_stopped(self._send_all(begun, subscription, items, request_id))
            self._subscriptions.pop(ref.id)
            await self._line.say(messages.stopped(ref))
        await self._tell_to_move_if_outdated()

    async def _send_all(
        self, begun: "_Begun", subscription: Subscription, items: AsyncIterator[Any], request_id: str
    ) -> None:
        ref, procedure = begun.asked.ref, begun.procedure
        last_id = begun.asked.last_event_id if procedure.resumes else None
        try:
            while not subscription.is_stopped:
                try:
                    item = await anext(items)
                    text = messages.item(ref, item, last_id)
                except StopAsyncIteration:
                    return
                except Exception as error:  # also of an item that cannot be written
                    await self._line.say(self._failed(begun, error, request_id))
                    return
                if isinstance(item, Tracked):
                    last_id = item.id
                await self._line.say(text)
        finally:
            await self._close(items, begun, request_id)

    async def _close(self, items: AsyncIterator[Any], begun: "_Begun", request_id: str) -> None:
        try:
            await cast("AsyncGenerator[Any]", items).aclose()
        except Exception as error:  # nobody waits for the answer any more, but the log should have it
            self._failed(begun, error, request_id)

    def _input(self, begun: "_Begun") -> msgspec.Struct | None:
        asked, procedure = begun.asked, begun.procedure
        text = resumed(procedure, asked.input, asked.last_event_id)
        if text is not None:
            if len(text) > self._limits.max_input_bytes:
                raise RpcError("PAYLOAD_TOO_LARGE", data={"maxBytes": self._limits.max_input_bytes})
            check_text(text)
        return read_input(procedure, text)

    def _failed(self, begun: "_Begun", error: Exception, request_id: str) -> str:
        refusal = self._calls.translated(error, request_id, begun.procedure.name)
        self._is_outdated |= refusal.code == "UNAUTHORIZED"
        return messages.failed(begun.asked.ref, refusal, begun.call.path)

    async def _tell_to_move_if_outdated(self) -> None:
        # What the socket was opened with is of no use any more. Only at another one can the client show something else.
        if self._is_outdated and not self._running:
            await self.tell_to_move()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A call that was let in."""

    asked: Asked
    call: Call
    procedure: Procedure[..., Any]
    subscription: Subscription | None


class _SentAway(Exception):
    """The client has to open another socket."""


def _too_many(noun: str, limit: int) -> RpcError:
    return RpcError("TOO_MANY_REQUESTS", f"this socket has {limit} {noun} under way already", data={"limit": limit})
