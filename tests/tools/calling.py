"""Tools called as roles call them."""

from __future__ import annotations

from typing import Any

from services.caller import OPERATOR
from services.tools.tool import Tool, ToolContext, ToolResult


async def called(tool: Tool, **arguments: Any) -> Any:
    """What the tool gives back."""
    return (await _result(tool, arguments)).unwrapped()


async def refused(tool: Tool, **arguments: Any) -> str:
    """What the tool says that it does not do."""
    result = await _result(tool, arguments)
    assert result.error is not None, result.value
    return result.error


async def _result(tool: Tool, arguments: dict[str, Any]) -> ToolResult:
    return await tool.run(ToolContext(caller=OPERATOR, role_id=None, idempotency_key="test"), arguments)
