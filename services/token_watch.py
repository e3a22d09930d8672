"""The token watch: one task that looks, for all open streams of this process, whether their callers' tokens still hold.

A call is checked once, when it begins; a stream may go on for days. While nothing is watched, nothing is asked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from services.caller import Caller
from services.errors import ServiceError, Unauthenticated
from services.principal import Principal, Scope

_log = logging.getLogger(__name__)
_REFUSED = "the token was revoked or has expired meanwhile; `rolecall token create` makes a new one"

StillValid: TypeAlias = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, Principal]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    token: UUID
    scope: Scope
    dismiss: Callable[[Exception], None]


class TokenWatch:
    """Who is watched, and the task that looks while there is anybody, at most every `interval_seconds`.

    `still_valid` gives the principals of those tokens that are.
    """

    def __init__(self, still_valid: StillValid, *, interval_seconds: float = 3.0) -> None:
        self._still_valid = still_valid
        self._interval_seconds = interval_seconds
        self._watched: set[_Watched] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, token: UUID, scope: Scope, dismiss: Callable[[Exception], None]) -> Iterator[None]:
        """Until the end of the block, `dismiss` is told why a caller may not go on, should that come to pass:
        Unauthenticated when its token is revoked or expires, Forbidden when it loses the scope.
        """
        watched = _Watched(token, scope, dismiss)
        self._watched.add(watched)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="token watch")
        try:
            yield
        finally:
            self._watched.discard(watched)
            if not self._watched and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self._look()
            except Exception as error:
                # Streams do not end because the database is away; nothing new is in them either.
                _log.warning("the tokens behind open streams could not be looked at: %r", error)

    async def _look(self) -> None:
        looked_at = tuple(self._watched)
        valid = await self._still_valid({watched.token for watched in looked_at})
        for watched in looked_at:
            principal = valid.get(watched.token)
            try:
                if principal is None:
                    raise Unauthenticated(_REFUSED)
                Caller(principal).require(watched.scope)
            except ServiceError as error:
                watched.dismiss(error)
