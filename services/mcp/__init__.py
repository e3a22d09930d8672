"""MCP servers as sources of tools: each tool is called only as long as it is what a person has approved.

* `said.py`        what a server says of its tools, and the digest of that
* `records.py`     what callers see; `rows.py` what stands in the database; `keeping.py` what callers do
* `sources.py`     the servers of this process, and their tools in the registry
* `connection.py`  a connection to one, over `programs.py` (stdio) or `endpoints.py` (HTTP)
"""

from services.mcp.commands import McpCommand, McpCommands
from services.mcp.keeping import approve, create, delete, get, list_, refresh
from services.mcp.records import (
    Approval,
    CommandName,
    SourceName,
    SourceTool,
    TimeoutMs,
    ToolSource,
    Url,
)  # fmt: skip
from services.mcp.sources import Sources, use

__all__ = [
    "Approval", "CommandName", "McpCommand", "McpCommands", "SourceName", "SourceTool", "Sources", "TimeoutMs",
    "ToolSource", "Url", "approve", "create", "delete", "get", "list_", "refresh", "use",
]  # fmt: skip
