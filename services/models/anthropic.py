"""Anthropic's messages, through the real SDK."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.capabilities import Capabilities
from services.models.endpoint import Endpoint
from services.models.messages import (
    Answer,
    AssistantMessage,
    Embeddings,
    Image,
    JsonMapping,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    about_request_tokens,
    about_tokens,
)
from services.models.provider import Emit
from services.models.sse import Event

SDK = "anthropic"
CLIENT = "AsyncAnthropic"

# The API wants a limit. Thinking counts towards it, so a small one would cut answers short.
_DEFAULT_MAX_TOKENS = 16_000
# Newer models answer 400 to any sampling parameter.
_TAKES_TEMPERATURE = ("claude-3", "claude-haiku-4", "claude-sonnet-4", "claude-opus-4-0", "claude-opus-4-1")
_TAKES_TEMPERATURE += ("claude-opus-4-5", "claude-opus-4-6")
# These are not held to schemas, but can be made to call a tool; newer ones think first, and refuse to be made to.
_WITHOUT_SCHEMAS = ("claude-2", "claude-3", "claude-sonnet-4-0", "claude-sonnet-4-2", "claude-opus-4-0")
_WITHOUT_SCHEMAS += ("claude-opus-4-2",)


class AnthropicProvider:
    """Messages at an endpoint. The SDK is imported at the first call."""

    def __init__(self, name: str, endpoint: Endpoint, capabilities: Capabilities) -> None:
        self.name = name
        self.capabilities = capabilities
        self._endpoint = endpoint

    async def complete(self, request: Request, emit: Emit = failures.unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        failures.check_request(request, self.capabilities, model)
        names = wire.ToolNames.of(request)
        parameters = parameters_of(request, names, self.capabilities, await self._endpoint.sdk(), model)
        pieces = Pieces(emit)

        def opening(client: Any, within: Any) -> Any:
            return client.messages.with_streaming_response.create(**parameters, timeout=within)

        body = await self._endpoint.call(model, request.timeout_seconds, opening, pieces.take)
        with self._endpoint.reading(model):
            if body is None and not pieces.is_whole:
                raise failures.broken_off(model, self._endpoint.variables, "its answer has no end")
            said = pieces.said() if body is None else msgspec.json.decode(body, type=Said)
            answer = answer_of(said, request, names, model)
        if body is not None:
            emit(answer.text)
        return answer

    async def embed(self, model: str, texts: Sequence[str], *, timeout_seconds: float = 60.0) -> Embeddings:
        """Nothing: Anthropic has no embeddings.

        Raises:
            Failed: always; it says who has some.
        """
        raise failures.no_embeddings(f"{self.name}/{model}")

    async def close(self) -> None:
        """Give back connections."""
        await self._endpoint.close()


class _Counted(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class Said(msgspec.Struct):
    """A message; its blocks stay as they came."""

    content: list[JsonMapping]
    usage: _Counted
    stop_reason: str | None = None


class _Opening(msgspec.Struct):
    usage: _Counted


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Opening | None = None
    content_block: JsonMapping | None = None
    delta: JsonMapping | None = None
    usage: _Counted | None = None
    error: Any = None


class Pieces:
    """A message put together from a stream's events; `emit` gets the text as it comes."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._blocks: dict[int, JsonMapping] = {}
        # What the text, the thoughts or the input of a block grow by.
        self._growth: dict[tuple[int, str], list[str]] = {}
        self._counted = _Counted()
        self._stop: str | None = None
        self._is_over = False

    @property
    def is_whole(self) -> bool:
        """Whether the message came to its end."""
        return self._is_over and self._stop is not None

    def take(self, event: Event) -> bool:
        """Add one event; true when it was the last.

        Raises:
            ErrorInAnswer: the endpoint says so; msgspec's errors where it is no event.
        """
        told = msgspec.json.decode(event.data, type=_Event)
        match told.type:
            case "error":
                raise wire.error_in(told.error)
            case "message_start" if told.message is not None:
                self._count(told.message.usage)
            case "content_block_start" if told.content_block is not None:
                self._blocks[told.index] = told.content_block
                self._heard(told.content_block.get("text"))
            case "content_block_delta" if told.delta is not None:
                self._grow(told.index, told.delta)
            case "message_delta":
                self._count(told.usage or _Counted())
                self._stop = (told.delta or {}).get("stop_reason") or self._stop
            case "message_stop":
                self._is_over = True
            case _:
                pass
        return self._is_over

    def said(self) -> Said:
        """What the pieces are together; the input of a tool call is JSON text then."""
        for (index, name), pieces in self._growth.items():
            block = self._blocks[index]
            grown = "".join(pieces)
            # A call without arguments has no pieces of them, or empty ones.
            block[name] = (grown or None) if name == "input" else (block.get(name) or "") + grown
        return Said([block for _, block in sorted(self._blocks.items())], self._counted, self._stop)

    def _grow(self, index: int, delta: JsonMapping) -> None:
        grown = _GROWN_BY.get(str(delta.get("type")))
        if grown is None or index not in self._blocks:
            return
        field, name = grown
        piece = delta.get(name)
        if not isinstance(piece, str):
            raise msgspec.ValidationError(f"Expected `str` - at `$.delta.{name}`")
        self._growth.setdefault((index, field), []).append(piece)
        if field == "text":
            self._heard(piece)

    def _heard(self, text: object) -> None:
        if isinstance(text, str) and text:
            self._emit(text)

    def _count(self, counted: _Counted) -> None:
        for name in counted.__struct_fields__:
            if (tokens := getattr(counted, name)) is not None:
                setattr(self._counted, name, tokens)


