"""A follower: whoever reads the journal of an execution as it grows, and its progress in between."""

import asyncio
from collections import deque
from collections.abc import Callable
from uuid import UUID

import asyncpg

from services.engine.progress import News, Progress

# What is kept for one that reads slowly: a page of history, which is read again later, and the latest progress.
MAX_PROGRESS = 128


class Gone(Exception):
    """The journal that was followed is not there any more."""


class Follower:
    """One reader of one execution; `seq` is the last event that it has been given.

    Progress that was said before an event waits for the events that came before it.
    """

    def __init__(self, execution: UUID, seq: int, look: Callable[["Follower"], None]) -> None:
        self.execution = execution
        self.seq = seq
        self._look = look
        self._page: deque[asyncpg.Record] = deque()
        self._progress: deque[News] = deque(maxlen=MAX_PROGRESS)
        self._changed = asyncio.Event()
        self._error: Exception | None = None
        self._dismissal: Exception | None = None
        self._known_seq = seq + 1  # until the first look there may well be more

    @property
    def is_waiting(self) -> bool:
        """Whether it could take a page now."""
        return not self._page

    async def next(self) -> asyncpg.Record | Progress:
        """The next event, as its row, or what goes on meanwhile.

        Raises:
            Gone: there is no journal any more.
            Exception: what it was dismissed with.
        """
        while True:
            if self._dismissal is not None:
                raise self._dismissal
            if self._progress and self._progress[0].seq <= self.seq:
                progress = self._progress.popleft().progress
                assert progress is not None, "only news with progress is kept"
                return progress
            if self._page:
                row = self._page.popleft()
                self.seq = row["seq"]
                return row
            if self._error is not None:
                raise self._error
            self._changed.clear()
            self._look_if_behind()
            await self._changed.wait()

    def hear(self, news: News) -> None:
        """Take note of news; a journal that has grown is worth a look."""
        self._known_seq = max(self._known_seq, news.seq)
        if news.progress is not None:
            self._progress.append(news)
            self._changed.set()
        if self.is_waiting:
            self._look_if_behind()

    def begin(self) -> int:
        """The journal is read from behind this event on; what is heard from now on may be newer than that."""
        self._known_seq = self.seq
        return self.seq

    def take(self, page: list[asyncpg.Record], last_seq: int) -> None:
        """Take a page of the journal, which held `last_seq` events when it was read."""
        self._known_seq = max(self._known_seq, last_seq)
        if page:
            self._page.extend(page)
            self._changed.set()
        else:
            self._look_if_behind()

    def fail(self, error: Exception) -> None:
        """There is nothing more to read."""
        self._error = error
        self._changed.set()

    def dismiss(self, error: Exception) -> None:
        """It may not read on, not even what it has been given already."""
        self._dismissal = error
        self._changed.set()

    def _look_if_behind(self) -> None:
        if self._known_seq > self.seq:
            self._look(self)
