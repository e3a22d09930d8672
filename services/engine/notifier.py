"""The process's connection for what others should hear soon: LISTEN and NOTIFY, coalesced.

What is heard saves waiting for the next poll and nothing else: behind some poolers nothing ever arrives, and all still
works.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from uuid import uuid4

import asyncpg

from services.engine.outages import TRANSIENT, Connect

_log = logging.getLogger(__name__)
CHANNEL = "rolecall_wake"
# A NOTIFY takes a lock that all committing transactions share: twenty a second from each process. After a pause a few
# go out without delay, so that what starts and what comes of it soon afterwards are both heard at once.
_INTERVAL_SECONDS = 0.05
_SAVED_SECONDS = 0.2
_RETRY_SECONDS = 1.0
# Postgres takes less than 8,000 bytes; what cannot be sent in time is dropped, the oldest first.
MAX_PAYLOAD_BYTES = 7_900
_MAX_WAITING = 10_000


class Notifier:
    """Sends and receives over one connection of its own: hints that something is due, and messages of a few bytes."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        # Kept, because what was under way is still heard when the connection is closed.
        self._pid = 0
        self._wanted = asyncio.Event()
        self._is_hinted = False
        self._listeners: list[Callable[[], None]] = []
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MAX_WAITING)
        self._hearers: dict[str, Callable[[str], None]] = {}
        self._greeters: list[Callable[[], None]] = []
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
        self._is_hinted = True
        self._wanted.set()

    def hear(self, channel: str, hearer: Callable[[str], None], *, greet: Callable[[], None]) -> None:
        """Call `hearer` with the messages of other processes, as the text of a JSON array. Before the notifier runs.

        `greet` is called whenever it has begun to listen: what was said before that was not heard.
        """
        self._hearers[channel] = hearer
        self._greeters.append(greet)

    def send(self, channel: str, message: bytes) -> None:
        """Let other processes hear a message, which is JSON, soon. Too long a one is not sent."""
        if len(message) <= MAX_PAYLOAD_BYTES - len("[]"):
            self._waiting.append((channel, message))
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
                self._pid = connection.get_server_pid()
                # Whoever only listens would not notice its end.
                connection.add_termination_listener(lambda _: self._wanted.set())
                await connection.add_listener(CHANNEL, self._heard)
                for channel in self._hearers:
                    await connection.add_listener(channel, self._heard)
                await connection.add_listener(self._echo_channel, lambda *_: self._echo.set())
                self.is_listening = True
                self._tell()  # whatever was said while nobody listened
                self._waiting.clear()  # all of it is old by now
                for greet in self._greeters:
                    greet()
                await self._send(connection)
            except TRANSIENT as error:
                _log.warning("no hints for now: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self.is_listening = False
                if connection is not None:
                    connection.terminate()

    async def _send(self, connection: asyncpg.Connection) -> None:
        free_at = 0.0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if connection.is_closed():
                raise ConnectionResetError("the connection that listens is closed")
            payloads = [(CHANNEL, "")] if self._is_hinted else []
            payloads += _packed(self._waiting)
            self._is_hinted = False
            self._waiting.clear()
            if payloads:
                await connection.execute(
                    "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS sent (channel, payload)",
                    [channel for channel, _ in payloads],
                    [payload for _, payload in payloads],
                )
                now = time.monotonic()
                free_at = max(free_at, now - _SAVED_SECONDS) + _INTERVAL_SECONDS
                await asyncio.sleep(free_at - now)

    def _heard(self, _connection: asyncpg.Connection, pid: int, channel: str, payload: object) -> None:
        if pid == self._pid:  # what we say ourselves was told at once
            return
        if channel == CHANNEL:
            self._tell()
        else:
            self._hearers[channel](str(payload))

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _packed(messages: deque[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """The messages in as few payloads as hold them, in order within each channel."""
    open_: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    for channel, message in messages:
        size = sizes.get(channel, 1) + len(message) + 1
        if size > MAX_PAYLOAD_BYTES:
            yield channel, _array(open_.pop(channel))
            size = len(message) + 2
        open_.setdefault(channel, []).append(message)
        sizes[channel] = size
    for channel, packed in open_.items():
        yield channel, _array(packed)


def _array(messages: list[bytes]) -> str:
    return f"[{b','.join(messages).decode()}]"
