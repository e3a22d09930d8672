"""One HTTP exchange over ASGI: the request as it comes in, the response as it goes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from api.rpc.codes import RpcError
from api.rpc.wire import Answer

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Incoming:
    """A request on its way in. While `is_read` its body is the only thing to come; then, that the client goes.

    Whoever reads when the client goes is not told, but cancelled by whoever waits for that.
    """

    def __init__(self, receive: Receive, headers: Mapping[str, str], *, has_body: bool) -> None:
        self._receive = receive
        declared = headers.get("content-length", "")
        self._declared_bytes = int(declared) if declared.isdecimal() else 0
        self._is_read = asyncio.Event()
        self._has_gone = False
        if not has_body:
            self._is_read.set()

    async def body(self, max_bytes: int) -> bytes:
        """All of the body.

        Raises:
            RpcError: PAYLOAD_TOO_LARGE, there is more of it than `max_bytes`, or will be.
        """
        chunks = bytearray()
        async for chunk in self.chunks(max_bytes):
            chunks += chunk
        return bytes(chunks)

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body as it comes in, and no faster than it is asked for. Raises as `body` does."""
        try:
            if self._declared_bytes > max_bytes:
                raise _too_large(max_bytes)
            left = max_bytes
            is_last = False
            while not is_last:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    await self._go()
                chunk, is_last = message.get("body", b""), not message.get("more_body", False)
                left -= len(chunk)
                if left < 0:
                    raise _too_large(max_bytes)
                if chunk:
                    yield chunk
        finally:
            self._is_read.set()

    async def gone(self) -> None:
        """Wait until the client disconnects."""
        await self._is_read.wait()
        while not self._has_gone and (await self._receive())["type"] != "http.disconnect":
            pass

    async def _go(self) -> None:
        self._has_gone = True
        self._is_read.set()
        await asyncio.Event().wait()


class Response:
    """A response on its way out, either `whole` or begun, written and ended; `headers` are those of every response.

    A write returns once the client is ready for more, and writes of several tasks do not mix.
    """

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self._writing = asyncio.Lock()
        self.has_begun = False
        self.written_at = 0.0

    async def whole(self, answer: Answer) -> None:
        """Send all of it at once."""
        # A response without content must not have a length.
        length = {} if answer.status == 204 else {"content-length": str(len(answer.body))}
        await self.begin(answer.status, {**answer.headers, **length})
        await self._send_on({"type": "http.response.body", "body": answer.body})

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        vary = ", ".join(filter(None, (headers.get("vary"), self._headers.get("vary"))))
        named = {**headers, **self._headers, **({"vary": vary} if vary else {})}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        self.has_begun = True
        await self._send_on({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        async with self._writing:
            await self._send_on({"type": "http.response.body", "body": data, "more_body": True})
            self.written_at = asyncio.get_running_loop().time()
        # Who has much to say, to one that reads fast or has gone, waits for nothing; the others have their turn.
        await asyncio.sleep(0)

    async def end(self) -> None:
        """There is no more of the body."""
        async with self._writing:
            await self._send_on({"type": "http.response.body", "body": b""})

    async def keep_alive(self, ping: bytes) -> None:
        """Send a ping, unless something is being sent: whoever reads slowly knows that we are there."""
        if self.has_begun and not self._writing.locked():
            await self.write(ping)

    async def _send_on(self, message: MutableMapping[str, Any]) -> None:
        # Servers may say here that the client has gone; whoever waits for that cancels who writes.
        with suppress(OSError):
            await self._send(message)


def _too_large(limit: int) -> RpcError:
    return RpcError("PAYLOAD_TOO_LARGE", data={"maxBytes": limit})
