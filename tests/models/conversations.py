"""Requests the tests of this folder share."""

from typing import Any

from services.models.messages import AssistantMessage, Image, Request, ToolCall, ToolMessage, ToolSpec, UserMessage

CREATE_ROLE = ToolSpec(
    name="system.create_role",
    description="Create a role.",
    input_schema={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)
VERDICT = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
    "additionalProperties": False,
}


def asking(
    text: str = "Hello",
    *,
    model: str = "small",
    system: str = "Be brief.",
    images: tuple[Image, ...] = (),
    **rest: Any,
) -> Request:
    """A request with one question."""
    return Request(model=model, system=system, messages=(UserMessage(text, images),), **rest)


def after_tool(text: str = "done", *, is_error: bool = False, **rest: Any) -> Request:
    """A request whose one tool call was answered."""
    call = ToolCall(id="call_9", name="system.create_role", arguments={"name": "reader"})
    messages = (
        UserMessage("Make a reader"),
        AssistantMessage("", (call,)),
        ToolMessage("call_9", "system.create_role", text, is_error),
    )
    return Request(model="small", system="", messages=messages, **rest)
