"""A watch over rows that a process has taken over, so that it does as they say while it runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.engine.outages import is_away

_log = logging.getLogger(__name__)
# Definitions of all kinds change on one channel; nobody minds what comes a moment later.
_PAUSE_SECONDS = 0.25
_BACK_OFF_SECONDS = 1.0


class RowWatch:
    """Calls `look` when it is woken, and every so many seconds by itself: behind some poolers nothing is heard.

    Whatever goes wrong, it looks again a second later; until then holds what was seen before. `what` says in the log
    what it looks at.
    """

    def __init__(self, what: str, look: Callable[[], Awaitable[None]], *, poll_seconds: float) -> None:
        self._what = what
        self._look = look
        self._poll_seconds = poll_seconds
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Look at once."""
        self._wanted.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._look()
            except Exception as error:
                if is_away(error):
                    _log.warning("%s: waits for the database: %r", self._what, error)
                else:
                    _log.error("%s: could not be read and is looked at again", self._what, exc_info=error)
                self._wanted.set()
                await asyncio.sleep(_BACK_OFF_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)
