"""Laws of what goes over the wire: whatever the conversation, bodies are valid; however it comes, an answer is one."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.models import anthropic, chat, responses
from services.models.capabilities import Capabilities
from services.models.messages import (
    Answer,
    AssistantMessage,
    Image,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from services.models.presets import PRESETS
from services.models.sse import Event, Events
from services.models.wire import ToolNames
from tests.models.peer import events
from tests.models.spoken import Spoken, in_events, whole

APIS = ("chat", "responses", "messages")
MODEL = "p/small"

texts = st.text(max_size=30)
said = st.text(min_size=1, max_size=30).filter(lambda text: bool(text.strip()))
names = st.text("abcXYZ019._-/é", min_size=1, max_size=70)
ids = st.text(min_size=1, max_size=60)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, json_values, max_size=3)
images = st.sampled_from([Image(media_type="image/png", data="aGk="), Image(url="https://example.com/a.png")])
schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}},
        {"type": "array", "items": {"type": "integer"}},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "object"},
        {},
    ]
)
capabilities = st.builds(
    Capabilities,
    parallel_tools=st.booleans(),
    structured=st.sampled_from(["schema", "tool", "object", "words"]),
    streaming=st.just(True),
    stream_usage=st.booleans(),
    max_completion_tokens=st.booleans(),
    short_call_ids=st.booleans(),
    echo=st.sampled_from(["", "extra_content", "reasoning_content"]),
)


@st.composite
def turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """A conversation as agents have them: each call has its result, behind the answer that asked for it."""
    messages: list[Message] = [UserMessage(draw(said), tuple(draw(st.lists(images, max_size=2))))]
    for _ in range(draw(st.integers(0, 3))):
        called = draw(st.lists(st.builds(ToolCall, ids, names, objects), max_size=3, unique_by=lambda call: call.id))
        messages.append(AssistantMessage(draw(texts if called else said), tuple(called)))
        messages += [ToolMessage(call.id, call.name, draw(texts), draw(st.booleans())) for call in called]
        if not called:
            messages.append(UserMessage(draw(said)))
    return tuple(messages)


requests = st.builds(
    Request,
    model=st.sampled_from(["small", "gpt-6-luna", "claude-3-haiku", "claude-sonnet-5"]),
    system=texts,
    messages=turns(),
    tools=st.lists(
        st.builds(ToolSpec, names, texts, st.just({"type": "object", "properties": {}})),
        max_size=3,
        unique_by=lambda tool: tool.name,
    ).map(tuple),
    output_schema=st.none() | schemas,
    temperature=st.none() | st.floats(0, 2),
    max_output_tokens=st.none() | st.integers(1, 10_000),
)
answers = st.builds(
    Spoken,
    text=texts,
    calls=st.lists(st.tuples(ids, names, objects.map(json.dumps)), max_size=3, unique_by=lambda call: call[0]).map(
        tuple
    ),
    at_limit=st.booleans(),
    cached_tokens=st.integers(0, 100),
).filter(lambda answer: bool(answer.text.strip() or answer.calls))


@pytest.mark.parametrize("api", APIS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(request=requests, can=capabilities)
def test_a_body_is_what_the_sdk_says_it_takes(api: str, request: Request, can: Capabilities) -> None:
    body = _body(api, request, can)

    _check(api, json.loads(json.dumps(body, allow_nan=False)))


@pytest.mark.parametrize("api", APIS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(request=requests, can=capabilities)
def test_each_result_goes_out_with_the_id_of_its_call(api: str, request: Request, can: Capabilities) -> None:
    called, answered = _call_ids(api, _body(api, request, can))

    assert called == answered
    taken = "[a-zA-Z0-9_-]{1,40}" if api != "chat" else "[a-zA-Z0-9]{9}" if can.short_call_ids else ".{1,40}"
    assert all(re.fullmatch(taken, id) for id in called)


@given(request=requests)
def test_anthropics_turns_alternate_and_none_is_empty(request: Request) -> None:
    turns = _body("messages", request, Capabilities())["messages"]

    assert [turn["role"] for turn in turns] == [("user", "assistant")[place % 2] for place in range(len(turns))]
    assert all(turn["content"] for turn in turns)


@pytest.mark.parametrize("api", APIS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(said=answers, size=st.integers(1, 9), cuts=st.lists(st.integers(0, 4_000)))
def test_an_answer_in_pieces_is_the_answer_at_once(api: str, said: Spoken, size: int, cuts: list[int]) -> None:
    request = Request(model="small", system="", messages=(UserMessage("Hi"),))
    heard: list[str] = []

    in_pieces = _read_pieces(api, in_events(api, said, size), cuts, request, heard)

    assert in_pieces == _read_whole(api, whole(api, said), request)
    assert "".join(heard) == in_pieces.text


@given(
    data=st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b"")), max_size=5),
    cuts=st.lists(st.integers(0, 200)),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
)
def test_events_are_the_same_however_their_bytes_come(data: list[bytes], cuts: list[int], line_end: bytes) -> None:
    told = b"".join(b": hm%sevent: e%sdata: %s%s%s" % (line_end, line_end, each, line_end, line_end) for each in data)

    assert _events(told, cuts) == [Event("e", each) for each in data]


@pytest.mark.parametrize("preset", sorted(PRESETS))
@given(request=requests)
def test_no_preset_chokes_on_a_conversation_of_another(preset: str, request: Request) -> None:
    assert _body(PRESETS[preset].api, request, PRESETS[preset].capabilities)["model"] == request.model


def _body(api: str, request: Request, can: Capabilities) -> dict[str, Any]:
    names = ToolNames.of(request)
    match api:
        case "chat":
            return chat.parameters_of(request, names, can, MODEL)
        case "responses":
            return responses.parameters_of(request, names, can, MODEL)
        case _:
            return anthropic.parameters_of(request, names, can, _anthropic_sdk(), MODEL)


def _read_whole(api: str, body: dict[str, Any], request: Request) -> Answer:
    names, told = ToolNames.of(request), json.dumps(body).encode()
    match api:
        case "chat":
            completion = msgspec.json.decode(told, type=chat.Completion)
            return chat.answer_of(completion, request, names, Capabilities(), MODEL)
        case "responses":
            return responses.answer_of(msgspec.json.decode(told, type=responses.Response), request, names, MODEL)
        case _:
            return anthropic.answer_of(msgspec.json.decode(told, type=anthropic.Said), request, names, MODEL)


def _read_pieces(api: str, told: list[Any], cuts: list[int], request: Request, heard: list[str]) -> Answer:
    names = ToolNames.of(request)
    pieces = {"chat": chat.Pieces, "responses": responses.Pieces, "messages": anthropic.Pieces}[api](heard.append)
    was_last = [pieces.take(event) for event in _events(b"".join(events(*told)), cuts)]
    assert was_last == [False] * (len(was_last) - 1) + [True], "only the last is the last"
    assert pieces.is_whole
    match pieces:
        case chat.Pieces():
            return chat.answer_of(pieces.completion(), request, names, Capabilities(), MODEL)
        case responses.Pieces():
            return responses.answer_of(pieces.response(), request, names, MODEL)
        case _:
            return anthropic.answer_of(pieces.said(), request, names, MODEL)


def _events(told: bytes, cuts: list[int]) -> list[Event]:
    reader, places = Events(2**20), sorted({0, *(cut for cut in cuts if cut < len(told)), len(told)})
    chunks = [told[start:end] for start, end in itertools.pairwise(places)]
    return [event for chunk in chunks for event in reader.feed(chunk)]


def _call_ids(api: str, body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    match api:
        case "chat":
            called = [call["id"] for told in body["messages"] for call in told.get("tool_calls", [])]
            return called, [told["tool_call_id"] for told in body["messages"] if told["role"] == "tool"]
        case "responses":
            kinds = ("function_call", "function_call_output")
            called, answered = (
                [item["call_id"] for item in body["input"] if item.get("type") == kind] for kind in kinds
            )
            return called, answered
        case _:
            blocks = [block for turn in body["messages"] for block in turn["content"]]
            called = [block["id"] for block in blocks if block["type"] == "tool_use"]
            return called, [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]


def _check(api: str, body: dict[str, Any]) -> None:
    # The SDK has no parameter for it; it goes along beside them.
    body.pop("extra_body", None)
    _exhaust(_adapter(api).validate_python(body))


@cache
def _anthropic_sdk() -> Any:
    import anthropic as sdk

    return sdk


@cache
def _adapter(api: str) -> Any:
    # Only these laws need the SDKs' types.
    from anthropic.types.message_create_params import MessageCreateParamsStreaming
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
    from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
    from pydantic import TypeAdapter

    types = (CompletionCreateParamsStreaming, ResponseCreateParamsStreaming, MessageCreateParamsStreaming)
    return TypeAdapter(dict(zip(APIS, types, strict=True))[api])


def _exhaust(value: Any) -> None:
    """Iterables are validated as they are gone through."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _exhaust(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            _exhaust(inner)
