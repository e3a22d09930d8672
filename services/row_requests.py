"""Row requests: what somebody asks the servers for by writing a row, such as `status = 'publishing'`, and is answered
in that row. One task in each process sees to them: woken by NOTIFY, and looking by itself where that does not arrive.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from services.engine.outages import is_away

_log = logging.getLogger(__name__)
Id = TypeVar("Id", bound=Hashable)

CHANNEL = "rolecall_definition"
POLL_SECONDS = 5.0
BACK_OFF_SECONDS = 1.0
# What a hint is about may just be held by somebody else: it is looked for again soon, and then ever more seldom.
_SOON_SECONDS = 0.25
_HELD_SECONDS = 0.2
_LONGEST_BACK_OFF_SECONDS = 60.0
_MAX_TRIES = 5
# Of what was withdrawn, or answered by another process, nothing more is heard.
_REMEMBERED_SECONDS = 600.0

Handler: TypeAlias = Callable[[], Awaitable[int]]
"""Answers the requests of one kind that wait now; how many it has answered. Asked again until it answers none."""


class RowRequests:
    """The handlers of a process, by the kinds of requests that they answer.

    They run beside each other: one that fails is left alone for a while, longer each time, and holds up no other.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        poll_seconds: float = POLL_SECONDS,
        back_off_seconds: float = BACK_OFF_SECONDS,
    ) -> None:
        self._handlers = handlers
        self._poll_seconds = poll_seconds
        self._back_off_seconds = back_off_seconds
        self._wanted = {kind: asyncio.Event() for kind in handlers}

    def wake(self) -> None:
        """Look at once."""
        for wanted in self._wanted.values():
            wanted.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind, handler in self._handlers.items():
                group.create_task(self._see_to(kind, handler), name=f"row requests: {kind}")

    async def _see_to(self, kind: str, handler: Handler) -> None:
        wanted, pause, failures = self._wanted[kind], _SOON_SECONDS, 0
        while True:
            wanted.clear()
            try:
                answered = await handler()
            except Exception as error:
                # A database that is away is nobody's fault, and not for long.
                failures = failures if is_away(error) else failures + 1
                _log_failure(f"requests of kind {kind}", error)
                await asyncio.sleep(_back_off(failures, self._back_off_seconds))
                continue
            failures = 0
            if answered or await _set_within(wanted, pause):
                pause = _SOON_SECONDS
            else:
                pause = min(pause * 2, self._poll_seconds)


@dataclass(frozen=True, slots=True)
class _SetAside:
    """A request that is left alone until a time, and how often it could not be answered."""

    until: float
    tries: int


class OneByOne(Generic[Id]):
    """A handler that answers each request by itself, so that one which cannot be answered holds up no other.

    `pending` gives the ids of requests that wait, the oldest first and not too many, without those that it is given.
    `answer` answers one, in a transaction of its own: false when it is not to be had, since somebody else holds it or
    it waits no more. What it raises is a reason of ours, not of the request: it is tried again later, and after five
    times `give_up` says in the row that it was not to be answered here. A database that is away counts for nothing.
    """

    def __init__(
        self,
        pending: Callable[[Collection[Id]], Awaitable[Collection[Id]]],
        answer: Callable[[Id], Awaitable[bool]],
        give_up: Callable[[Id], Awaitable[None]],
        *,
        back_off_seconds: float = BACK_OFF_SECONDS,
    ) -> None:
        self._pending = pending
        self._answer = answer
        self._give_up = give_up
        self._back_off_seconds = back_off_seconds
        self._aside: dict[Id, _SetAside] = {}

    async def __call__(self) -> int:
        """How many were answered."""
        now = time.monotonic()
        self._aside = {id: it for id, it in self._aside.items() if it.until + _REMEMBERED_SECONDS > now}
        resting = [id for id, it in self._aside.items() if it.until > now]
        return sum([await self._is_answered(id) for id in await self._pending(resting)])

    async def _is_answered(self, id: Id) -> bool:
        tries = self._aside[id].tries if id in self._aside else 0
        try:
            if tries == _MAX_TRIES:
                await self._give_up(id)
            elif not await self._answer(id):
                self._leave_alone(id, _HELD_SECONDS, tries)
                return False
        except Exception as error:
            _log_failure(f"request {id}", error)
            tries = tries if is_away(error) else min(tries + 1, _MAX_TRIES)
            self._leave_alone(id, _back_off(tries, self._back_off_seconds), tries)
            return False
        self._aside.pop(id, None)
        return True

    def _leave_alone(self, id: Id, seconds: float, tries: int) -> None:
        self._aside[id] = _SetAside(time.monotonic() + seconds, tries)


def _back_off(failures: int, first_seconds: float) -> float:
    """Seconds until the next try, twice as long after each failure, up to a minute.

    >>> [_back_off(failures, 1.0) for failures in (0, 1, 2, 3, 100)]
    [1.0, 1.0, 2.0, 4.0, 60.0]
    """
    return min(first_seconds * 2 ** min(max(failures - 1, 0), 10), _LONGEST_BACK_OFF_SECONDS)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event was set, or is within that time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _log_failure(what: str, error: Exception) -> None:
    if is_away(error):
        _log.warning("%s wait for the database: %r", what, error)
    else:
        _log.error("%s could not be answered and will be tried again", what, exc_info=error)
