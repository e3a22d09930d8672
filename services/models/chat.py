"""Chat completions as bodies: what is sent, and how what comes back is read, whole or in pieces.

Answers are read with our own structs, because compatible endpoints leave out fields the SDK's types promise.
"""

from typing import Any

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.capabilities import Capabilities
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

# Reasoning models take no temperature but their own.
NO_TEMPERATURE = ("gpt-5", "gpt-6", "o1", "o3", "o4")
# These call tools in chat completions only when told not to reason first.
_TOOLS_WITHOUT_REASONING = ("gpt-5.6-", "gpt-6-sol", "gpt-6-luna")
# What Gemini takes in the place of a signature, of calls that it did not make itself.
_MADE_BY_ANOTHER = "skip_thought_signature_validator"
# Reasons to stop that say the answer is none.
_NOT_DONE = frozenset({"error", "insufficient_system_resource"})


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | JsonMapping | None = None


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None
    extra_content: JsonMapping | None = None


class _CallPiece(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    extra_content: JsonMapping | None = None


class _Said(msgspec.Struct):
    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None


class _SaidPiece(msgspec.Struct):
    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Option(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _OptionPiece(msgspec.Struct):
    index: int = 0
    delta: _SaidPiece | None = None
    finish_reason: str | None = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Counted(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _InputDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class Completion(msgspec.Struct):
    """What every endpoint sends, at least: an answer or an error."""

    choices: list[_Option] | None = None
    usage: _Counted | None = None
    error: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_OptionPiece] | None = None
    usage: _Counted | None = None
    error: Any = None


class Pieces:
    """A completion put together from a stream's events; `emit` gets the text as it comes."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_Call] = []
        self._arguments: list[list[str]] = []
        self._call_at: dict[int, int] = {}
        self._finish: str | None = None
        self._usage: _Counted | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the model came to an end; some endpoints close the stream there, without saying that it is over."""
        return self._finish is not None

    def take(self, event: Event) -> bool:
        """Add one event; true when it was the last.

        Raises:
            ErrorInAnswer: the endpoint says so; msgspec's errors where it is no chunk.
        """
        if event.data.strip() == b"[DONE]":
            return True
        chunk = msgspec.json.decode(event.data, type=_Chunk)
        if chunk.error or event.name == "error":
            raise wire.error_in(chunk.error or msgspec.json.decode(event.data))
        if chunk.usage is not None:
            self._usage = chunk.usage
        for piece in chunk.choices or []:
            if piece.index == 0:
                self._add(piece.delta or _SaidPiece())
                self._finish = piece.finish_reason or self._finish
        return False

    def completion(self) -> Completion:
        """What the pieces are together."""
        for call, arguments in zip(self._calls, self._arguments, strict=True):
            call.function.arguments = "".join(arguments)
        said = _Said("".join(self._text), "".join(self._refusal), "".join(self._reasoning), self._calls)
        return Completion([_Option(said, self._finish)], self._usage)

    def _add(self, said: _SaidPiece) -> None:
        if text := _text(said.content):
            self._text.append(text)
            self._emit(text)
        self._refusal.append(said.refusal or "")
        self._reasoning.append(said.reasoning_content or "")
        for piece in said.tool_calls or []:
            self._add_call(piece)

    def _add_call(self, piece: _CallPiece) -> None:
        place = self._place(piece)
        call, function = self._calls[place], piece.function or _Function()
        call.function.name = call.function.name or function.name
        call.extra_content = piece.extra_content or call.extra_content
        self._arguments[place].append(_arguments(function.arguments))

    def _place(self, piece: _CallPiece) -> int:
        """Where the call stands that the piece belongs to; a new one is begun where the piece says so.

        Gemini leaves the index out, and others say 0 to every call: what they do say is the id of the call.
        """
        last = len(self._calls) - 1
        place = last if piece.index is None else self._call_at.get(piece.index, -1)
        name = piece.function.name if piece.function else None
        is_other = bool(piece.id) and place >= 0 and self._calls[place].id not in (None, "", piece.id)
        if place < 0 or is_other or (piece.index is None and not piece.id and bool(name)):
            self._calls.append(_Call(_Function(), piece.id))
            self._arguments.append([])
            place = last + 1
            if piece.index is not None:
                self._call_at[piece.index] = place
        self._calls[place].id = self._calls[place].id or piece.id
        return place


def parameters_of(request: Request, names: wire.ToolNames, capabilities: Capabilities, model: str) -> dict[str, Any]:
    """The body of the call, as the SDK's keyword arguments; `model` is "provider/name"."""
    parameters = dict[str, Any](model=request.model)
    if tools := _tools(request, names):
        parameters["tools"] = tools
        if not capabilities.parallel_tools:
            parameters["parallel_tool_calls"] = False
        if request.model.startswith(_TOOLS_WITHOUT_REASONING):
            parameters["reasoning_effort"] = "none"
    system = _hold(parameters, request, names, capabilities)
    if request.temperature is not None and not request.model.startswith(NO_TEMPERATURE):
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        limit = "max_completion_tokens" if capabilities.max_completion_tokens else "max_tokens"
        parameters[limit] = request.max_output_tokens
    opening = [{"role": "system", "content": system}] if system else []
    parameters["messages"] = opening + [_message(said, names, capabilities, model) for said in request.messages]
    if capabilities.streaming:
        parameters["stream"] = True
        if capabilities.stream_usage:
            parameters["stream_options"] = {"include_usage": True}
    return parameters


def answer_of(
    completion: Completion, request: Request, names: wire.ToolNames, capabilities: Capabilities, model: str
) -> Answer:
    """The answer in a completion; `model` is "provider/name".

    Raises:
        ErrorInAnswer: the endpoint says that it failed.
        Failed: OUTPUT_INVALID for an empty answer or malformed arguments, MODEL_ERROR when the model declines.
    """
    if completion.error:
        raise wire.error_in(completion.error)
    if not completion.choices:
        raise failures.empty_answer(model, at_limit=False)
    option = completion.choices[0]
    said, at_limit = option.message, option.finish_reason == "length"
    if option.finish_reason in _NOT_DONE:
        raise wire.ErrorInAnswer(option.finish_reason, "it stopped before it was done")
    if said.refusal or option.finish_reason == "content_filter":
        raise failures.refused(model, said.refusal or "its content filter stepped in")
    calls = _tool_calls(said, request, names, capabilities, model, at_limit=at_limit)
    text, calls = wire.held_answer(request, names, _text(said.content), calls)
    if not calls and not text.strip():
        raise failures.empty_answer(model, at_limit=at_limit)
    return Answer(
        text=text,
        tool_calls=calls,
        usage=_usage(completion, request, text),
        model=model,
        # Some endpoints say "stop" although they call tools.
        stop="tools" if calls else "length" if at_limit else "end",
    )


def _tools(request: Request, names: wire.ToolNames) -> list[dict[str, Any]]:
    return [_tool(names.outside(tool.name), tool.description, tool.input_schema) for tool in request.tools]


def _tool(name: str, description: str, schema: JsonMapping) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _hold(parameters: dict[str, Any], request: Request, names: wire.ToolNames, capabilities: Capabilities) -> str:
    """Ask for the output schema, if there is one, as the endpoint takes it; gives the system prompt."""
    if request.output_schema is None:
        return request.system
    held = wire.Held(request.output_schema)
    match capabilities.structured:
        case "schema":
            form = {"name": "answer", "schema": held.schema, "strict": wire.is_strict(held.schema)}
            parameters["response_format"] = {"type": "json_schema", "json_schema": form}
        case "tool":
            tool = wire.AnswerTool.of(request.output_schema, names)
            parameters.setdefault("tools", []).append(_tool(tool.name, tool.description, tool.input_schema))
            only = {"type": "function", "function": {"name": tool.name}}
            parameters["tool_choice"] = "required" if request.tools else only
        case "object":
            parameters["response_format"] = {"type": "json_object"}
            return wire.with_schema_in_words(request.system, held.schema)
        case "words":
            return wire.with_schema_in_words(request.system, held.schema)
    return request.system


def _message(message: Message, names: wire.ToolNames, capabilities: Capabilities, model: str) -> dict[str, Any]:
    match message:
        case UserMessage(text=text, images=()):
            return {"role": "user", "content": text}
        case UserMessage(text=text, images=images):
            seen = [{"type": "image_url", "image_url": {"url": image.source}} for image in images]
            return {"role": "user", "content": [*([{"type": "text", "text": text}] if text else []), *seen]}
        case AssistantMessage(text=text, tool_calls=calls):
            return _said_again(text, calls, names, capabilities, model)
        case ToolMessage(call_id=call_id, text=text, is_error=is_error):
            id = _call_id(call_id, capabilities)
            return {"role": "tool", "tool_call_id": id, "content": f"Error: {text}" if is_error else text}


def _said_again(
    text: str, calls: tuple[ToolCall, ...], names: wire.ToolNames, capabilities: Capabilities, model: str
) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": text}
    echoes = [wire.echoed(call, model) for call in calls]
    if calls:
        told = [_call(call, names, capabilities) for call in calls]
        said |= {"content": text or None, "tool_calls": told}
        if capabilities.echo == "extra_content":
            _sign(told, [echo.get("extra_content") for echo in echoes], model)
    if capabilities.echo == "reasoning_content":
        said["reasoning_content"] = echoes[0].get("reasoning_content", "") if echoes else ""
    return said


def _call(call: ToolCall, names: wire.ToolNames, capabilities: Capabilities) -> dict[str, Any]:
    function = {"name": names.outside(call.name), "arguments": msgspec.json.encode(call.arguments).decode()}
    return {"id": _call_id(call.id, capabilities), "type": "function", "function": function}


def _call_id(id: str, capabilities: Capabilities) -> str:
    return wire.call_id(id, "short" if capabilities.short_call_ids else "free")


def _sign(told: list[dict[str, Any]], signatures: list[JsonMapping | None], model: str) -> None:
    """Put Gemini's signatures back to its calls; from version 3 on it refuses a round of calls without any."""
    if not any(signatures) and "/gemini-2" not in model:
        signatures = [{"google": {"thought_signature": _MADE_BY_ANOTHER}}]
    for call, signature in zip(told, signatures, strict=False):
        if signature:
            call["extra_content"] = signature


def _tool_calls(
    said: _Said, request: Request, names: wire.ToolNames, capabilities: Capabilities, model: str, *, at_limit: bool
) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            # Some endpoints leave the id out.
            id=call.id or wire.missing_call_id(request, number),
            name=(name := names.inside(call.function.name or "")),
            arguments=wire.arguments_of(_arguments(call.function.arguments), tool=name, model=model, at_limit=at_limit),
            echo=_echo(said, call, capabilities, model),
        )
        for number, call in enumerate(said.tool_calls or [], start=1)
    )


