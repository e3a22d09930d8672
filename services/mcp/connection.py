"""A connection to an MCP server: opened when it is first needed, and anew after it has ended.

One task holds it open, because what the SDK opens in a task has to be closed in the same one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from typing import Any

from services import background
from services.json import Json, JsonObject
from services.mcp.said import Said, usable

MAX_PAGES = 50

_log = logging.getLogger(__name__)

Transport = Callable[[], AbstractAsyncContextManager[Any]]


class Unreachable(Exception):
    """The server does not answer as one should; the message says how. Another try may go better."""


class Refused(Exception):
    """The server answers that it does not do it."""


class Connection:
    """To one server. Any number of calls may be under way at once."""

    def __init__(self, name: str, transport: Transport, *, seconds: float, opening_seconds: float) -> None:
        self._name = name
        self._transport = transport
        self._seconds = seconds
        self._opening_seconds = opening_seconds
        self._opening = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._client: Any = None

    async def listed(self) -> tuple[Mapping[str, Said], list[str]]:
        """What the server says of its tools at this moment, by name, and which of them cannot be offered and why.

        Raises:
            Unreachable: it does not answer.
        """
        # A connection that has ended since it was last used tells so only now.
        was_open = self._client is not None
        try:
            return await self._listed()
        except Unreachable:
            if not was_open:
                raise
        return await self._listed()

    async def call(self, tool: str, arguments: JsonObject) -> Json:
        """The result of a call; what is no text or JSON is only named.

        Raises:
            Refused: the tool says that it did not work, or the server that it does not do this.
            Unreachable: the server does not answer in time, or has ended; nobody knows what became of the call.
        """
        client = await self._opened()
        try:
            result = await self._in_time(client.call_tool(tool, arguments))
        except Unreachable:
            if self._holder is None or self._holder.done():
                await self.close()
            raise
        value = _value(result)
        if result.is_error:
            raise Refused(value if isinstance(value, str) else "it says that it did not work, and not why")
        return value

    async def close(self) -> None:
        """End the connection, and the program at its other end; the next use opens it anew."""
        holder, self._holder, self._client = self._holder, None, None
        if holder is not None:
            await background.end(holder)

    async def _listed(self) -> tuple[Mapping[str, Said], list[str]]:
        try:
            return await self._in_time(_listed(await self._opened()))
        except Unreachable:
            await self.close()
            raise
        except Refused as error:
            await self.close()
            raise Unreachable(f"it does not list its tools: {error}") from None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is not None and self._holder is not None and not self._holder.done():
                return self._client
            await self.close()
            opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            # Whoever happens to need it first acts for somebody; the connection is everybody's.
            self._holder = asyncio.create_task(self._hold(opened), name=f"MCP {self._name}", context=Context())
            try:
                async with asyncio.timeout(self._opening_seconds):
                    self._client = await opened
            except TimeoutError:
                await self.close()
                raise Unreachable(f"it was not there within {self._opening_seconds:g} seconds") from None
            except BaseException:
                await self.close()
                raise
            return self._client

    async def _hold(self, opened: asyncio.Future[Any]) -> None:
        from mcp import Client
        from mcp_types import Implementation

        try:
            # Without a cache: what the server says may stand for later is not what it says now.
            client_info = Implementation(name="rolecall", version="1")
            async with Client(self._transport(), cache=None, client_info=client_info) as client:
                if not opened.done():
                    opened.set_result(client)
                await asyncio.get_running_loop().create_future()
        except Exception as error:
            if opened.done():
                _log.info("the connection to the MCP server %s has ended: %s", self._name, reason_of(error))
            else:
                opened.set_exception(Unreachable(reason_of(error)))

    async def _in_time(self, answer: Any) -> Any:
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        try:
            async with asyncio.timeout(self._seconds):
                return await answer
        except TimeoutError:
            raise Unreachable(f"it did not answer within {self._seconds:g} seconds") from None
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                await self.close()
            if error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
                raise Unreachable(f"the connection has ended: {error.message[:500]}") from None
            raise Refused(error.message[:2_000]) from None
        except Exception as error:
            raise Unreachable(f"it answers what MCP does not allow: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """What went wrong, in a line: of several errors, the first that says something."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = " ".join(str(getattr(error, "strerror", None) or error).split())
    return (said or type(error).__name__)[:500]


async def _listed(client: Any) -> tuple[dict[str, Said], list[str]]:
    tools, cursor = [], None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return usable(tools)
    found, problems = usable(tools)
    return found, [*problems, f"more than {MAX_PAGES} pages of tools are not read"]


def _value(result: Any) -> Json:
    """A result as JSON: what is structured, or its text, or its parts."""
    if result.structured_content is not None and not result.is_error:
        return result.structured_content
    parts = [_part(part) for part in result.content]
    if all(isinstance(part, str) for part in parts):
        return "\n".join(str(part) for part in parts)
    return parts


def _part(part: Any) -> Json:
    if part.type == "text":
        return part.text
    if part.type in ("image", "audio"):
        return {"type": part.type, "mimeType": part.mime_type, "bytes": len(part.data) * 3 // 4}
    if part.type == "resource" and hasattr(part.resource, "text"):
        return part.resource.text
    link = part.resource if part.type == "resource" else part
    return {"type": part.type, "uri": str(link.uri)}
