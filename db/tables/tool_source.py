"""Tools of others: MCP servers, and what they say of their tools."""

from enum import StrEnum

from piccolo.columns import JSONB, UUID, Boolean, ForeignKey, Integer, OnDelete, Text, Timestamptz, Varchar
from piccolo.columns.readable import Readable
from piccolo.table import Table
from uuid_utils.compat import uuid7


class Transport(StrEnum):
    """How an MCP server is spoken to."""

    stdio = "stdio"
    http = "http"


class McpSource(Table, tablename="mcp_source"):
    """An MCP server that tools come from. A server that runs lists its tools whenever `listed_at` is null."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=40, null=False, default=None, unique=True, help_text="The first part of its tools' names.")
    description = Text(null=False, default="")
    transport = Varchar(length=None, null=False, default=None, choices=Transport)
    command = Varchar(length=100, null=True, default=None, help_text="By its name in ROLECALL_MCP_COMMANDS.")
    url = Text(null=True, default=None)
    headers = JSONB(null=False, default="{}", help_text="Sent with each request: the secrets' names, by header.")
    timeout_ms = Integer(null=False, default=30_000)
    is_active = Boolean(null=False, default=True)
    listed_at = Timestamptz(null=True, default=None, help_text="Null asks for its tools to be listed.")
    problem = Text(null=True, default=None, help_text="Why they could not be listed, or not all of them.")
    created_by = Text(null=False, default=None)
    created_at = Timestamptz(null=False)

    @classmethod
    def get_readable(cls) -> Readable:
        return Readable(template="%s", columns=[cls.name])


class McpTool(Table, tablename="mcp_tool"):
    """What an MCP server says of a tool, and whether somebody has approved that."""

    id = UUID(primary_key=True, default=uuid7)
    source_id = ForeignKey(McpSource, null=False, default=None, on_delete=OnDelete.cascade)
    name = Varchar(length=128, null=False, default=None, help_text="As its server calls it.")
    description = Text(null=False, default=None)
    input_schema = JSONB(null=False, default=None)
    annotations = JSONB(null=False, default="{}", help_text="Hints of the server, which nobody has to believe.")
    digest = Varchar(length=None, null=True, default=None, help_text="Of what the server says now; null if nothing.")
    approved_digest = Varchar(length=None, null=True, default=None, help_text="Set to the digest to approve it.")
    approved_by = Text(null=True, default=None, help_text="Written by the database.")
    approved_at = Timestamptz(null=True, default=None, help_text="Written by the database.")
    effect = Varchar(length=None, null=False, default="external", help_text="none, read, write or external.")
    security = Varchar(length=None, null=False, default="high", help_text="low, medium, high or critical.")
    created_at = Timestamptz(null=False)
