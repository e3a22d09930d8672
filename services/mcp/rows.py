"""MCP servers and their tools as rows."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from services import connections
from services.json import JsonObject, Unreadable, read
from services.mcp.records import SourceTool, ToolSource, ToolStatus
from services.mcp.said import Said

_SOURCE = ", ".join(name for name in ToolSource.__struct_fields__ if name != "tools")
_TOOL = ", ".join(name for name in SourceTool.__struct_fields__ if name != "status")


async def sources(where: str = "true", *values: object) -> list[ToolSource]:
    """The sources that fulfil `where`, by name, each with its tools."""
    database = connections.database()
    rows = await database.fetch(f"SELECT {_SOURCE} FROM mcp_source WHERE {where} ORDER BY name", *values)  # noqa: S608
    ids = [row["id"] for row in rows]
    query = f"SELECT source_id, {_TOOL} FROM mcp_tool WHERE source_id = ANY($1) ORDER BY name"  # noqa: S608 names of ours
    tools: dict[UUID, list[SourceTool]] = {id: [] for id in ids}
    for row in await database.fetch(query, ids) if ids else ():
        tools[row["source_id"]].append(_tool(row))
    return [_source(row, tools[row["id"]]) for row in rows]


async def put_down(id: UUID, listed: Mapping[str, Said] | None, problem: str | None) -> None:
    """Keep what the server of a source says of its tools; None when it says nothing. What was approved and is not
    listed any more stays, as gone.
    """
    database = connections.database()
    async with database.transaction():
        if not await database.fetch("SELECT FROM mcp_source WHERE id = $1 FOR NO KEY UPDATE", id):
            return
        if listed is not None:
            await _put_down_tools(id, listed)
        await database.fetch(
            "UPDATE mcp_source SET listed_at = clock_timestamp(), problem = $2 WHERE id = $1 RETURNING id",
            id,
            None if problem is None else problem.replace("\0", "")[:10_000],
        )


async def _put_down_tools(id: UUID, listed: Mapping[str, Said]) -> None:
    fetch = connections.database().fetch
    known = {
        row["name"]: row["digest"] for row in await fetch("SELECT name, digest FROM mcp_tool WHERE source_id = $1", id)
    }
    for name, said in listed.items():
        values = (id, name, said.description, _text(said.input_schema), _text(said.annotations), said.digest)
        if name not in known:
            await fetch(
                "INSERT INTO mcp_tool (source_id, name, description, input_schema, annotations, digest)"
                " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                *values,
            )
        elif known[name] != said.digest:
            await fetch(
                "UPDATE mcp_tool SET description = $3, input_schema = $4, annotations = $5, digest = $6"
                " WHERE source_id = $1 AND name = $2 RETURNING id",
                *values,
            )
    await _put_down_gone(id, [name for name in known if name not in listed])


async def _put_down_gone(id: UUID, names: Collection[str]) -> None:
    fetch = connections.database().fetch
    await fetch(
        "DELETE FROM mcp_tool WHERE source_id = $1 AND name = ANY($2) AND approved_digest IS NULL RETURNING id",
        id,
        names,
    )
    await fetch(
        "UPDATE mcp_tool SET digest = NULL WHERE source_id = $1 AND name = ANY($2) AND digest IS NOT NULL RETURNING id",
        id,
        names,
    )


def _source(row: Record, tools: list[SourceTool]) -> ToolSource:
    values = {**row, "headers": _object(row["headers"])}
    headers = {name: secret for name, secret in values.pop("headers").items() if isinstance(secret, str)}
    return ToolSource(**values, headers=headers, tools=tuple(tools))


def _tool(row: Record) -> SourceTool:
    values: dict[str, Any] = {name: row[name] for name in SourceTool.__struct_fields__ if name != "status"}
    values["input_schema"], values["annotations"] = _object(row["input_schema"]), _object(row["annotations"])
    found = SourceTool(**values, status="new")
    return msgspec.structs.replace(found, status=_status(found))


def _status(tool: SourceTool) -> ToolStatus:
    if tool.approved_digest is None:
        return "new"
    if tool.digest is None:
        return "gone"
    # Of what stands in the row, and not only of what somebody has written as its digest.
    return "approved" if tool.approved_digest == tool.digest == tool.said.digest else "changed"


def _object(text: str) -> JsonObject:
    try:
        value = read(text)
    except Unreadable:
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: JsonObject) -> str:
    return msgspec.json.encode(value).decode()
