"""Answers: all at once, a batch as JSON lines, a subscription as server-sent events.

Whoever answers is asked for the next item once the client has taken the last.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from itertools import count
from math import inf
from typing import Any, TypeVar, cast

from api.rpc import jsonl, sse, wire
from api.rpc.asgi import Incoming, Response
from api.rpc.codes import RpcError
from api.rpc.dispatch import Dispatch, Given
from api.rpc.limits import Pace
from api.rpc.tracked import Tracked
from api.rpc.wire import Call

T = TypeVar("T")

_SHUTTING_DOWN = "the server is shutting down; make the call again, it will reach another or the next"


class Streams:
    """The open streams of an application: they may have no end of their own, so a process that ends has to end them.

    A subscription is broken off then, and its client connects anew, to whoever listens then; a stream of a batch is
    refused with SERVICE_UNAVAILABLE, for its client would not.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A stream under way; it is cancelled to end it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def end(self) -> None:
        """Break off those that are open; whoever is still let in may open others."""
        for task in self._tasks:
            task.cancel()


async def until_done(
    work: asyncio.Task[Any],
    incoming: Incoming,
    response: Response,
    *,
    ping: bytes = b"",
    ping_seconds: float = inf,
    max_seconds: float = inf,
) -> bool:
    """Whether there is somebody left to answer, once `work` has come to its end.

    It is cancelled when the client goes before, or when it takes longer than `max_seconds`; that others cancel it is
    an end as well. Meanwhile a ping is sent whenever the response has been silent for `ping_seconds`.
    """
    clock = asyncio.get_running_loop().time
    gone = asyncio.create_task(incoming.gone())
    ping_at, ends_at = clock() + ping_seconds, clock() + max_seconds
    try:
        while True:
            wakes_at = min(ping_at, ends_at)
            timeout = None if wakes_at == inf else wakes_at - clock()
            await asyncio.wait((work, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.cancelled():
                work.result()
            if work.done() or clock() >= ends_at:
                return True
            if gone.done():
                return False
            if response.written_at + ping_seconds > clock():
                ping_at = response.written_at + ping_seconds
            else:
                await response.keep_alive(ping)
                ping_at = clock() + ping_seconds
    finally:
        work.cancel()
        gone.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def unless_gone(work: Coroutine[Any, Any, None], incoming: Incoming) -> None:
    """Do the work in the task at hand; it is cancelled when the client goes before its end."""
    worker = asyncio.current_task()
    assert worker is not None, "a coroutine runs in a task"
    is_over = has_gone = False

    def cancel(_: "asyncio.Task[None]") -> None:
        nonlocal has_gone
        has_gone = not is_over and worker.cancel()

    gone = asyncio.create_task(incoming.gone())
    gone.add_done_callback(cancel)
    try:
        await work
    except asyncio.CancelledError:
        if not has_gone or worker.uncancel():
            raise  # others cancel it as well
    finally:
        is_over = True
        gone.cancel()


async def write_whole(dispatch: Dispatch, response: Response) -> None:
    """Answer the calls together, once each has its answer."""
    given = await dispatch.given(await dispatch.inputs())
    outcomes = await _together([dispatch.outcome(call, given) for call in dispatch.plan.calls])
    await response.whole(wire.answer(outcomes, batch=dispatch.plan.batch))


async def write_lines(dispatch: Dispatch, response: Response, streams: Streams) -> None:
    """Answer the calls of a batch, each as soon as it can be."""
    calls = dispatch.plan.calls
    inputs = await dispatch.inputs()
    await response.begin(200, wire.LINES_HEADERS)
    await response.write(jsonl.head(len(calls)))
    given = await dispatch.given(inputs)
    ids = count(len(calls))
    await _together([_write_call(dispatch, call, given, ids, response, streams) for call in calls])


async def write_events(dispatch: Dispatch, response: Response, pace: Pace) -> None:
    """Answer a subscription."""
    (call,) = dispatch.plan.calls
    given = await dispatch.given(await dispatch.inputs())
    await response.begin(200, wire.EVENT_HEADERS)
    await response.write(sse.connected(pace.reconnect_after_seconds, pace.retry_seconds))
    items = sse.Items(dispatch.plan.last_event_id)
    try:
        async with _closing(dispatch.items(call, given)) as stream:
            async for item in stream:
                await response.write(_event(items, item))
    except Exception as error:
        await response.write(sse.failed(dispatch.shape(call, error)))
    else:
        await response.write(sse.RETURN)


async def end_events(response: Response) -> None:
    """End the response to a subscription, also of one that was broken off before its answer began."""
    if not response.has_begun:
        await response.begin(200, wire.EVENT_HEADERS)
    await response.end()


async def _together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What comes of works that go on at the same time."""
    if len(works) == 1:
        # A group is for several: it costs a task, and leaves garbage in circles when it is cancelled.
        return [await works[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]


def _event(items: sse.Items, item: Any) -> bytes:
    if isinstance(item, Tracked):
        tracked = cast("Tracked[Any]", item)
        return items.event(wire.encoded(tracked.data), tracked.id)
    return items.event(wire.encoded(item), None)


async def _write_call(
    dispatch: Dispatch, call: Call, given: Given, ids: "count[int]", response: Response, streams: Streams
) -> None:
    if not dispatch.streams(call):
        outcome = await dispatch.outcome(call, given)
        await response.write(jsonl.settled(call.index, outcome.envelope))
        return
    try:
        items = dispatch.items(call, given)
    except RpcError as error:
        await response.write(jsonl.settled(call.index, wire.failed(error, call.path).envelope))
        return
    result, iterable = next(ids), next(ids)
    await response.write(jsonl.opened(call.index, result, iterable))
    try:
        last = jsonl.returned(iterable)
        if not await _ended(streams.start(_write_items(items, iterable, response))):
            last = jsonl.failed(iterable, dispatch.shape(call, RpcError("SERVICE_UNAVAILABLE", _SHUTTING_DOWN)))
    except Exception as error:
        last = jsonl.failed(iterable, dispatch.shape(call, error))
    await response.write(last)


async def _write_items(items: AsyncIterator[Any], iterable: int, response: Response) -> None:
    async with _closing(items) as stream:
        async for item in stream:
            await response.write(jsonl.item(iterable, wire.encoded(item)))


async def _ended(stream: asyncio.Task[None]) -> bool:
    """Whether the stream came to its end, and was not broken off."""
    try:
        await asyncio.wait((stream,))
    finally:
        stream.cancel()
        await asyncio.wait((stream,))
    if not stream.cancelled():
        stream.result()
    return not stream.cancelled()


def _closing(items: AsyncIterator[Any]) -> "aclosing[Any]":
    return aclosing(cast("Any", items))
