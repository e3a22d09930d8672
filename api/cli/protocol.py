"""uvicorn's HTTP/1.1, with limits where it has none: how large what comes before a body may be, and how slow."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.rpc import RpcError
from api.rpc.wire import failed

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_SECONDS = 30.0


class BoundedHttp(HttpToolsProtocol):
    """One connection. What is received counts until something comes of it: a whole head, a piece of a body, its end.

    A body's own limits are the application's.
    """

    max_head_bytes = MAX_HEAD_BYTES
    max_head_seconds = MAX_HEAD_SECONDS

    _unread = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread > self.max_head_bytes:
            self._refuse(self._too_large())
        elif self._unread and self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        # A head may come in one piece with more behind it, so it is measured only where it can be too large.
        if self._unread > self.max_head_bytes and self._head_bytes() > self.max_head_bytes:
            raise self._too_large()
        self._await_nothing()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._await_nothing()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._await_nothing()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        is_too_large = self._unread > self.max_head_bytes
        self._refuse(self._too_large() if is_too_large else RpcError("BAD_REQUEST", msg))

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.max_head_seconds, self._too_slow)

    def _await_nothing(self) -> None:
        self._unread = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _too_large(self) -> RpcError:
        return RpcError("BAD_REQUEST", f"the headers are larger than {self.max_head_bytes} bytes")

    def _too_slow(self) -> None:
        self._deadline = None
        if self._unread:
            message = f"the headers did not arrive within {self.max_head_seconds:g} seconds"
            self._refuse(RpcError("TIMEOUT", message))
        else:
            self.transport.close()

    def _refuse(self, error: RpcError) -> None:
        # Too early for the application: there is no request yet that it could be given.
        envelope = failed(error).envelope
        head = (
            f"HTTP/1.1 {error.numbers.http} Refused\r\n"
            f"content-type: application/json\r\ncontent-length: {len(envelope)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + envelope)
        self.transport.close()
