"""An MCP server somewhere else, over HTTP: asked within the guard, its answers bounded."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from services.mcp.programs import MAX_MESSAGE_BYTES
from services.outbound import Guard

_SECONDS = 30.0
# A stream may be silent for as long as a tool works.
_SILENT_SECONDS = 600.0


@asynccontextmanager
async def asking(url: str, headers: Mapping[str, str], guard: Guard) -> AsyncIterator[Any]:
    """The streams of messages from and to the server at `url`, as `mcp.Client` takes them.

    Raises:
        OutboundError: it is not to be asked, or there is no such host.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    from services.mcp.bounded import Bounded
    from services.outbound.transport import GuardedTransport
    from services.outbound.urls import target_of

    target = target_of(url)
    # Asked for here as well, so that a refusal is told as what it is and not as a connection that was lost.
    await guard.addresses(target.host, target.port)
    async with (
        httpx2.AsyncClient(
            transport=Bounded(GuardedTransport(guard), MAX_MESSAGE_BYTES),
            headers={**headers, "accept-encoding": "identity"},
            timeout=httpx2.Timeout(_SECONDS, read=_SILENT_SECONDS),
            trust_env=False,
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES) as streams,
    ):
        yield streams
