"""What an agent may call, and with whose rights."""

from services.caller import Caller
from services.engine.performer import Attempt
from services.principal import Principal, may_hold
from services.programs import tool as program_tool
from services.roles import RoleContent
from services.tools import registry
from services.tools.tool import Tool, ToolContext

_SHOWN_NAME = 100


def tools_of(role: RoleContent, attempt: Attempt) -> dict[str, Tool]:
    """The role's tools by name; a step may narrow them but adds none."""
    granted = registry.granted(role.tools)
    if attempt.step.tools is not None:
        narrowed = registry.granted(attempt.step.tools)
        granted = {name: tool for name, tool in granted.items() if name in narrowed or name in attempt.step.tools}
    return program_tool.described(granted)


def context_of(role: RoleContent, attempt: Attempt, place: str) -> ToolContext:
    """On whose behalf the call at `place` is made: with what the execution's initiator holds, never with more."""
    scopes = may_hold("agent", attempt.initiator.scopes)
    caller = Caller(Principal(kind="agent", name=f"{role.name} for {attempt.initiator.name}", scopes=scopes))
    return ToolContext(
        caller=caller,
        role_id=role.id,
        idempotency_key=f"{attempt.idempotency_key}/{place}",
        execution=attempt.execution,
        path=attempt.path,
    )


def refusal(name: str, role: RoleContent, tools: dict[str, Tool]) -> str:
    """Why there is no tool of that name for the role; names those that there are."""
    offered, shown = ", ".join(tools) or "no tools", name[:_SHOWN_NAME]
    if (tool := registry.find(name)) is not None and tool.tags:
        tags = " or ".join(sorted(tool.tags))
        return f"TOOL_NOT_ALLOWED: {shown} is for roles tagged {tags}; the role {role.name!r} is not. It has {offered}."
    return f"TOOL_NOT_ALLOWED: the role {role.name!r} has no tool {shown}. It has {offered}."
