"""Chat completions as bodies: what is sent, and how what comes back is read.

Answers are read with our own structs, because compatible endpoints leave out fields the SDK's types promise.
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.messages import (
    Answer,
    AssistantMessage,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    about_request_tokens,
    about_tokens,
)

# Reasoning models take no temperature but their own.
_NO_TEMPERATURE = ("gpt-5", "gpt-6", "o1", "o3", "o4")
# These call tools in chat completions only when told not to reason first.
_TOOLS_WITHOUT_REASONING = ("gpt-5.6-", "gpt-6-sol", "gpt-6-luna")
# A schema with any other keyword is sent as guidance (`strict: false`): strict mode would answer 400.
_STRICT_KEYWORDS = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "title",
        "description",
    }
)


class _Function(msgspec.Struct):
    name: str
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Option(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _Counted(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class Completion(msgspec.Struct):
    """What every endpoint sends, at least."""

    choices: list[_Option]
    usage: _Counted | None = None


class Dialect(msgspec.Struct, frozen=True):
    """What an endpoint understands beyond the common core."""

    json_schema: bool = True
    """Takes `response_format: json_schema`; otherwise only `json_object`, and the schema is said in the prompt."""
    max_completion_tokens: bool = False
    """Calls the output limit `max_completion_tokens`; otherwise `max_tokens`."""


def dialect_of(base_url: str) -> Dialect:
    """The dialect spoken at `base_url`; unknown endpoints are taken to know JSON schemas and `max_tokens`.

    >>> dialect_of("https://api.deepseek.com")
    Dialect(json_schema=False, max_completion_tokens=False)
    """
    host = urlsplit(base_url).hostname or ""
    if host == "api.openai.com" or host.endswith((".openai.com", ".azure.com")):
        return Dialect(max_completion_tokens=True)
    return Dialect(json_schema=not host.endswith("deepseek.com"))


def parameters_of(request: Request, names: wire.ToolNames, dialect: Dialect) -> dict[str, Any]:
    """The body of the call, as the SDK's keyword arguments."""
    system, parameters = request.system, dict[str, Any](model=request.model)
    if request.output_schema is not None:
        if dialect.json_schema:
            parameters["response_format"] = _schema_format(request.output_schema)
        else:
            parameters["response_format"] = {"type": "json_object"}
            system = wire.with_schema_in_words(system, request.output_schema)
    if request.tools:
        parameters["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": names.outside(tool.name),
                    "description": tool.description,
                    "parameters": tool.input_schema,
                },
            }
            for tool in request.tools
        ]
        if request.model.startswith(_TOOLS_WITHOUT_REASONING):
            parameters["reasoning_effort"] = "none"
    if request.temperature is not None and not request.model.startswith(_NO_TEMPERATURE):
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        limit = "max_completion_tokens" if dialect.max_completion_tokens else "max_tokens"
        parameters[limit] = request.max_output_tokens
    opening = [{"role": "system", "content": system}] if system else []
    parameters["messages"] = opening + [_message(message, names) for message in request.messages]
    return parameters


def answer_of(completion: Completion, request: Request, names: wire.ToolNames, model: str) -> Answer:
    """The answer in a completion; `model` is "provider/name".

    Raises:
        Failed: OUTPUT_INVALID for an empty answer or malformed arguments, MODEL_ERROR when the model declines.
    """
    if not completion.choices:
        raise failures.empty_answer(model, at_limit=False)
    option = completion.choices[0]
    said, at_limit = option.message, option.finish_reason == "length"
    if said.refusal or option.finish_reason == "content_filter":
        raise failures.refused(model, said.refusal or "its content filter stepped in")
    calls = _tool_calls(said.tool_calls or [], request, names, model, at_limit=at_limit)
    text = said.content or ""
    if not calls and not text.strip():
        raise failures.empty_answer(model, at_limit=at_limit)
    if request.output_schema is not None:
        text = wire.without_fence(text)
    return Answer(
        text=text,
        tool_calls=calls,
        usage=_usage(completion, request, text),
        model=model,
        # Some endpoints say "stop" although they call tools.
        stop="tools" if calls else "length" if at_limit else "end",
    )


def _message(message: Message, names: wire.ToolNames) -> dict[str, Any]:
    match message:
        case UserMessage(text=text):
            return {"role": "user", "content": text}
        case AssistantMessage(text=text, tool_calls=()):
            return {"role": "assistant", "content": text}
        case AssistantMessage(text=text, tool_calls=calls):
            return {"role": "assistant", "content": text or None, "tool_calls": [_call(call, names) for call in calls]}
        case ToolMessage(call_id=call_id, text=text, is_error=is_error):
            return {"role": "tool", "tool_call_id": call_id, "content": f"Error: {text}" if is_error else text}


def _call(call: ToolCall, names: wire.ToolNames) -> dict[str, Any]:
    function = {"name": names.outside(call.name), "arguments": msgspec.json.encode(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _schema_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": _is_strict(schema)},
    }


def _is_strict(schema: Any) -> bool:
    """Whether strict mode takes the schema: closed objects whose every member is required, and few keywords."""
    if not isinstance(schema, dict) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    members = schema.get("properties", {})
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or sorted(schema.get("required", [])) != sorted(members)
    ):
        return False
    inner = [*members.values(), *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return all(_is_strict(part) for part in inner)


def _tool_calls(
    calls: list[_Call], request: Request, names: wire.ToolNames, model: str, *, at_limit: bool
) -> tuple[ToolCall, ...]:
    earlier = sum(len(said.tool_calls) for said in request.messages if isinstance(said, AssistantMessage))
    return tuple(
        ToolCall(
            # Some endpoints leave the id out.
            id=call.id or f"call_{number}",
            name=names.inside(call.function.name),
            arguments=wire.arguments_of(
                call.function.arguments or "", tool=names.inside(call.function.name), model=model, at_limit=at_limit
            ),
        )
        for number, call in enumerate(calls, start=earlier + 1)
    )


def _usage(completion: Completion, request: Request, text: str) -> Usage:
    if completion.usage is None:
        return Usage(input_tokens=about_request_tokens(request), output_tokens=about_tokens(text))
    return Usage(
        input_tokens=completion.usage.prompt_tokens,
        output_tokens=completion.usage.completion_tokens,
    )
