"""The `agent` step: model, tool calls, model, until the model is done.

Every model answer and every tool result is kept before the loop goes on, so an attempt that follows a crash or a
failure goes on inside the loop and repeats nothing that was kept.
"""

from typing import TypeAlias

import msgspec

from services.caller import Caller
from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json
from services.models.catalog import Models
from services.models.messages import AssistantMessage, Message, ToolCall, ToolMessage, ToolSpec
from services.principal import Principal, may_hold
from services.roles import RoleContent
from services.steps.conversation import ask, opening, request, result, role_of
from services.tools import registry
from services.tools.tool import Tool, ToolContext

DEFAULT_MAX_TURNS = 8
MAX_RESULT_CHARACTERS = 256 * 1024

_Note: TypeAlias = AssistantMessage | ToolMessage


async def perform(models: Models, attempt: Attempt) -> Json:
    """The agent's last answer: text, or JSON where the step or the role has an output schema.

    Raises:
        Failed: a model call failed, the answer does not fit, or `maxTurns` model calls were not enough.
    """
    role = await role_of(attempt)
    tools = _tools(role, attempt)
    specs = tuple(ToolSpec(tool.name, tool.description, tool.input_schema) for tool in tools.values())
    messages: list[Message] = [opening(attempt), *(msgspec.convert(note, _Note) for note in attempt.notes)]
    while True:
        for place, call in _unanswered(messages):
            context = _context(role, attempt, messages, place)
            await _keep(attempt, messages, await _call(call, tools, role, context))
        _check_turns(attempt, messages)
        answer = await ask(models, attempt, role, request(role, attempt, tuple(messages), specs))
        if not answer.tool_calls:
            return result(role, attempt, answer)
        await _keep(attempt, messages, AssistantMessage(answer.text, answer.tool_calls))


def _check_turns(attempt: Attempt, messages: list[Message]) -> None:
    max_turns = attempt.step.max_turns or DEFAULT_MAX_TURNS
    if _turns(messages) >= max_turns:
        message = f"the agent was not done after {max_turns} model calls; raise maxTurns or narrow its task"
        raise failed("STEP_LIMIT", message)


def _tools(role: RoleContent, attempt: Attempt) -> dict[str, Tool]:
    """The role's tools; a step may narrow them but adds none."""
    granted = registry.granted(role.tools)
    if attempt.step.tools is None:
        return granted
    narrowed = registry.granted(attempt.step.tools)
    return {name: tool for name, tool in granted.items() if name in narrowed or name in attempt.step.tools}


def _turns(messages: list[Message]) -> int:
    return sum(isinstance(message, AssistantMessage) for message in messages)


def _unanswered(messages: list[Message]) -> list[tuple[int, ToolCall]]:
    """The tool calls of the last model answer that have no result yet, with their places; results come in order."""
    for answered, message in enumerate(reversed(messages)):
        if isinstance(message, AssistantMessage):
            return list(enumerate(message.tool_calls))[answered:]
    return []


async def _keep(attempt: Attempt, messages: list[Message], message: _Note) -> None:
    await attempt.keep(msgspec.to_builtins(message))
    messages.append(message)


async def _call(call: ToolCall, tools: dict[str, Tool], role: RoleContent, context: ToolContext) -> ToolMessage:
    """The result of a tool call. What goes wrong is told to the model, which may do better."""
    tool = tools.get(call.name)
    if tool is None:
        return ToolMessage(call.id, call.name, _refusal(call.name, role, tools), is_error=True)
    result = await tool.run(context, call.arguments)
    if result.error is not None:
        return ToolMessage(call.id, call.name, result.error, is_error=True)
    text = result.value if isinstance(result.value, str) else msgspec.json.encode(result.value).decode()
    if len(text) > MAX_RESULT_CHARACTERS:
        said = f"the result has {len(text):,} characters; up to {MAX_RESULT_CHARACTERS:,} are given back: ask for less"
        return ToolMessage(call.id, call.name, said, is_error=True)
    return ToolMessage(call.id, call.name, text)


def _context(role: RoleContent, attempt: Attempt, messages: list[Message], place: int) -> ToolContext:
    # Some endpoints use the same call ids in every answer, so the key counts turns and places instead.
    key = f"{attempt.idempotency_key}/{_turns(messages)}.{place}"
    return ToolContext(
        caller=_caller(role, attempt),
        role_id=role.id,
        idempotency_key=key,
        execution=attempt.execution,
        path=attempt.path,
    )


def _caller(role: RoleContent, attempt: Attempt) -> Caller:
    """The agent acts with what the execution's initiator holds, never with more."""
    scopes = may_hold("agent", attempt.initiator.scopes)
    return Caller(Principal(kind="agent", name=f"{role.name} for {attempt.initiator.name}", scopes=scopes))


def _refusal(name: str, role: RoleContent, tools: dict[str, Tool]) -> str:
    offered = ", ".join(tools) or "no tools"
    if (tool := registry.find(name)) is not None and tool.tags:
        tags = " or ".join(sorted(tool.tags))
        return f"TOOL_NOT_ALLOWED: {name} is for roles tagged {tags}; the role {role.name!r} is not. It has {offered}."
    return f"TOOL_NOT_ALLOWED: the role {role.name!r} has no tool {name}. It has {offered}."
