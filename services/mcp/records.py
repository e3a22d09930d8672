"""What callers see of MCP servers and their tools."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from services.definitions.effects import Security, ToolEffect
from services.json import JsonObject
from services.mcp.said import Said

SourceName = Annotated[
    str,
    msgspec.Meta(
        pattern="^[a-z][a-z0-9_-]{0,39}$", description="Small letters, digits, _ and -, up to 40, a letter first."
    ),
]
CommandName = Annotated[
    str,
    msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The name of one in ROLECALL_MCP_COMMANDS."),
]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
TimeoutMs = Annotated[int, msgspec.Meta(ge=100, le=600_000)]
Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$", description="As `toolSource.get` shows it.")]
Transport = Literal["stdio", "http"]
# new: nobody has looked at it; changed: it is not what was approved; gone: its server lists it no more.
ToolStatus = Literal["new", "approved", "changed", "gone"]


class SourceTool(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an MCP server says of a tool: all of it the server's own words. `digest` is that of these words, and null
    when the server lists the tool no more. Only what is `approved` is called, and its description shown to models.

    `effect` and `security` are what an admin has said, and not what `annotations` hint at.
    """

    name: str
    status: ToolStatus
    description: str
    input_schema: JsonObject
    annotations: JsonObject
    digest: str | None
    approved_digest: str | None
    approved_by: str | None
    approved_at: datetime | None
    effect: ToolEffect
    security: Security

    @property
    def said(self) -> Said:
        """What the server says of it, as far as the row tells."""
        return Said(
            name=self.name,
            description=self.description,
            input_schema=self.input_schema,
            annotations=self.annotations,
        )


class ToolSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An MCP server that tools come from: a `command` over `stdio`, or a `url` over `http` with secrets as `headers`.

    `listedAt` is when its tools were last asked for, and null when that is about to be done; `problem` is why they
    could not be listed, or which of them were left out.
    """

    id: UUID
    name: str
    description: str
    transport: Transport
    command: str | None
    url: str | None
    headers: dict[str, str]
    timeout_ms: int
    is_active: bool
    listed_at: datetime | None
    problem: str | None
    created_by: str
    created_at: datetime
    tools: tuple[SourceTool, ...] = ()

    @property
    def address(self) -> tuple[object, ...]:
        """What a connection to it is made of: with another one it is another connection."""
        return (self.transport, self.command, self.url, tuple(sorted(self.headers.items())), self.timeout_ms)


class Approval(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """That a tool may be called as long as it is what this digest is of; `effect` and `security` stay when left out."""

    name: str
    digest: Digest
    effect: ToolEffect | msgspec.UnsetType = msgspec.UNSET
    security: Security | msgspec.UnsetType = msgspec.UNSET
