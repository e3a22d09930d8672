"""Work in the task of a request: done, or cancelled because its client goes, or because others cancel it."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from api.rpc.asgi import Incoming
from api.rpc.streaming import unless_gone


class Client:
    """Somebody who waits for an answer until they go."""

    def __init__(self) -> None:
        self.goes = asyncio.Event()
        self.incoming = Incoming(self._receive, {}, has_body=False)

    async def _receive(self) -> MutableMapping[str, Any]:
        await self.goes.wait()
        return {"type": "http.disconnect"}


class Work:
    """What begins and never ends of itself."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.was_cancelled = False

    async def run(self) -> None:
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


async def test_work_is_cancelled_when_its_client_goes_and_its_task_is_not() -> None:
    client, work = Client(), Work()
    task = asyncio.create_task(unless_gone(work.run(), client.incoming))
    await work.has_begun.wait()

    client.goes.set()
    await task

    assert (work.was_cancelled, task.cancelling()) == (True, 0)


async def test_work_that_others_cancel_is_cancelled_for_them_too() -> None:
    client, work = Client(), Work()
    task = asyncio.create_task(unless_gone(work.run(), client.incoming))
    await work.has_begun.wait()

    client.goes.set()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.was_cancelled


@pytest.mark.parametrize("turns", range(5))
async def test_a_client_that_goes_as_the_work_ends_leaves_nothing_behind(turns: int) -> None:
    client = Client()

    async def answer() -> None:
        client.goes.set()
        for _ in range(turns):
            await asyncio.sleep(0)

    await unless_gone(answer(), client.incoming)
    await asyncio.sleep(0)  # for whoever looked

    task = asyncio.current_task()
    assert task is not None
    assert (task.cancelling(), asyncio.all_tasks()) == (0, {task})
