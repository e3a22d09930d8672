"""The `tool` step: one call of a tool, its arguments the step's input."""

from services.caller import Caller
from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json
from services.tools import registry
from services.tools.tool import ToolContext


async def perform(attempt: Attempt) -> Json:
    """The tool's result.

    Raises:
        Failed: TOOL_NOT_ALLOWED when no tool step may call it, TOOL_ERROR when it did not work.
    """
    name = attempt.step.tool or ""
    tool = registry.for_step(name)
    if tool is None:
        raise failed("TOOL_NOT_ALLOWED", f"there is no tool {name!r} that a step may call")
    context = ToolContext(
        caller=Caller(attempt.initiator),
        role_id=None,
        idempotency_key=attempt.idempotency_key,
        execution=attempt.execution,
        path=attempt.path,
    )
    result = await tool.run(context, attempt.input)
    if result.error is not None:
        raise failed("TOOL_ERROR", result.error, retryable=not result.is_final)
    return result.value
