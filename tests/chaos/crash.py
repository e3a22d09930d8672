"""Where a worker process ends itself: before or after the n-th SQL statement or external call that it makes.

`ROLECALL_CRASH_AT=7` ends it before the seventh, `after:7` once that has been answered; `call:3` and `after:call:3`
count calls alone, of which there are as many in each run. Nothing of this is in the engine: the test's worker process
wraps asyncpg's connections and its own performers.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import asyncpg

VARIABLE = "ROLECALL_CRASH_AT"
EXIT_CODE = 86
# Everything that a connection is asked for goes through one of these.
_STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


class Points:
    """Counts what is passed; `count` is how often so far."""

    def __init__(self, at: str | None = None, note: Path | None = None) -> None:
        *marks, number = (at or "0").split(":")
        self._number = int(number)
        self._is_after = "after" in marks
        self._is_of_calls = "call" in marks
        self._note = note
        self._calls = 0
        self.count = 0

    @asynccontextmanager
    async def passing(self, what: str) -> AsyncIterator[None]:
        """A statement or a call; one that fails has not been answered."""
        self.count += 1
        self._calls += (is_call := what.startswith("call "))
        self._write(f"{self.count} {what}")
        counted = self._calls if self._is_of_calls else self.count
        is_here = counted == self._number and (is_call or not self._is_of_calls)
        if is_here and not self._is_after:
            os._exit(EXIT_CODE)
        yield
        if is_here and self._is_after:
            os._exit(EXIT_CODE)

    def wrap_statements(self) -> None:
        """Let every statement of this process, on whatever connection, pass here."""
        for name in _STATEMENTS:
            setattr(asyncpg.Connection, name, self._passing(getattr(asyncpg.Connection, name)))

    def _passing(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(ask)
        async def counted(connection: asyncpg.Connection, query: str, *arguments: Any, **options: Any) -> Any:
            async with self.passing(query.split("\n")[0][:60]):
                return await ask(connection, query, *arguments, **options)

        return counted

    def _write(self, line: str) -> None:
        if self._note is not None:
            with self._note.open("a") as note:
                note.write(f"{line}\n")
