"""tool.*: what roles and steps can call."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, query
from services.definitions.effects import ToolEffect
from services.roles import ToolName
from services.tools import listing
from services.tools.listing import ToolDetail, ToolPage

Wishes = Annotated[tuple[ToolName, ...], Meta(max_length=200, description="As a role lists its tools.")]


@query(
    meta=Needs("roles.read"),
    examples=[Example(summary="What a role with these tools may call.", input={"grantedBy": ["files.*", "time.now"]})],
)
async def list_(ctx: Context, *, granted_by: Wishes | None = None, effect: ToolEffect | None = None) -> ToolPage:
    """The tools of this server by name: all of them, those that a role with such names, patterns and tags may call, or
    those of an `effect`. Needs roles.read.
    """
    return await listing.list_(ctx.caller, granted_by=granted_by, effect=effect)


@query(meta=Needs("roles.read"), examples=[Example(summary="By its name.", input={"tool": "time.now"})])
async def get(ctx: Context, *, tool: ToolName) -> ToolDetail:
    """The tool of that name with the JSON Schema of its arguments. NOT_FOUND when there is none. Needs roles.read."""
    return await listing.get(ctx.caller, tool=tool)
