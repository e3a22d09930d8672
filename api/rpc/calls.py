"""Running calls: who asks, may they, what with, and what came of it. The same behind every transport."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from api.rpc.codes import RpcError
from api.rpc.procedure import Input, Procedure
from api.rpc.wire import Call

T = TypeVar("T")
ReadInput: TypeAlias = Callable[[], Input]
ReadAnyInput: TypeAlias = Callable[[], Input | Awaitable[Input]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestInfo:
    """What a context can be made of. Header names are in lower case; `request_id` stands in our log.

    Of a message on a WebSocket `calls` and `request_id` are its own, the rest is of the request that opened the socket.
    """

    method: str
    headers: Mapping[str, str]
    client: str | None
    connection_params: Mapping[str, str] | None
    calls: tuple[Call, ...]
    request_id: str


CreateContext: TypeAlias = Callable[[RequestInfo], Awaitable[Any]]
Guard: TypeAlias = Callable[[Any, Procedure[..., Any]], AbstractContextManager[None] | None]
Within: TypeAlias = Callable[[Any], AbstractContextManager[None]]
OnError: TypeAlias = Callable[[Exception], RpcError | None]


@dataclass(frozen=True)
class Calls:
    """How calls of one application are run.

    `create_context` is awaited once per request, and per message on a WebSocket; `guard` sees each procedure before
    its input is read and may raise, and what it gives back is held while the call is under way; `on_error` translates
    exceptions of these two and of procedures. What it does not know becomes INTERNAL_SERVER_ERROR with a request id,
    and its traceback goes to the log only. What `within` makes of the context is entered whenever the procedure goes
    on, and left when it has answered: once, or for each item that it streams.
    """

    create_context: CreateContext
    guard: Guard | None = None
    on_error: OnError | None = None
    within: Within = lambda _: nullcontext()

    async def context(self, info: RequestInfo) -> Any:
        """The request's context, or the RpcError that each of its calls will be answered with."""
        try:
            return await settled(self.create_context(info))
        except Exception as error:
            return self.translated(error, info.request_id, "the context")

    async def answer(self, procedure: Procedure[..., Any], context: Any, read: ReadAnyInput, request_id: str) -> Any:
        """What a procedure that does not stream answers to the input that `read` gives, at once or by and by.

        Raises:
            RpcError: why the call was refused, or that it failed.
        """
        try:
            with self._admitted(procedure, context):
                given = read() if procedure.takes_input else None
                input = await given if isinstance(given, Awaitable) else given
                with self.within(context):
                    return await settled(procedure.call(context, input))
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None

    def stream(
        self, procedure: Procedure[..., Any], context: Any, read: ReadInput, request_id: str
    ) -> AsyncIterator[Any]:
        """The items that a procedure that streams answers to the input that `read` gives. Nothing has run yet.

        Raises:
            RpcError: why the call was refused; while iterating: that it failed, or what it was refused by then.
        """
        try:
            admission = self._admitted(procedure, context)
            items = procedure.stream(context, read() if procedure.takes_input else None)
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None
        return self._translating(items, context, admission, procedure, request_id)

    def translated(self, error: Exception, request_id: str, where: str) -> RpcError:
        """What the client is told of an exception."""
        if isinstance(error, RpcError):
            return error
        known = self.on_error(error) if self.on_error is not None else None
        return known or unexpected(error, request_id, where)

    def _admitted(self, procedure: Procedure[..., Any], context: Any) -> AbstractContextManager[None]:
        """What is to be held while the call is under way."""
        if isinstance(context, RpcError):
            raise context
        held = None if self.guard is None else self.guard(context, procedure)
        return nullcontext() if held is None else held

    async def _translating(
        self,
        items: AsyncIterator[Any],
        context: Any,
        admission: AbstractContextManager[None],
        procedure: Procedure[..., Any],
        request_id: str,
    ) -> AsyncIterator[Any]:
        try:
            # Entered here and not before: what is never iterated would never leave it.
            with admission:
                while True:
                    try:
                        with self.within(context):
                            item = await settled(anext(items))
                    except StopAsyncIteration:
                        return
                    yield item
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None
        finally:
            close: Any = getattr(items, "aclose", None)
            if close is not None:
                with self.within(context):
                    await close()


def unexpected(error: Exception, request_id: str, where: str) -> RpcError:
    """What the client is told of a mistake of ours; the rest goes to the log."""
    logger.error("request %s: %s failed", request_id, where, exc_info=error)
    message = "something went wrong on our side; the request id finds it in our log"
    return RpcError("INTERNAL_SERVER_ERROR", message, data={"requestId": request_id})


async def settled(work: Awaitable[T]) -> T:
    """The result of `work`; that something it waited for was cancelled is an error, our own cancellation is not."""
    try:
        return await work
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        raise RuntimeError("something this call waited for was cancelled") from error


def _is_cancelled() -> bool:
    # In a function of its own: a task in a frame of the traceback that it ends with is garbage in a circle.
    task = asyncio.current_task()
    return task is None or bool(task.cancelling())
