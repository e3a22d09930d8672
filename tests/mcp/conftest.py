"""A source of tools, over stdio and over HTTP, in a process of ours."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from db.connection import Database
from services import connections, mcp
from services.caller import OPERATOR
from services.mcp import Approval, McpCommand, Sources, ToolSource
from services.outbound import Guard
from services.outbound.allowed import allowed
from services.tools import registry
from tests.mcp.server import TOOLS, server_of


@dataclass
class Weather:
    """The source `weather` of this process, and what its server's folder says."""

    folder: Path
    sources: Sources
    address: dict[str, Any] = field(default_factory=dict)

    def says(self, *tools: dict[str, Any]) -> None:
        """Let the server say this of its tools from now on."""
        (self.folder / "tools.json").write_text(json.dumps(tools))

    def says_of_now(self, **changes: Any) -> None:
        """Let the server say something else of `now`, and the same of the others."""
        self.says({**TOOLS[0], **changes}, *TOOLS[1:])

    @property
    def asked(self) -> list[str]:
        """What the server was asked, so far."""
        path = self.folder / "asked.txt"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def calls(self) -> list[str]:
        return [asked for asked in self.asked if asked != "list"]

    async def made(self) -> ToolSource:
        """The source, made and listed, none of its tools approved."""
        await mcp.create(OPERATOR, name="weather", timeout_ms=5_000, **self.address)
        return await mcp.refresh(OPERATOR, source="weather")

    async def approved(self, *names: str) -> ToolSource:
        """The source, made and listed, these tools of it approved, or all of them."""
        source = await self.made()
        approvals = [
            Approval(name=tool.name, digest=tool.digest or "")
            for tool in source.tools
            if not names or tool.name in names
        ]
        return await mcp.approve(OPERATOR, source="weather", tools=approvals)


@pytest.fixture
def weather_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weather"
    folder.mkdir()
    (folder / "tools.json").write_text(json.dumps(TOOLS))
    return folder


@pytest.fixture(params=["stdio", "http"])
async def weather(
    database: Database, weather_folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Weather]:
    """The source, over each of the two transports."""
    monkeypatch.setattr(registry, "_tools", {})
    monkeypatch.setattr(registry, "_sourced", set())
    connections.use(database, None)
    async with serving(weather_folder) as url, sources_of(weather_folder, url) as sources:
        address = {"command": "weather"} if request.param == "stdio" else {"url": f"{url}/mcp"}
        yield Weather(weather_folder, sources, address)
    connections.use(None, None)


@asynccontextmanager
async def sources_of(
    folder: Path, url: str, opening_seconds: float = 30.0, **commands: McpCommand
) -> AsyncIterator[Sources]:
    """The sources of a process that may start the server's program, and ask its URL."""
    program = McpCommand(run=(sys.executable, "-m", "tests.mcp.server", str(folder)), environment=("PLANTED_KEY",))
    guard = Guard(allowed((url.removeprefix("http://"),)))
    sources = Sources({"weather": program, **commands}, guard, opening_seconds=opening_seconds)
    mcp.use(sources)
    try:
        yield sources
    finally:
        mcp.use(None)
        await sources.close()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """The server over HTTP, at this URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(server_of(folder).streamable_http_app(), log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    """`await until(is_so)`: once it is so."""

    async def wait(is_so: Callable[[], bool]) -> None:
        await asyncio.to_thread(_wait, is_so)

    return wait


def _wait(is_so: Callable[[], bool]) -> None:
    while not is_so():
        pass
