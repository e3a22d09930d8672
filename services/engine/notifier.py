"""Hints between processes that something is due or has arrived: LISTEN and NOTIFY, coalesced.

A hint saves waiting for the next poll and nothing else: behind some poolers none ever arrives, and all still works.
"""

import asyncio
import logging
from collections.abc import Callable
from uuid import uuid4

import asyncpg

from services.engine.outages import TRANSIENT, Connect

_log = logging.getLogger(__name__)
CHANNEL = "rolecall_wake"
# A NOTIFY takes a lock that all committing transactions share: at most twenty a second from each process.
_INTERVAL_SECONDS = 0.05
_RETRY_SECONDS = 1.0


class Notifier:
    """Sends and receives hints over one connection of its own."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._wanted = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self._echo_channel = f"rolecall_echo_{uuid4().hex}"
        self._echo = asyncio.Event()
        self.is_listening = False
        """Whether it has a connection that asked for hints; not whether any arrives."""

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` at each hint, from this process or another."""
        self._listeners.append(listener)

    def hint(self) -> None:
        """Tell the listeners of this process at once, those of others soon."""
        self._tell()
        self._wanted.set()

    async def hears(self, sender: asyncpg.Pool) -> bool:
        """True once something has arrived that `sender` says to this notifier alone; behind some poolers, never."""
        self._echo.clear()
        await sender.execute("SELECT pg_notify($1, '')", self._echo_channel)
        return await self._echo.wait()

    async def run(self) -> None:
        """Listen and send until cancelled."""
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                # An idle connection that is lost gives no other sign. The next NOTIFY fails, and another is made.
                connection.add_termination_listener(lambda _: self._wanted.set())
                await connection.add_listener(CHANNEL, self._heard)
                await connection.add_listener(self._echo_channel, lambda *_: self._echo.set())
                self.is_listening = True
                self._tell()  # whatever was said while nobody listened
                await self._send(connection)
            except TRANSIENT as error:
                _log.warning("no hints for now: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self.is_listening = False
                if connection is not None:
                    connection.terminate()

    async def _send(self, connection: asyncpg.Connection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await connection.execute(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(_INTERVAL_SECONDS)

    def _heard(self, connection: asyncpg.Connection, pid: int, _channel: str, _payload: object) -> None:
        if pid != connection.get_server_pid():  # our own hints were told at once
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
