"""An MCP server, made with the SDK's: over stdio as a program, or over HTTP within the tests.

What it says of its tools stands in a file that the tests change, and what it is asked it writes into another one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

TOOLS: list[dict[str, Any]] = [
    {
        "name": "now",
        "description": "Says the weather.",
        "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "annotations": {"readOnlyHint": True},
    },
    *[
        {"name": name, "description": f"Does what {name} says.", "inputSchema": {"type": "object"}}
        for name in ("fail", "crash", "hang", "large", "picture", "structured")
    ],
]


def server_of(folder: Path) -> Server:
    """The server whose files are in `folder`: `tools.json` to be listed, `asked.txt` to be written."""

    def asked(what: str) -> None:
        with (folder / "asked.txt").open("a") as file:
            file.write(f"{what}\n")

    async def list_tools(_context: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        asked("list")
        tools = [types.Tool.model_validate(tool) for tool in json.loads((folder / "tools.json").read_text())]
        # Two pages; and a promise that nobody is to believe.
        if params is None or params.cursor is None:
            return types.ListToolsResult(tools=tools[:2], next_cursor="2", ttl_ms=3_600_000)
        return types.ListToolsResult(tools=tools[2:], ttl_ms=3_600_000)

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        asked(f"call {params.name} {json.dumps(params.arguments)}")
        return await _result(params.name, params.arguments or {})

    return Server("weather", on_list_tools=list_tools, on_call_tool=call_tool)


async def _result(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    match name:
        case "fail":
            return _said("there is no such city", is_error=True)
        case "crash":
            os._exit(3)
        case "hang":
            await asyncio.get_running_loop().create_future()
        case "large":
            return _said("x" * int(arguments["characters"]))
        case "picture":
            image = types.ImageContent(type="image", data="AAAA", mime_type="image/png")
            return types.CallToolResult(content=[types.TextContent(type="text", text="Here:"), image])
        case "structured":
            return types.CallToolResult(content=[], structured_content={"degrees": 21.5})
    return _said(f"Sunny in {arguments['city']}.")


def _said(text: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


async def main(folder: Path) -> None:
    """Serve over stdio; with a companion that would stay behind."""
    companion = await asyncio.create_subprocess_exec("sleep", "1000")
    (folder / "processes.txt").write_text(f"{os.getpid()} {companion.pid}")
    (folder / "environment.txt").write_text(json.dumps(dict(os.environ)))
    server = server_of(folder)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
