"""Running calls: who asks, may they, what with, and what came of it. The same behind every transport."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from api.rpc.codes import RpcError
from api.rpc.procedure import Input, Procedure
from api.rpc.wire import Call

T = TypeVar("T")
ReadInput: TypeAlias = Callable[[], Input]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestInfo:
    """What a context can be made of. Header names are in lower case; `request_id` stands in our log.

    Of a WebSocket it is the request that opened it, and `calls` is empty: they come later.
    """

    method: str
    headers: Mapping[str, str]
    client: str | None
    connection_params: Mapping[str, str] | None
    calls: tuple[Call, ...]
    request_id: str


CreateContext: TypeAlias = Callable[[RequestInfo], Awaitable[Any]]
Guard: TypeAlias = Callable[[Any, Procedure[..., Any]], None]
OnError: TypeAlias = Callable[[Exception], RpcError | None]


@dataclass(frozen=True)
class Calls:
    """How calls of one application are run.

    `create_context` is awaited once per request; `guard` sees each procedure before its input is read and may
    raise; `on_error` translates exceptions of these two and of procedures. What it does not know becomes
    INTERNAL_SERVER_ERROR with a request id, and its traceback goes to the log only.
    """

    create_context: CreateContext
    guard: Guard | None = None
    on_error: OnError | None = None

    async def context(self, info: RequestInfo) -> Any:
        """The request's context, or the RpcError that each of its calls will be answered with."""
        try:
            return await settled(self.create_context(info))
        except Exception as error:
            return self.translated(error, info.request_id, "the context")

    def admit(self, procedure: Procedure[..., Any], context: Any, request_id: str) -> None:
        """Nothing, when the procedure may be called; `answer` and `stream` ask the same before they read the input.

        Raises:
            RpcError: why the call was refused.
        """
        try:
            self._admit(procedure, context)
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None

    async def answer(self, procedure: Procedure[..., Any], context: Any, read: ReadInput, request_id: str) -> Any:
        """What a procedure that does not stream answers to the input that `read` gives.

        Raises:
            RpcError: why the call was refused, or that it failed.
        """
        try:
            return await settled(procedure.call(context, self._admitted(procedure, context, read)))
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
            items = procedure.stream(context, self._admitted(procedure, context, read))
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None
        return self._translating(items, procedure, request_id)

    def translated(self, error: Exception, request_id: str, where: str) -> RpcError:
        """What the client is told of an exception."""
        if isinstance(error, RpcError):
            return error
        known = self.on_error(error) if self.on_error is not None else None
        return known or unexpected(error, request_id, where)

    def _admitted(self, procedure: Procedure[..., Any], context: Any, read: ReadInput) -> Input:
        self._admit(procedure, context)
        return read() if procedure.takes_input else None

    def _admit(self, procedure: Procedure[..., Any], context: Any) -> None:
        if isinstance(context, RpcError):
            raise context
        if self.guard is not None:
            self.guard(context, procedure)

    async def _translating(
        self, items: AsyncIterator[Any], procedure: Procedure[..., Any], request_id: str
    ) -> AsyncIterator[Any]:
        try:
            while True:
                try:
                    yield await settled(anext(items))
                except StopAsyncIteration:
                    return
        except Exception as error:
            raise self.translated(error, request_id, procedure.name) from None
        finally:
            close: Any = getattr(items, "aclose", None)
            if close is not None:
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