def _echo(said: _Said, call: _Call, capabilities: Capabilities, model: str) -> dict[str, JsonMapping]:
    if capabilities.echo == "extra_content" and call.extra_content:
        return {model: {"extra_content": call.extra_content}}
    # It belongs to the message; the first call carries it.
    if (
        capabilities.echo == "reasoning_content"
        and said.reasoning_content
        and said.tool_calls
        and call is said.tool_calls[0]
    ):
        return {model: {"reasoning_content": said.reasoning_content}}
    return {}


def _text(content: str | list[Any] | None) -> str:
    """The text of a content that may come in parts; what a model thinks is none of it."""
    if not isinstance(content, list):
        return content or ""
    parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _arguments(given: str | JsonMapping | None) -> str:
    """Arguments as JSON text; some endpoints send the object itself."""
    return given if isinstance(given, str) else msgspec.json.encode(given).decode() if given else ""


def _usage(completion: Completion, request: Request, text: str) -> Usage:
    counted = completion.usage
    if counted is None:
        return Usage(input_tokens=about_request_tokens(request), output_tokens=about_tokens(text))
    details = counted.prompt_tokens_details
    cached = counted.prompt_cache_hit_tokens or (details.cached_tokens if details else None) or 0
    return Usage(
        input_tokens=counted.prompt_tokens,
        # Gemini leaves what the model thought out of the one and counts it in the other.
        output_tokens=max(counted.completion_tokens, counted.total_tokens - counted.prompt_tokens),
        cached_input_tokens=min(cached, counted.prompt_tokens),
    )
