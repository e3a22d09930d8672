"""toolSource.*: MCP servers that tools come from."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import mcp
from services.definitions.document import Name, Text
from services.listing import Limit
from services.mcp import Approval, CommandName, SourceName, TimeoutMs, ToolSource, Url

SourceReference = Annotated[str, Meta(min_length=1, max_length=100, description="A source's name or id.")]
Approvals = Annotated[tuple[Approval, ...], Meta(max_length=500)]
_DIGEST = "sha256:" + "a" * 64


@query(meta=Needs("tools.read"))
async def list_(ctx: Context, *, limit: Limit = 100, after: SourceName | None = None) -> list[ToolSource]:
    """MCP servers by name, each with what it says of its tools and which of them are approved. `after` goes on behind a
    name. Needs tools.read.
    """
    return await mcp.list_(ctx.caller, limit=limit, after=after)


@query(meta=Needs("tools.read"), examples=[Example(summary="By its name.", input={"source": "weather"})])
async def get(ctx: Context, *, source: SourceReference) -> ToolSource:
    """The MCP server of that name or id, with what it says of its tools and which of them are approved. NOT_FOUND when
    there is none. Needs tools.read.
    """
    return await mcp.get(ctx.caller, source=source)


@mutation(
    meta=Needs("tools.write"),
    examples=[
        Example(
            summary="A server somewhere else, which wants a key.",
            input={
                "name": "tickets",
                "url": "https://mcp.example.com/mcp",
                "headers": {"Authorization": "Tickets key"},
            },
        ),
        Example(summary="A program that this server starts.", input={"name": "weather-here", "command": "weather"}),
    ],
)
async def create(
    ctx: Context,
    *,
    name: SourceName,
    command: CommandName | None = None,
    url: Url | None = None,
    headers: dict[str, Name] = {},  # noqa: B006 never changed
    description: Text = "",
    timeout_ms: TimeoutMs = 30_000,
) -> ToolSource:
    """A new source of tools: an MCP server at `url`, to which `headers` are sent that have the values of secrets, or
    the program that the operator calls `command`. Its tools are listed soon, and called once they are
    approved. CONFLICT when the name is taken or begins the names of other tools; BAD_REQUEST with `problems` when it is
    neither or both. Needs tools.write.
    """
    return await mcp.create(
        ctx.caller,
        name=name,
        command=command,
        url=url,
        headers=headers,
        description=description,
        timeout_ms=timeout_ms,
    )


@mutation(meta=Needs("tools.write"), examples=[Example(summary="By its name.", input={"source": "weather"})])
async def refresh(ctx: Context, *, source: SourceReference) -> ToolSource:
    """The source with the tools that its server lists now; `problem` says why it lists none, or not all. What is
    not as it was approved is not called any more. NOT_FOUND when there is none; CONFLICT when it is switched off. Needs
    tools.write.
    """
    return await mcp.refresh(ctx.caller, source=source)


@mutation(
    meta=Needs("tools.write"),
    examples=[
        Example(
            summary="One that only reads.",
            input={
                "source": "weather",
                "tools": [{"name": "now", "digest": _DIGEST, "effect": "read", "security": "low"}],
            },
        )
    ],
)
async def approve(ctx: Context, *, source: SourceReference, tools: Approvals) -> ToolSource:
    """The source, these of its tools approved: each may be called, and its description shown to models, as long as its
    server says of it what the `digest` is of. For people, who have read that. NOT_FOUND when there is no such source or
    tool; CONFLICT when the server says something else of a tool by now. Needs tools.write.
    """
    return await mcp.approve(ctx.caller, source=source, tools=tools)


@mutation(meta=Needs("tools.write"), examples=[Example(summary="By its name.", input={"source": "weather"})])
async def delete(ctx: Context, *, source: SourceReference) -> ToolSource:
    """The source, which is gone now with its tools; roles that list them have a problem each. NOT_FOUND when there is
    none. Needs tools.write.
    """
    return await mcp.delete(ctx.caller, source=source)
