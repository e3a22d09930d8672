"""Hints between processes that something is due or has arrived: LISTEN and NOTIFY, coalesced.

A hint saves waiting for the next poll and nothing else: behind some poolers none ever arrives, and all still works.
"""

import asyncio
import logging
from collections.abc import Callable

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

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` at each hint, from this process or another."""
        self._listeners.append(listener)

    def hint(self) -> None:
        """Tell the listeners of this process at once, those of others soon."""
        self._tell()
        self._wanted.set()

    async def run(self) -> None:
        """Listen and send until cancelled."""
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                await connection.add_listener(CHANNEL, self._heard)
                self._tell()  # whatever was said while nobody listened
                await self._send(connection)
            except TRANSIENT as error:
                _log.warning("no hints for now: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
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
