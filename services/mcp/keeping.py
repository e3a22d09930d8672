"""MCP servers as callers keep them: made, looked at, listed anew, their tools approved."""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context

import msgspec
from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from services import connections, expiry
from services.caller import Caller
from services.errors import Conflict, Invalid, NotFound, Unavailable
from services.listing import Limit, id_in
from services.mcp import rows, sources
from services.mcp.records import Approval, ToolSource
from services.problem import Problem
from services.tools import registry


async def list_(caller: Caller, *, limit: Limit = 100, after: str | None = None) -> list[ToolSource]:
    """Sources by name, those behind the name `after`, each with its tools."""
    caller.require("tools.read")
    where = "name IN (SELECT name FROM mcp_source WHERE name > $1 ORDER BY name LIMIT $2)"
    return await rows.sources(where, after or "", limit)


async def get(caller: Caller, *, source: str) -> ToolSource:
    """The source of that name or id, with its tools.

    Raises:
        NotFound: there is none.
    """
    caller.require("tools.read")
    return await _named(source)


async def create(
    caller: Caller,
    *,
    name: str,
    command: str | None = None,
    url: str | None = None,
    headers: Mapping[str, str] | None = None,
    description: str = "",
    timeout_ms: int = 30_000,
) -> ToolSource:
    """A new source, whose tools a server lists soon; nobody calls one before it is approved.

    Raises:
        Invalid: it has neither a command nor a URL, or both, or headers without a URL.
        Conflict: the name is taken, or is the first part of the names of other tools.
    """
    caller.require("tools.write")
    given = dict(headers or {})
    if (command is None) == (url is None) or (given and url is None):
        problem = Problem(
            code="WRONG_VALUE", path="/url", message="give either `command`, or `url` and maybe `headers`"
        )
        raise Invalid("the source cannot be made", [problem])
    if name in {tool.partition(".")[0] for tool in registry.not_sourced()}:
        raise Conflict("tool source", name, state="begins the names of other tools", allowed="another name")
    insert = (
        "INSERT INTO mcp_source (id, name, description, transport, command, url, headers, timeout_ms, created_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id"
    )
    transport = "stdio" if url is None else "http"
    encoded = msgspec.json.encode(given).decode()
    values = (uuid7(), name, description, transport, command, url, encoded, timeout_ms, caller.name)
    try:
        await connections.database().write(insert, *values)
    except UniqueViolationError:
        raise Conflict("tool source", name, state="exists already", allowed="another name") from None
    return await _named(name)


async def refresh(caller: Caller, *, source: str) -> ToolSource:
    """The source, its tools as its server lists them now; `problem` says why it does not.

    Raises:
        NotFound: there is none.
        Conflict: it is switched off.
        Unavailable: this process does not ask sources.
    """
    caller.require("tools.write")
    found, asked = await _named(source), sources.current()
    if asked is None:
        raise Unavailable("no tool sources are asked here")
    if not found.is_active:
        raise Conflict("tool source", found.name, state="is switched off", allowed="it to be active")
    # What a server says is put down to the server and not to who asks it.
    await asyncio.create_task(asked.list_tools(found), context=Context())
    await _refresh_registry()
    return await _named(str(found.id))


async def approve(caller: Caller, *, source: str, tools: Sequence[Approval]) -> ToolSource:
    """The source, these tools of it approved as their digests say; together or none of them.

    Raises:
        NotFound: there is no such source, or it has no such tool.
        Forbidden: it is no person who asks.
        Conflict: a tool is not what the digest is of: its server says something else of it by now.
    """
    caller.require("tools.write")
    found = await _named(source)
    expiry.require_person(caller, f"tools of {found.name!r}")
    async with connections.database().transaction():
        for approval in tools:
            await _approve(found, approval)
    await _refresh_registry()
    return await _named(str(found.id))


async def delete(caller: Caller, *, source: str) -> ToolSource:
    """The source, which is gone now, and its tools with it.

    Raises:
        NotFound: there is none.
    """
    caller.require("tools.write")
    found = await _named(source)
    await connections.database().write("DELETE FROM mcp_source WHERE id = $1 RETURNING id", found.id)
    await _refresh_registry()
    return found


async def _approve(source: ToolSource, approval: Approval) -> None:
    fetch = connections.database().fetch
    (row,) = await fetch(
        "SELECT id, digest, effect, security FROM mcp_tool WHERE source_id = $1 AND name = $2 FOR NO KEY UPDATE",
        source.id,
        approval.name,
    ) or (None,)
    if row is None:
        hint = f"`toolSource.get` shows those of {source.name}"
        raise NotFound("tool", approval.name, hint=hint)
    if row["digest"] != approval.digest:
        state = "is not what this digest is of: its server says something else of it by now"
        raise Conflict("tool", approval.name, state=state, allowed="the digest that `toolSource.get` shows")
    effect = row["effect"] if approval.effect is msgspec.UNSET else approval.effect
    security = row["security"] if approval.security is msgspec.UNSET else approval.security
    await fetch(
        "UPDATE mcp_tool SET approved_digest = digest, effect = $2, security = $3 WHERE id = $1 RETURNING id",
        row["id"],
        effect,
        security,
    )


async def _refresh_registry() -> None:
    """Let this process offer what the rows say now, as others will within moments."""
    if (asked := sources.current()) is not None:
        await asyncio.create_task(asked.refresh(), context=Context())


async def _named(source: str) -> ToolSource:
    id = id_in(source)
    where, value = ("name = $1", source) if id is None else ("id = $1", id)
    found = await rows.sources(where, value)
    if not found:
        raise NotFound("tool source", source, hint="`toolSource.list` shows those there are")
    return found[0]
