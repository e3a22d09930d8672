"""The two directions of a WebSocket: text that comes in, and one ordered way out."""

import asyncio
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from api.rpc.asgi import Receive, Send
from api.rpc.sockets.messages import PING


class Gone(Exception):
    """The client has closed the socket, says nothing any more, or does not read."""


class Line:
    """What one socket hears and says.

    Texts leave in the order in which they were ready. Whoever has to wait for its turn makes no further one, so a
    client that does not read holds up what is made for it, and in the end its own messages; nothing piles up.
    """

    def __init__(
        self, receive: Receive, send: Send, *, ping_seconds: float, pong_seconds: float, send_seconds: float
    ) -> None:
        self._receive = receive
        self._send = send
        self._ping_seconds = ping_seconds
        self._pong_seconds = pong_seconds
        self._send_seconds = send_seconds
        self._turn = asyncio.Lock()

    async def hear(self) -> str | None:
        """The next message, None for a binary one. A client that is silent for long is asked whether it is there.

        Raises:
            Gone: it is not.
        """
        message = await self._heard()
        if message["type"] == "websocket.disconnect":
            raise Gone
        return message.get("text")

    async def say(self, text: str) -> None:
        """Send a text once all before it are on their way.

        Raises:
            Gone: nobody reads it.
        """
        async with self._turn:
            await self._send_in_time({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        """Close the socket, behind all that was said."""
        with suppress(Gone):
            await self._send_in_time({"type": "websocket.close", "code": code})

    async def _send_in_time(self, message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._send(message)
        except (OSError, RuntimeError):  # servers raise the one or the other on a closed socket
            raise Gone from None

    async def _heard(self) -> Mapping[str, Any]:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ping_seconds):
                return await self._receive()
        await self.say(PING)
        try:
            async with asyncio.timeout(self._pong_seconds):
                return await self._receive()
        except TimeoutError:
            raise Gone from None
