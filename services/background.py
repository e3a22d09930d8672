"""Tasks in the background, and their end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

_AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait for their end, whatever that is.

    One that goes on is cancelled again: a cancellation gets lost where something else ends in the same moment.

    >>> async def stubborn():
    ...     try:
    ...         await asyncio.sleep(60)
    ...     except asyncio.CancelledError:
    ...         await asyncio.sleep(60)
    >>> async def main():
    ...     task = asyncio.create_task(stubborn())
    ...     await asyncio.sleep(0)
    ...     await end(task)
    ...     return task.cancelled()
    >>> asyncio.run(main())
    True
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()  # whoever needs to know has been told


@asynccontextmanager
async def running(work: Mapping[str, Coroutine[Any, Any, Any]]) -> AsyncIterator[None]:
    """Inside, all of this is worked on in the background, each in a task of its name; it is ended on leaving."""
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in work.items()]
    try:
        yield
    finally:
        await end(*tasks)
