"""What goes to a model and comes back, in words no provider owns.

Every struct survives a JSON round trip: agent turns are journaled as they are.
"""

from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

# `JsonObject` in a form msgspec can build a decoder for: it does not follow recursive aliases.
JsonMapping: TypeAlias = dict[str, Any]

CHARACTERS_PER_TOKEN = 4


class ToolCall(msgspec.Struct, frozen=True, rename="camel"):
    """A model's wish to call the tool `name`; `id` ties the result to it."""

    id: str
    name: str
    arguments: JsonMapping


class UserMessage(msgspec.Struct, frozen=True, rename="camel", tag_field="role", tag="user"):
    """What the step asks."""

    text: str


class AssistantMessage(msgspec.Struct, frozen=True, rename="camel", tag_field="role", tag="assistant"):
    """What the model said and which tools it wants called, in this order."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(msgspec.Struct, frozen=True, rename="camel", tag_field="role", tag="tool"):
    """What the tool call `call_id` gave; with `is_error`, why it gave nothing."""

    call_id: str
    name: str
    text: str
    is_error: bool = False


Message: TypeAlias = UserMessage | AssistantMessage | ToolMessage


class ToolSpec(msgspec.Struct, frozen=True, rename="camel"):
    """A tool a model may call: its name on our side (dots allowed) and the JSON Schema of its arguments."""

    name: str
    description: str
    input_schema: JsonMapping


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """One call of a model.

    `model` is the provider's own name for it; `Models.complete` fills it in from its choice. `timeout_seconds` bounds
    the whole call, connecting included.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output_schema: JsonMapping | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    timeout_seconds: float = 60.0


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens spent, and their list price in USD; None where the price is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What a model answered.

    With an output schema, `text` is JSON. `model` is "provider/name"; `stop` says why it stopped: it was done, it waits
    for its tools, or it ran into the length limit.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    model: str
    stop: Literal["end", "tools", "length"]


def about_tokens(text: str) -> int:
    """Roughly how many tokens `text` is: a quarter of its characters, rounded up.

    Used where nobody counts for us: the offline model, and endpoints that report no usage.

    >>> about_tokens("Four score and seven years ago")
    8
    """
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def about_request_tokens(request: Request) -> int:
    """Roughly how many input tokens `request` is."""
    seen = (request.messages, request.tools, request.output_schema)
    return about_tokens(request.system) + about_tokens(msgspec.json.encode(seen).decode())
