"""The MCP servers of this process: what rows say of them, the tools they bring, and a connection to each in use."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from services import background
from services.errors import Invalid
from services.json import Json, JsonObject
from services.mcp import endpoints, programs, rows
from services.mcp.commands import McpCommand
from services.mcp.connection import Connection, Refused, Unreachable
from services.mcp.records import SourceTool, ToolSource
from services.mcp.said import Said
from services.outbound import Guard
from services.row_watch import RowWatch
from services.secrets import opened
from services.secrets.keyring import Unreadable
from services.tools import registry
from services.tools.tool import Tool, ToolContext, ToolError

POLL_SECONDS = 5.0
# A program is loaded first, and some fetch themselves from afar.
OPENING_SECONDS = 20.0
MAX_RESULT_BYTES = 256 * 1024
_CHANGED = "Not to be called: what its server says of it is not what was approved."

_log = logging.getLogger(__name__)


class Sources:
    """Keeps the tools from sources in the registry as the rows are, and lists those whose rows ask for it.

    `commands` are those that rows may name; `guard` says where servers may be.
    """

    def __init__(
        self,
        commands: Mapping[str, McpCommand],
        guard: Guard,
        *,
        poll_seconds: float = POLL_SECONDS,
        opening_seconds: float = OPENING_SECONDS,
    ) -> None:
        self._commands = commands
        self._guard = guard
        self._opening_seconds = opening_seconds
        self._found: list[ToolSource] = []
        self._connections: dict[UUID, tuple[object, Connection]] = {}
        self._listings: dict[UUID, asyncio.Task[None]] = {}
        self._told: set[str] = set()
        self._watch = RowWatch("tool sources", self.refresh, poll_seconds=poll_seconds)
        self._looking = asyncio.Lock()

    def wake(self) -> None:
        """Look at once."""
        self._watch.wake()

    async def refresh(self) -> None:
        """Look now; afterwards the registry has the tools that rows say are approved."""
        async with self._looking:
            found = [source for source in await rows.sources() if source.is_active]
            if found != self._found:
                self._found = found
                await self._close_but({source.id: source.address for source in found})
                self._offer([tool for source in found for tool in self._tools(source)])
            for source in found:
                if source.listed_at is None and source.id not in self._listings:
                    listing = asyncio.create_task(self.list_tools(source), name=f"MCP tools of {source.name}")
                    self._listings[source.id] = listing
                    listing.add_done_callback(lambda _, id=source.id: self._listings.pop(id, None))

    async def run(self) -> None:
        """Look until cancelled."""
        await self._watch.run()

    async def list_tools(self, source: ToolSource) -> None:
        """Ask a source for its tools, and keep what it says of them in the rows; or why it says nothing."""
        try:
            listed, problems = await self._connection(source).listed()
        except Unreachable as error:
            await rows.put_down(source.id, None, str(error))
            return
        await rows.put_down(source.id, listed, "; ".join(problems) or None)

    async def close(self) -> None:
        """End the connections, and the programs at their other ends; the registry has none of their tools any more."""
        registry.use_sourced()
        self._found = []
        await background.end(*self._listings.values())
        await self._close_but({})

    def _tools(self, source: ToolSource) -> list[Tool]:
        return [made for tool in source.tools if tool.status != "new" and (made := self._tool(source, tool))]

    def _tool(self, source: ToolSource, tool: SourceTool) -> Tool | None:
        async def call(_context: ToolContext, arguments: JsonObject) -> Json:
            return await self._call(source, tool, arguments)

        is_approved = tool.status == "approved"
        try:
            return Tool(
                name=f"{source.name}.{tool.name}",
                description=tool.description if is_approved else _CHANGED,
                input_schema=tool.input_schema if is_approved else {"type": "object"},
                call=call,
                effect=tool.effect,
                security=tool.security,
                source=f"mcp:{source.name}",
            )
        except Invalid as error:
            self._tell(str(error))
            return None

    def _offer(self, tools: list[Tool]) -> None:
        for name in registry.use_sourced(*tools):
            self._tell(f"the tool {name} of an MCP server is not offered: another one has that name")

    def _tell(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            _log.warning("a row of a tool source is of no use: %s", problem)

    async def _call(self, source: ToolSource, tool: SourceTool, arguments: JsonObject) -> Json:
        """The result of a call of a tool that is, at this moment, what was approved."""
        changed = f"TOOL_CHANGED: what the server of {source.name} says of {tool.name} is not what was approved"
        if tool.status != "approved":
            raise ToolError(f"{changed}; somebody has to look at it and approve it", is_final=True)
        try:
            connection = self._connection(source)
            listed, problems = await connection.listed()
            present = listed.get(tool.name)
            if present is None or present.digest != tool.approved_digest:
                await self._keep_change(source, listed, problems)
                raise ToolError(f"{changed} any more; somebody has to look at it and approve it", is_final=True)
            return _bounded(await connection.call(tool.name, arguments))
        except Unreachable as error:
            raise ToolError(f"the MCP server {source.name} cannot be used: {error}") from None
        except Refused as error:
            raise ToolError(f"{source.name}.{tool.name} says: {error}") from None

    async def _keep_change(self, source: ToolSource, listed: Mapping[str, Said], problems: list[str]) -> None:
        _log.warning("a tool of the MCP server %s is not what was approved, and is not called", source.name)
        try:
            # An agent may have called, who writes no such rows; it is the server who has found this out.
            kept = rows.put_down(source.id, listed, "; ".join(problems) or None)
            await asyncio.create_task(kept, context=Context())
        except Exception as error:
            # The call is refused all the same, and so is the next one.
            _log.error("the change of a tool of %s could not be kept", source.name, exc_info=error)
        self.wake()

    def _connection(self, source: ToolSource) -> Connection:
        """The connection to a source that is, by its row, still the one it was when this call began."""
        if (source.id, source.address) not in ((found.id, found.address) for found in self._found):
            raise Unreachable("its row is another one by now, or gone")
        _, connection = self._connections.get(source.id, (None, None))
        if connection is None:
            connection = Connection(
                source.name,
                lambda: self._transport(source),
                seconds=source.timeout_ms / 1000,
                opening_seconds=self._opening_seconds,
            )
            self._connections[source.id] = (source.address, connection)
        return connection

    @asynccontextmanager
    async def _transport(self, source: ToolSource) -> AsyncIterator[Any]:
        if source.transport == "http" and source.url is not None:
            headers = await _headers(source, source.url)
            async with endpoints.asking(source.url, headers, self._guard) as streams:
                yield streams
            return
        command = self._commands.get(source.command or "")
        if command is None:
            allowed = ", ".join(sorted(self._commands)) or "none"
            raise Unreachable(f"ROLECALL_MCP_COMMANDS of this server has no {source.command!r}; it has {allowed}")
        async with programs.speaking(source.name, command) as streams:
            yield streams

    async def _close_but(self, addresses: Mapping[UUID, object]) -> None:
        for id, (address, connection) in list(self._connections.items()):
            if addresses.get(id) != address:
                self._connections.pop(id, None)
                await connection.close()


async def _headers(source: ToolSource, url: str) -> dict[str, str]:
    found = await opened(set(source.headers.values()))
    headers = {}
    for header, name in source.headers.items():
        if name not in found:
            raise Unreachable(f"there is no secret {name!r}, which the header {header} is to have")
        try:
            headers[header] = found[name].for_url(url).reveal()
        except Unreadable as error:
            raise Unreachable(f"the secret {name!r} cannot be sent: {error}") from None
    return headers


def _bounded(value: Json) -> Json:
    size = len(msgspec.json.encode(value))
    if size > MAX_RESULT_BYTES:
        raise ToolError(
            f"the result has {size:,} bytes; up to {MAX_RESULT_BYTES:,} are given back: ask for less", is_final=True
        )
    return value


@dataclass(slots=True)
class _Process:
    sources: Sources | None = None


_process = _Process()


def use(sources: Sources | None) -> None:
    """Let the services of this process ask sources by `sources`; None when it is closed."""
    _process.sources = sources


def current() -> Sources | None:
    """The sources of this process; None where nobody asks them."""
    return _process.sources
