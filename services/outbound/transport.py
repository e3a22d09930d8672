"""The connections of all guarded requests: each is made to an address that the guard has let pass.

Where a name leads is asked within the connecting itself, so there is no second look-up that could say something else.
The name stays what the certificate has to be for, and connections are shared by requests to the same origin alone.
"""

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

import httpcore2
import httpx2

from services.outbound.addresses import Address
from services.outbound.guard import Guard

_MAX_CONNECTIONS = 100
_MAX_IDLE = 20
_IDLE_SECONDS = 15.0
# Of the time for connecting, each address but the last has a share, so that one that is silent leaves some to others.
_FIRST_ADDRESS_SECONDS = 3.0

# The most special first.
_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (httpcore2.ConnectTimeout, httpx2.ConnectTimeout),
    (httpcore2.ReadTimeout, httpx2.ReadTimeout),
    (httpcore2.WriteTimeout, httpx2.WriteTimeout),
    (httpcore2.PoolTimeout, httpx2.PoolTimeout),
    (httpcore2.TimeoutException, httpx2.TimeoutException),
    (httpcore2.ConnectError, httpx2.ConnectError),
    (httpcore2.ReadError, httpx2.ReadError),
    (httpcore2.WriteError, httpx2.WriteError),
    (httpcore2.NetworkError, httpx2.NetworkError),
    (httpcore2.LocalProtocolError, httpx2.LocalProtocolError),
    (httpcore2.RemoteProtocolError, httpx2.RemoteProtocolError),
    (httpcore2.ProtocolError, httpx2.ProtocolError),
    (httpcore2.UnsupportedProtocol, httpx2.UnsupportedProtocol),
)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """A transport for any `httpx2.AsyncClient`; what the guard refuses raises its `OutboundError`.

    `tls` judges certificates, by default as this machine does.
    """

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context() if tls is None else tls,
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=_Guarded(guard),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _told_as_httpx():
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_as_httpx():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that the guard gives, one after the other."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner: httpcore2.AsyncNetworkBackend = httpcore2.AnyIOBackend()  # type: ignore[assignment]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *firsts, last = await self._guard.addresses(host, port)
        for address in firsts:
            try:
                first_seconds = min(timeout or _FIRST_ADDRESS_SECONDS, _FIRST_ADDRESS_SECONDS)
                return await self._connect(address, port, first_seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._connect(last, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise httpcore2.ConnectError("nothing here connects to sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _connect(
        self,
        address: Address,
        port: int,
        seconds: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        return await self._inner.connect_tcp(
            str(address), port, timeout=seconds, local_address=local_address, socket_options=socket_options
        )


@contextmanager
def _told_as_httpx() -> Iterator[None]:
    """Errors of the connection, as whoever uses httpx knows them."""
    try:
        yield
    except Exception as error:
        for raised, told in _ERRORS:
            if isinstance(error, raised):
                raise told(str(error)) from error
        raise
