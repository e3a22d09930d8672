"""The credential watch: one task that looks, for all open streams, whether what their callers showed still holds.

A call is checked once, when it begins; a stream may go on for days. While nothing is watched, nothing is asked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import TypeAlias

from services.caller import Caller
from services.errors import ServiceError, Unauthenticated
from services.principal import Principal, Scope

_log = logging.getLogger(__name__)
_REFUSED = "the token or session was revoked or has expired meanwhile; `rolecall token create` makes a new token"

StillValid: TypeAlias = Callable[[Collection[Caller]], Awaitable[Mapping[Caller, Principal]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    caller: Caller
    scope: Scope
    dismiss: Callable[[Exception], None]


class CredentialWatch:
    """Who is watched, and the task that looks while there is anybody, at most every `interval_seconds`.

    `still_valid` gives the principals, as they are now, of those callers whose credentials still hold.
    """

    def __init__(self, still_valid: StillValid, *, interval_seconds: float = 3.0) -> None:
        self._still_valid = still_valid
        self._interval_seconds = interval_seconds
        self._watched: set[_Watched] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, caller: Caller, scope: Scope, dismiss: Callable[[Exception], None]) -> Iterator[None]:
        """Until the end of the block, `dismiss` is told why the caller may not go on, should that come to pass:
        Unauthenticated when what it has shown is revoked or expires, Forbidden when it loses the scope.
        """
        watched = _Watched(caller, scope, dismiss)
        self._watched.add(watched)
        if self._task is None:
            # It looks for all, so none of them acts in it: an agent could not even read what tokens there are.
            self._task = asyncio.create_task(self._run(), name="credential watch", context=Context())
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
        valid = await self._still_valid({watched.caller for watched in looked_at})
        for watched in looked_at:
            principal = valid.get(watched.caller)
            try:
                if principal is None:
                    raise Unauthenticated(_REFUSED)
                Caller(principal).require(watched.scope)
            except ServiceError as error:
                watched.dismiss(error)
