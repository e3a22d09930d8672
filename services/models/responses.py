"""OpenAI's Responses as bodies: what is sent, and how what comes back is read, whole or in pieces.

Nothing is kept on their side (`store: false`): the whole conversation is told with each call, and what the model
thought before it called a tool goes back with the call, encrypted as it came.
"""

from typing import Any

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.capabilities import Capabilities
from services.models.chat import NO_TEMPERATURE
from services.models.messages import (
    Answer,
    AssistantMessage,
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

_THOUGHTS = "reasoning.encrypted_content"


class _Part(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(msgspec.Struct):
    type: str
    content: list[_Part] | None = None
    name: str = ""
    call_id: str = ""
    arguments: str = ""


class _InputDetails(msgspec.Struct):
    cached_tokens: int = 0


class _Counted(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    input_tokens_details: _InputDetails | None = None


class _Incomplete(msgspec.Struct):
    reason: str = ""


class Response(msgspec.Struct):
    """What the endpoint made of the request, as far as we look at it; items stay as they came."""

    status: str
    output: list[JsonMapping] | None = None
    usage: _Counted | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct):
    type: str
    delta: str = ""
    output_index: int = 0
    item: JsonMapping | None = None
    response: Response | None = None


class Pieces:
    """A response put together from a stream's events; `emit` gets the text as it comes."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._items: dict[int, JsonMapping] = {}
        self._response: Response | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the response came to an end, good or bad."""
        return self._response is not None

    def take(self, event: Event) -> bool:
        """Add one event; true when it was the last.

        Raises:
            ErrorInAnswer: the endpoint says so; msgspec's errors where it is no event.
        """
        if event.data.strip() == b"[DONE]":
            return True
        # The deltas of thoughts and of tools that run on their side are objects as well: only ours are read.
        kind = msgspec.json.decode(event.data, type=_Kind).type
        if kind == "error":
            raise wire.error_in(msgspec.json.decode(event.data))
        if kind not in _READ:
            return False
        told = msgspec.json.decode(event.data, type=_Event)
        if told.type == "response.output_text.delta":
            self._emit(told.delta)
        elif told.item is not None:
            self._items[told.output_index] = told.item
        elif told.response is not None:
            self._response = told.response
        return self.is_whole

    def response(self) -> Response:
        """What the pieces are together."""
        assert self._response is not None, "only a whole response is read"
        if not self._response.output:
            # Some endpoints tell the items only once.
            self._response.output = [item for _, item in sorted(self._items.items())]
        return self._response


class _Kind(msgspec.Struct):
    type: str


_READ = frozenset(
    {
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    }
)


def parameters_of(request: Request, names: wire.ToolNames, capabilities: Capabilities, model: str) -> dict[str, Any]:
    """The body of the call, as the SDK's keyword arguments; `model` is "provider/name"."""
    parameters = dict[str, Any](model=request.model, store=False)
    if request.tools:
        parameters["tools"] = [
            _tool(names.outside(tool.name), tool.description, tool.input_schema) for tool in request.tools
        ]
        if not capabilities.parallel_tools:
            parameters["parallel_tool_calls"] = False
    if request.model.startswith(NO_TEMPERATURE):
        parameters["include"] = [_THOUGHTS]
    elif request.temperature is not None:
        parameters["temperature"] = request.temperature
    if system := _hold(parameters, request, names, capabilities):
        parameters["instructions"] = system
    if request.max_output_tokens is not None:
        parameters["max_output_tokens"] = request.max_output_tokens
    parameters["input"] = [item for said in request.messages for item in _items(said, names, model)]
    if capabilities.streaming:
        parameters["stream"] = True
    return parameters


def answer_of(response: Response, request: Request, names: wire.ToolNames, model: str) -> Answer:
    """The answer in a response; `model` is "provider/name".

    Raises:
        ErrorInAnswer: the endpoint says that it failed.
        Failed: OUTPUT_INVALID for an empty answer or malformed arguments, MODEL_ERROR when the model declines.
    """
    if response.error or response.status not in ("completed", "incomplete"):
        raise wire.error_in(response.error or f"its response is {response.status}, not completed")
    output = response.output or []
    items = [msgspec.convert(item, _Item) for item in output]
    reason = response.incomplete_details.reason if response.incomplete_details else ""
    parts = [part for item in items if item.type == "message" for part in item.content or []]
    refusal = "".join(part.refusal for part in parts)
    if refusal or reason == "content_filter":
        raise failures.refused(model, refusal or "its content filter stepped in")
    at_limit = response.status == "incomplete"
    calls = _tool_calls(items, output, request, names, model, at_limit=at_limit)
    text, calls = wire.held_answer(request, names, "".join(part.text for part in parts), calls)
    if not calls and not text.strip():
        raise failures.empty_answer(model, at_limit=at_limit)
    return Answer(
        text=text,
        tool_calls=calls,
        usage=_usage(response.usage, request, text),
        model=model,
        stop="tools" if calls else "length" if at_limit else "end",
    )


def _tool(name: str, description: str, schema: JsonMapping) -> dict[str, Any]:
    # Strict is their default here; it refuses most schemas of tools.
    return {"type": "function", "name": name, "description": description, "parameters": schema, "strict": False}


def _hold(parameters: dict[str, Any], request: Request, names: wire.ToolNames, capabilities: Capabilities) -> str:
    """Ask for the output schema, if there is one, as the endpoint takes it; gives the instructions."""
    if request.output_schema is None:
        return request.system
    held = wire.Held(request.output_schema)
    match capabilities.structured:
        case "schema":
            form = {"name": "answer", "schema": held.schema, "strict": wire.is_strict(held.schema)}
            parameters["text"] = {"format": {"type": "json_schema", **form}}
        case "tool":
            tool = wire.AnswerTool.of(request.output_schema, names)
            parameters.setdefault("tools", []).append(_tool(tool.name, tool.description, tool.input_schema))
            parameters["tool_choice"] = "required" if request.tools else {"type": "function", "name": tool.name}
        case "object":
            parameters["text"] = {"format": {"type": "json_object"}}
            return wire.with_schema_in_words(request.system, held.schema)
        case "words":
            return wire.with_schema_in_words(request.system, held.schema)
    return request.system


def _items(message: Message, names: wire.ToolNames, model: str) -> list[dict[str, Any]]:
    match message:
        case UserMessage(text=text, images=()):
            return [{"role": "user", "content": text}]
        case UserMessage(text=text, images=images):
            seen = [{"type": "input_image", "image_url": image.source, "detail": "auto"} for image in images]
            return [{"role": "user", "content": [*([{"type": "input_text", "text": text}] if text else []), *seen]}]
        case AssistantMessage(text=text, tool_calls=calls):
            said = [{"role": "assistant", "content": text}] if text or not calls else []
            return [*said, *(item for call in calls for item in _call(call, names, model))]
        case ToolMessage(call_id=call_id, text=text, is_error=is_error):
            output = f"Error: {text}" if is_error else text
            return [{"type": "function_call_output", "call_id": wire.call_id(call_id, "plain"), "output": output}]


def _call(call: ToolCall, names: wire.ToolNames, model: str) -> list[dict[str, Any]]:
    arguments = msgspec.json.encode(call.arguments).decode()
    id = wire.call_id(call.id, "plain")
    told = {"type": "function_call", "call_id": id, "name": names.outside(call.name), "arguments": arguments}
    return [*wire.echoed(call, model).get("thoughts", []), told]


def _tool_calls(
    items: list[_Item],
    output: list[JsonMapping],
    request: Request,
    names: wire.ToolNames,
    model: str,
    *,
    at_limit: bool,
) -> tuple[ToolCall, ...]:
    """The calls in the order they came; each takes along what the model thought just before it."""
    calls: list[ToolCall] = []
    thoughts: list[JsonMapping] = []
    for item, told in zip(items, output, strict=True):
        if item.type == "reasoning" and told.get("encrypted_content"):
            # Without its id: they would look for it among what they have not kept.
            thoughts.append({key: value for key, value in told.items() if key not in ("id", "status")})
        if item.type == "function_call":
            name = names.inside(item.name)
            arguments = wire.arguments_of(item.arguments, tool=name, model=model, at_limit=at_limit)
            echo: dict[str, JsonMapping] = {model: {"thoughts": thoughts}} if thoughts else {}
            id = item.call_id or wire.missing_call_id(request, len(calls) + 1)
            calls.append(ToolCall(id, name, arguments, echo))
            thoughts = []
    return tuple(calls)


def _usage(counted: _Counted | None, request: Request, text: str) -> Usage:
    if counted is None:
        return Usage(input_tokens=about_request_tokens(request), output_tokens=about_tokens(text))
    cached = counted.input_tokens_details.cached_tokens if counted.input_tokens_details else 0
    return Usage(counted.input_tokens, counted.output_tokens, cached_input_tokens=min(cached, counted.input_tokens))
