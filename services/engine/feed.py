"""The feed: one task that reads the growth of every followed journal, for all followers of this process.

News says where to look at once; without any, a look each second finds all there is. While nobody follows, nothing is
asked.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from itertools import groupby
from uuid import UUID

import asyncpg

from services.engine.exchange import Exchange
from services.engine.follower import Follower, Gone
from services.engine.outages import TRANSIENT
from services.engine.progress import News
from services.engine.sql import statement

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
# However fast news comes, the journals are read at most a hundred times a second.
_INTERVAL_SECONDS = 0.01
_MAX_LOOKED_AT = 1_000
_MAX_PAGES = 64
_MAX_PAGE_EVENTS = 200
_MAX_PAGE_BYTES = 64 * 1024


class Feed:
    """Followers by execution, and the task that reads for them while there are any."""

    def __init__(self, pool: asyncpg.Pool, exchange: Exchange, *, poll_seconds: float = 1.0) -> None:
        self._pool = pool
        self._exchange = exchange
        self._poll_seconds = poll_seconds
        self._followers: dict[UUID, set[Follower]] = {}
        # Those that a look is due for, the longest waiting first.
        self._due: dict[Follower, None] = {}
        self._woken = asyncio.Event()
        self._polls_at = 0.0
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, execution: UUID, after: int) -> Iterator[Follower]:
        """A follower of the events behind `after`, until the end of the block."""
        follower = Follower(execution, after, self._look)
        if execution not in self._followers:
            self._followers[execution] = set()
            self._exchange.follow(execution, self._hear)
        self._followers[execution].add(follower)
        if self._task is None:
            # It reads for all, so none of them acts in it.
            self._task = asyncio.create_task(self._run(), name="feed", context=Context())
        try:
            yield follower
        finally:
            self._leave(follower)

    def _leave(self, follower: Follower) -> None:
        self._due.pop(follower, None)
        self._followers[follower.execution].discard(follower)
        if not self._followers[follower.execution]:
            del self._followers[follower.execution]
            self._exchange.unfollow(follower.execution)
        if not self._followers and self._task is not None:
            self._task.cancel()
            self._task = None

    def _hear(self, news: News) -> None:
        for follower in self._followers.get(news.execution, ()):
            follower.hear(news)

    def _look(self, follower: Follower) -> None:
        if follower in self._followers.get(follower.execution, ()):  # and has not left
            self._due[follower] = None
            self._woken.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._look_once()
        except Exception as error:
            # A mistake of ours must not leave anybody waiting for ever.
            _log.exception("the feed has failed")
            for followers in self._followers.values():
                for follower in followers:
                    follower.fail(error)
            self._task = None

    async def _look_once(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._polls_at:
            self._polls_at = now + self._poll_seconds
            self._exchange.repeat()
            waiting = (it for followers in self._followers.values() for it in followers if it.is_waiting)
            self._due |= dict.fromkeys(waiting)
        if not self._due:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._polls_at):
                    await self._woken.wait()
            return
        try:
            await self._read()
            await asyncio.sleep(_INTERVAL_SECONDS)
        except (*TRANSIENT, asyncpg.PostgresError) as error:
            _log.warning("followers wait for the database: %r", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self) -> None:
        """Read a page for each of those that are due and have one; whoever is at the same place shares it."""
        looking: dict[tuple[UUID, int], list[Follower]] = {}
        for follower in list(self._due)[:_MAX_LOOKED_AT]:
            looking.setdefault((follower.execution, follower.begin()), []).append(follower)
        rows = await self._pool.fetch(
            statement("growth"),
            [execution for execution, _ in looking],
            [seq for _, seq in looking],
            _MAX_PAGES,
            _MAX_PAGE_EVENTS,
            _MAX_PAGE_BYTES,
        )
        pages = {place: list(page) for place, page in groupby(rows, key=lambda row: row["place"])}
        for place, ((_, seq), followers) in enumerate(looking.items(), 1):
            if place in pages or len(pages) < _MAX_PAGES:
                for follower in followers:
                    self._due.pop(follower, None)
                    _give(follower, pages.get(place), seq)


def _give(follower: Follower, page: list[asyncpg.Record] | None, seq: int) -> None:
    if page is None:
        follower.take([], seq)
    elif (last_seq := page[0]["last_seq"]) is None or last_seq < seq:
        follower.fail(Gone())
    else:
        follower.take([row for row in page if row["seq"] is not None], last_seq)
