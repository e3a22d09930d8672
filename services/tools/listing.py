"""The tools of this process, told to who may see roles: what each does, takes, and how far it reaches."""

import msgspec

from services.caller import Caller
from services.definitions.effects import Security, ToolEffect
from services.errors import NotFound
from services.expressions.errors import suggestion
from services.json import JsonObject
from services.tools import registry
from services.tools.tool import Tool


class ToolSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool. `effect` is how far its calls reach, `security` how much harm they can do; with `mayBeRepeated` a call
    whose result was lost is safely made again. `tags` are the names by which alone a role gets it; without any it is
    its own, or a pattern. `source` is where it is from: built-in, or a plugin and its version.
    """

    name: str
    description: str
    effect: ToolEffect
    security: Security
    may_be_repeated: bool
    tags: tuple[str, ...]
    source: str


class ToolDetail(ToolSummary, frozen=True, kw_only=True, rename="camel"):
    """A tool with the JSON Schema of its arguments."""

    input_schema: JsonObject


class ToolPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Tools, by name."""

    items: list[ToolSummary]


async def list_(
    caller: Caller, *, granted_by: tuple[str, ...] | None = None, effect: ToolEffect | None = None
) -> ToolPage:
    """All tools, or those that a role with such names, patterns and tags may call, or of one effect."""
    caller.require("roles.read")
    found = registry.everything() if granted_by is None else registry.granted(granted_by)
    return ToolPage(items=[_summary(tool) for tool in found.values() if effect in (None, tool.effect)])


async def get(caller: Caller, *, tool: str) -> ToolDetail:
    """The tool of that name.

    Raises:
        NotFound: there is none; names the one that was perhaps meant.
    """
    caller.require("roles.read")
    found = registry.find(tool)
    if found is None:
        near = suggestion(tool, sorted(registry.everything()))
        raise NotFound("tool", tool, hint=None if near is None else f"is {near!r} meant?")
    summary = _summary(found)
    return ToolDetail(
        **{name: getattr(summary, name) for name in ToolSummary.__struct_fields__}, input_schema=found.input_schema
    )


def _summary(tool: Tool) -> ToolSummary:
    return ToolSummary(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        security=tool.security,
        may_be_repeated=tool.may_be_repeated,
        tags=tuple(sorted(tool.tags)),
        source=tool.source,
    )
