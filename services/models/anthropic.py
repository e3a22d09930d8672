"""Anthropic's messages, through the real SDK."""

from typing import Any, Literal

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.endpoint import Endpoint
from services.models.messages import (
    Answer,
    AssistantMessage,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)

ANTHROPIC_URL = "https://api.anthropic.com"

_VARIABLES = failures.Variables(key="ANTHROPIC_API_KEY", url="ANTHROPIC_BASE_URL", model="ROLECALL_ANTHROPIC_MODEL")
# The API wants a limit. Thinking counts towards it, so a small one would cut answers short.
_DEFAULT_MAX_TOKENS = 16_000
# Newer models answer 400 to any sampling parameter.
_TAKES_TEMPERATURE = ("claude-3", "claude-haiku-4", "claude-sonnet-4", "claude-opus-4-0", "claude-opus-4-1")
_TAKES_TEMPERATURE += ("claude-opus-4-5", "claude-opus-4-6")


class AnthropicProvider:
    """Messages at `base_url`. The SDK is imported at the first call."""

    name = "anthropic"

    def __init__(self, *, api_key: str, base_url: str = ANTHROPIC_URL) -> None:
        self._endpoint = Endpoint(
            "anthropic", "AsyncAnthropic", api_key=api_key, base_url=base_url, variables=_VARIABLES, detail_of=_detail
        )

    async def complete(self, request: Request, emit: failures.Emit = failures.unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        names = wire.ToolNames.of(request)
        parameters = _parameters(request, names, await self._endpoint.sdk())

        async def send(client: Any, within: Any) -> bytes:
            response = await client.messages.with_raw_response.create(**parameters, timeout=within)
            return await response.read()

        body = await self._endpoint.call(model, request.timeout_seconds, send)
        with self._endpoint.reading(model):
            said = msgspec.json.decode(body, type=_Said)
            blocks = [_block(block) for block in said.content]
        answer = _answer(said, blocks, request, names, model)
        emit(answer.text)
        return answer

    async def close(self) -> None:
        """Give back connections."""
        await self._endpoint.close()


class _Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _ToolUse(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: Any = None


class _Counted(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Said(msgspec.Struct):
    content: list[dict[str, Any]]
    usage: _Counted
    stop_reason: str | None = None


def _detail(error: Any) -> str:
    return error.api_message or error.response.text


def _parameters(request: Request, names: wire.ToolNames, sdk: Any) -> dict[str, Any]:
    system, parameters = request.system, dict[str, Any](model=request.model)
    if request.output_schema is not None:
        held = _held_schema(request.output_schema, sdk)
        if held is None:
            system = wire.with_schema_in_words(system, request.output_schema)
        else:
            parameters["output_config"] = {"format": {"type": "json_schema", "schema": held}}
    if system:
        parameters["system"] = system
    if tools := _tools(request, names):
        parameters["tools"] = tools
        if not request.tools:
            parameters["tool_choice"] = {"type": "none"}
    if request.temperature is not None and _takes_temperature(request.model):
        # The SDK dropped the parameter with the models that refuse it. OpenAI's scale ends at 2, this one at 1.
        parameters["extra_body"] = {"temperature": min(1.0, request.temperature)}
    parameters["max_tokens"] = request.max_output_tokens or _DEFAULT_MAX_TOKENS
    parameters["messages"] = _turns(request.messages, names)
    return parameters


def _takes_temperature(model: str) -> bool:
    return not model.startswith("claude-") or model.startswith(_TAKES_TEMPERATURE)


def _tools(request: Request, names: wire.ToolNames) -> list[dict[str, Any]]:
    """What is offered; a conversation that remembers tools must declare them even when it may not use them again."""
    if request.tools:
        return [
            {"name": names.outside(tool.name), "description": tool.description, "input_schema": tool.input_schema}
            for tool in request.tools
        ]
    return [{"name": names.outside(name), "input_schema": {"type": "object"}} for name in wire.called_names(request)]


def _turns(messages: tuple[Message, ...], names: wire.ToolNames) -> list[dict[str, Any]]:
    """The messages as alternating turns: results of one round of tool calls belong to one user turn."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role, blocks = _blocks(message, names)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, names: wire.ToolNames) -> tuple[Literal["user", "assistant"], list[dict[str, Any]]]:
    match message:
        case UserMessage(text=text):
            return "user", _text_blocks(text)
        case AssistantMessage(text=text, tool_calls=calls):
            uses = [
                {"type": "tool_use", "id": call.id, "name": names.outside(call.name), "input": call.arguments}
                for call in calls
            ]
            return "assistant", [*_text_blocks(text), *uses]
        case ToolMessage(call_id=call_id, text=text, is_error=is_error):
            return "user", [{"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": is_error}]


def _text_blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _held_schema(schema: dict[str, Any], sdk: Any) -> dict[str, Any] | None:
    """The schema as the API can hold a model to it; None when that would change its meaning.

    Structured output closes every object, so an open one cannot be expressed; bounds become part of descriptions.
    """
    if not _is_closed(schema):
        return None
    try:
        return sdk.transform_schema(schema)
    except (TypeError, ValueError, AssertionError):
        return None


def _is_closed(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "object" and (not schema.get("properties") or schema.get("additionalProperties", False)):
        return False
    variants = [part for key in ("anyOf", "oneOf", "allOf", "prefixItems") for part in schema.get(key, [])]
    members = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    items = [schema["items"]] if "items" in schema else []
    return all(_is_closed(part) for part in [*variants, *members, *items])


def _block(block: dict[str, Any]) -> _Text | _ToolUse | None:
    """A block we know; thinking and whatever else the model shows is not part of the answer."""
    return msgspec.convert(block, type=_Text | _ToolUse) if block.get("type") in ("text", "tool_use") else None


def _answer(
    said: _Said, blocks: list[_Text | _ToolUse | None], request: Request, names: wire.ToolNames, model: str
) -> Answer:
    if said.stop_reason == "refusal":
        raise failures.refused(model, "")
    at_limit = said.stop_reason in ("max_tokens", "model_context_window_exceeded")
    text = "".join(block.text for block in blocks if isinstance(block, _Text))
    calls = tuple(_tool_call(block, names, model, at_limit=at_limit) for block in blocks if isinstance(block, _ToolUse))
    if not calls and not text.strip():
        raise failures.empty_answer(model, at_limit=at_limit)
    return Answer(
        text=wire.without_fence(text) if request.output_schema is not None else text,
        tool_calls=calls,
        usage=_usage(said.usage),
        model=model,
        stop="tools" if calls else "length" if at_limit else "end",
    )


def _tool_call(use: _ToolUse, names: wire.ToolNames, model: str, *, at_limit: bool) -> ToolCall:
    name = names.inside(use.name)
    given = "" if use.input is None else msgspec.json.encode(use.input).decode()
    return ToolCall(id=use.id, name=name, arguments=wire.arguments_of(given, tool=name, model=model, at_limit=at_limit))


def _usage(counted: _Counted) -> Usage:
    cached = (counted.cache_creation_input_tokens or 0) + (counted.cache_read_input_tokens or 0)
    return Usage(input_tokens=counted.input_tokens + cached, output_tokens=counted.output_tokens)