# What each kind of delta adds to: the field of the block, from the field of the delta.
_GROWN_BY = {
    "text_delta": ("text", "text"),
    "input_json_delta": ("input", "partial_json"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}


def detail_of(error: Any) -> str:
    """What an error of the SDK's says."""
    return error.api_message or error.response.text


def parameters_of(
    request: Request, names: wire.ToolNames, capabilities: Capabilities, sdk: Any, model: str
) -> dict[str, Any]:
    parameters = dict[str, Any](model=request.model)
    if tools := _tools(request, names):
        parameters["tools"] = tools
        if not request.tools:
            parameters["tool_choice"] = {"type": "none"}
        elif not capabilities.parallel_tools:
            parameters["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    if system := _hold(parameters, request, names, capabilities, sdk):
        parameters["system"] = system
    if request.temperature is not None and _takes_temperature(request.model):
        # The SDK dropped the parameter with the models that refuse it. OpenAI's scale ends at 2, this one at 1.
        parameters["extra_body"] = {"temperature": min(1.0, request.temperature)}
    parameters["max_tokens"] = request.max_output_tokens or _DEFAULT_MAX_TOKENS
    parameters["messages"] = _turns(request.messages, names, model)
    if capabilities.streaming:
        parameters["stream"] = True
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


def _hold(
    parameters: dict[str, Any], request: Request, names: wire.ToolNames, capabilities: Capabilities, sdk: Any
) -> str:
    """Ask for the output schema, if there is one, as the model takes it; gives the system prompt."""
    if request.output_schema is None:
        return request.system
    structured = capabilities.structured
    if structured == "schema" and request.model.startswith(_WITHOUT_SCHEMAS):
        structured = "tool"
    held = wire.Held(request.output_schema)
    if structured == "schema" and (schema := _held_schema(held.schema, sdk)) is not None:
        parameters["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return request.system
    if structured == "tool":
        tool = wire.AnswerTool.of(request.output_schema, names)
        parameters.setdefault("tools", []).append(msgspec.to_builtins(tool))
        parameters["tool_choice"] = {"type": "any"} if request.tools else {"type": "tool", "name": tool.name}
        return request.system
    return wire.with_schema_in_words(request.system, held.schema)


def _turns(messages: tuple[Message, ...], names: wire.ToolNames, model: str) -> list[dict[str, Any]]:
    """The messages as alternating turns: results of one round of tool calls belong to one user turn."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role, blocks = _blocks(message, names, model)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, names: wire.ToolNames, model: str) -> tuple[str, list[dict[str, Any]]]:
    match message:
        case UserMessage(text=text, images=images):
            return "user", [*(_image(image) for image in images), *_text_blocks(text)]
        case AssistantMessage(text=text, tool_calls=calls):
            return "assistant", _said_again(text, calls, names, model)
        case ToolMessage(call_id=call_id, text=text, is_error=is_error):
            result = {"type": "tool_result", "tool_use_id": wire.call_id(call_id, "plain"), "content": text}
            return "user", [{**result, "is_error": is_error}]


def _said_again(text: str, calls: tuple[ToolCall, ...], names: wire.ToolNames, model: str) -> list[dict[str, Any]]:
    uses = [
        {
            "type": "tool_use",
            "id": wire.call_id(call.id, "plain"),
            "name": names.outside(call.name),
            "input": call.arguments,
        }
        for call in calls
    ]
    thought = wire.echoed(calls[0], model).get("content", []) if calls else []
    if sum(block is None for block in thought) != len(uses):
        return [*_text_blocks(text), *uses]
    # Thoughts are signed: they are told again as they came, each in its place.
    remaining = iter(uses)
    return [next(remaining) if block is None else block for block in thought]


def _image(image: Image) -> dict[str, Any]:
    if image.url:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}


def _text_blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _held_schema(schema: JsonMapping, sdk: Any) -> JsonMapping | None:
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


def answer_of(said: Said, request: Request, names: wire.ToolNames, model: str) -> Answer:
    if said.stop_reason == "refusal":
        raise failures.refused(model, "")
    at_limit = said.stop_reason in ("max_tokens", "model_context_window_exceeded")
    texts = [_string(block, "text") for block in said.content if block.get("type") == "text"]
    calls = _tool_calls(said.content, names, model, at_limit=at_limit)
    text, calls = wire.held_answer(request, names, "".join(texts), calls)
    if not calls and not text.strip():
        raise failures.empty_answer(model, at_limit=at_limit)
    return Answer(
        text=text,
        tool_calls=calls,
        usage=_usage(said.usage, request, text),
        model=model,
        stop="tools" if calls else "length" if at_limit else "end",
    )


def _tool_calls(
    blocks: list[JsonMapping], names: wire.ToolNames, model: str, *, at_limit: bool
) -> tuple[ToolCall, ...]:
    """The calls; what the model thinks and shows besides is no part of the answer, but goes along with the first."""
    thought = any(block.get("type") in ("thinking", "redacted_thinking") for block in blocks)
    content = [None if block.get("type") == "tool_use" else block for block in blocks]
    calls: list[ToolCall] = []
    for block in blocks:
        if block.get("type") == "tool_use":
            name = names.inside(_string(block, "name"))
            given = block.get("input")
            text = given if isinstance(given, str) else "" if given is None else msgspec.json.encode(given).decode()
            echo: dict[str, JsonMapping] = {model: {"content": content}} if thought and not calls else {}
            arguments = wire.arguments_of(text, tool=name, model=model, at_limit=at_limit)
            calls.append(ToolCall(_string(block, "id"), name, arguments, echo))
    return tuple(calls)


def _string(block: JsonMapping, name: str) -> str:
    return msgspec.convert(block.get(name), str)


def _usage(counted: _Counted, request: Request, text: str) -> Usage:
    if counted.input_tokens is None or counted.output_tokens is None:
        return Usage(input_tokens=about_request_tokens(request), output_tokens=about_tokens(text))
    read = counted.cache_read_input_tokens or 0
    total = counted.input_tokens + (counted.cache_creation_input_tokens or 0) + read
    return Usage(input_tokens=total, output_tokens=counted.output_tokens, cached_input_tokens=read)
