"""Statements of our own, each on a connection that nobody else uses meanwhile.

asyncpg's pool would double what a short one costs: it starts a task to take the connection back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg

_LAST_WORDS = ("FATAL", "PANIC")


class Statements:
    """Up to `size` statements at once, each a transaction of its own; the others wait for their turn.

    Connections are made when they are needed, and kept. One that was lost is made anew.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._turns = asyncio.Semaphore(size)
        self._idle: list[asyncpg.Connection] = []
        self._busy: set[asyncpg.Connection] = set()
        self._is_closed = False

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """The rows of a statement, which is prepared once on each connection.

        Raises:
            InterfaceError: this is closed.
        """
        async with self._turns:
            if self._is_closed:
                raise asyncpg.InterfaceError("the database is closed")
            connection = self._usable() or await self._connect()
            self._busy.add(connection)
            try:
                return await connection.fetch(statement, *values)
            except (asyncpg.PostgresError, asyncpg.InternalClientError) as error:
                # The server has taken its leave, and the connection may not have noticed yet.
                if getattr(error, "severity_en", "FATAL") in _LAST_WORDS:
                    connection.terminate()
                raise
            finally:
                # Also after one that was cancelled: asyncpg has the next wait until the server has let go of it.
                self._busy.remove(connection)
                self._idle.append(connection)

    async def turn(self) -> None:
        """Wait until another statement could be run."""
        async with self._turns:
            pass

    async def close(self) -> None:
        """Close every connection, once nothing runs any more."""
        self._is_closed = True
        async with AsyncExitStack() as every_turn:
            for _ in range(self._size):
                await every_turn.enter_async_context(self._turns)
            for connection in self._idle:
                await connection.close()

    def terminate(self) -> None:
        """Cut off what runs."""
        self._is_closed = True
        for connection in (*self._idle, *self._busy):
            connection.terminate()

    def _usable(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None
