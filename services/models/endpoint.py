"""An endpoint through its maker's SDK: opened at the first call, its errors told as failures."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from typing import Any, NoReturn, TypeAlias

import httpx2
import msgspec

from services.failure import Failed
from services.models import provider as failures
from services.models.sse import Event, Events, TooLong
from services.models.wire import ErrorInAnswer, is_loopback
from services.outbound import Guard, OutboundError, Refused, Unanswered

IDLE_SECONDS = 120.0
MAX_ANSWER_BYTES = 16 * 2**20
# Each piece of a streamed answer has some hundred bytes around it.
MAX_STREAM_BYTES = 64 * 2**20

_CONNECT_SECONDS = 10.0
_MAX_ERROR_BYTES = 64 * 2**10
# An answer is over before its stream is; what is left is read so that the connection can be used again.
_DRAIN_SECONDS = 0.1

Opening: TypeAlias = Callable[[Any, Any], AbstractAsyncContextManager[Any]]
"""Opens a call through an SDK's client, within an SDK's timeout: `async with opening(client, timeout) as response`."""

Take: TypeAlias = Callable[[Event], bool]
"""Takes one event of a streamed answer; true when it was the last."""


class Endpoint:
    """What is at `base_url`, by the client class `client` of the SDK `package`, which is imported at the first call.

    The SDKs of OpenAI and Anthropic have the same names for their clients' options and their errors. `detail_of` says
    what such an error tells. A call takes no longer than `timeout_seconds`; where the answer comes in pieces, it takes
    no longer than `idle_seconds` from one to the next. With a `guard` it goes only where that lets it.
    """

    def __init__(
        self,
        package: str,
        client: str,
        *,
        api_key: str,
        base_url: str,
        variables: failures.Variables,
        detail_of: Callable[[Any], str],
        timeout_seconds: float | None = None,
        idle_seconds: float = IDLE_SECONDS,
        guard: Guard | None = None,
    ) -> None:
        self.variables = variables
        self._package = package
        self._class = client
        self._api_key = api_key
        self._base_url = base_url
        self._detail_of = detail_of
        self._timeout_seconds = timeout_seconds
        self._idle_seconds = idle_seconds
        self._sdk: Any = None
        self._guard = guard
        self._client: Any = None

    async def sdk(self) -> Any:
        """The SDK's module."""
        if self._sdk is None:
            # Off the event loop: the first import takes up to a second.
            self._sdk = await asyncio.to_thread(importlib.import_module, self._package)
        return self._sdk

    async def call(
        self, model: str, timeout_seconds: float, opening: Opening, take: Take | None = None
    ) -> bytes | None:
        """The body of the answer; None where it came as events, which `take` got. `model` is "provider/name".

        Events may end before `take` has had the last: whether the answer is whole is for the caller to see.

        Raises:
            Failed: RATE_LIMITED, MODEL_ERROR, TIMEOUT or OUTPUT_INVALID; `Unreached` when nothing was sent.
        """
        sdk = await self.sdk()
        client = self._opened(sdk)
        seconds = timeout_seconds if self._timeout_seconds is None else min(timeout_seconds, self._timeout_seconds)
        patience = sdk.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))
        pulse = _Pulse(seconds, self._idle_seconds)
        try:
            # The SDK bounds each phase of a call; this bounds their sum.
            async with asyncio.timeout(seconds) as pulse.bound, opening(client, patience) as response:
                is_streamed = take is not None and "text/event-stream" in response.headers.get("content-type", "")
                async with aclosing(response.iter_bytes()) as chunks:
                    with self.reading(model):
                        return await (_events(chunks, take, pulse) if is_streamed and take else _body(chunks))
        except (TimeoutError, httpx2.HTTPError, sdk.APIError, OutboundError) as error:
            self._fail(sdk, error, model, pulse)

    @contextmanager
    def reading(self, model: str) -> Iterator[None]:
        """Inside, an answer that cannot be read, or that tells of an error, is a failure of the endpoint.

        Raises:
            Failed: MODEL_ERROR, RATE_LIMITED or OUTPUT_INVALID.
        """
        try:
            yield
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise failures.not_understood(model, self.variables, error) from error
        except TooLong as error:
            raise failures.too_large(model) from error
        except ErrorInAnswer as error:
            detail = failures.shown(error.detail, secret=self._api_key)
            raise failures.failure_of_error(error.kind, detail, model=model, variables=self.variables) from None

    async def close(self) -> None:
        """Give back connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _opened(self, sdk: Any) -> Any:
        if self._client is None:
            http_client = sdk.DefaultAsyncHttpxClient(
                # What runs on this machine is not reached through a proxy, and what is guarded is reached by address.
                trust_env=self._guard is None and not is_loopback(self._base_url),
                transport=self._transport(),
                # Where a redirect leads nobody has allowed, and a key would go along.
                follow_redirects=False,
                event_hooks={"response": [_shorten_errors]},
            )
            self._client = getattr(sdk, self._class)(
                api_key=self._api_key, base_url=self._base_url, max_retries=0, http_client=http_client
            )
        return self._client

    def _transport(self) -> httpx2.AsyncBaseTransport | None:
        if self._guard is None:
            return None
        from services.outbound.transport import GuardedTransport

        return GuardedTransport(self._guard)

    def _fail(self, sdk: Any, error: Any, model: str, pulse: "_Pulse") -> NoReturn:
        """Raise what `error` means, not chained to it: what a provider says may repeat the key."""
        cause = error.__cause__ if isinstance(error, sdk.APIConnectionError) and error.__cause__ else error
        if isinstance(cause, Refused):
            raise failures.not_allowed(model, self.variables, str(cause)) from None
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol | Unanswered):
            raise failures.unreachable(model, self.variables, self._named(cause)) from None
        if isinstance(error, TimeoutError | httpx2.TimeoutException | sdk.APITimeoutError):
            raise pulse.failure(model) from None
        if isinstance(error, sdk.APIStatusError):
            raise failures.failure_of_status(
                error.status_code,
                failures.shown(self._detail_of(error), secret=self._api_key),
                error.response.headers,
                model=model,
                variables=self.variables,
            ) from None
        raise failures.broken_off(model, self.variables, self._named(cause)) from None

    def _named(self, cause: Exception) -> str:
        """What `cause` says, or what it is: many errors of connections say nothing."""
        return failures.shown(str(cause), secret=self._api_key) or type(cause).__name__


class _Pulse:
    """How long a call may still take: `seconds` in all, and `idle_seconds` from one piece of its answer to the next."""

    bound: asyncio.Timeout

    def __init__(self, seconds: float, idle_seconds: float) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._ends_at = asyncio.get_running_loop().time() + seconds

    def beat(self) -> None:
        """A piece came."""
        self.bound.reschedule(min(self._ends_at, asyncio.get_running_loop().time() + self._idle_seconds))

    def failure(self, model: str) -> Failed:
        """What running out of time is called."""
        if asyncio.get_running_loop().time() < self._ends_at:
            return failures.fell_silent(model, self._idle_seconds)
        return failures.timed_out(model, self._seconds)


async def _events(chunks: AsyncIterator[bytes], take: Take, pulse: _Pulse) -> None:
    events, size = Events(MAX_ANSWER_BYTES), 0
    async for chunk in chunks:
        pulse.beat()
        size += len(chunk)
        if size > MAX_STREAM_BYTES:
            raise TooLong
        for event in events.feed(chunk):
            if take(event):
                with suppress(TimeoutError, httpx2.HTTPError):
                    async with asyncio.timeout(_DRAIN_SECONDS):
                        async for _ in chunks:
                            pass
                return


async def _body(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise TooLong
    return bytes(body)


async def _shorten_errors(response: httpx2.Response) -> None:
    """Let the SDK read no more of an error than is shown; its status and headers count however its body ends."""
    if response.status_code >= 300 and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Beginning(response.stream)


class _Beginning(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _MAX_ERROR_BYTES
        with suppress(httpx2.HTTPError):
            async for chunk in self._stream:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

    async def aclose(self) -> None:
        await self._stream.aclose()
