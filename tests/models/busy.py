"""A model endpoint in the test's own loop that takes its time, and notes when it was asked and by how many at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.models.peer import Reply


class Busy:
    """Answers each request after `seconds`, as `reply` says; `asked` is when they came, by the clock of the loop."""

    def __init__(self, reply: Callable[[dict[str, Any]], Reply], seconds: float) -> None:
        self.url = ""
        self.asked: list[float] = []
        self.most_at_once = 0
        self._reply = reply
        self._seconds = seconds
        self._at_once = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if b"content-length:" in line)
                reply = await self._answer(json.loads(await reader.readexactly(int(length))))
                body = json.dumps(reply.body).encode()
                writer.write(
                    b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (reply.status, len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any]) -> Reply:
        self.asked.append(asyncio.get_running_loop().time())
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(self._seconds)
        self._at_once -= 1
        return self._reply(request)


@asynccontextmanager
async def busy(reply: Callable[[dict[str, Any]], Reply], *, seconds: float) -> AsyncIterator[Busy]:
    """A listening endpoint; it is gone afterwards."""
    endpoint = Busy(reply, seconds)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield endpoint
    finally:
        server.close()
