"""A subscription under way on a socket, which its client may stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Subscription:
    """What is done for a client, until it is done or the client wants no more of it."""

    def __init__(self) -> None:
        self.is_stopped = False
        self._task: asyncio.Task[Any] | None = None

    def stop(self) -> None:
        """End what is done for it; to say so again changes nothing."""
        if not self.is_stopped and self._task is not None:
            self._task.cancel()
        self.is_stopped = True

    async def until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, unless it is stopped, until it is done or stopped."""
        if self.is_stopped:
            work.close()
            return
        self._task = task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        try:
            await work
        except asyncio.CancelledError:
            if not self.is_stopped:
                raise
        self._task = None
        if self.is_stopped and task.uncancel():
            raise asyncio.CancelledError  # the whole socket ends as well
