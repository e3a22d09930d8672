"""What single providers do otherwise than the rest: seen in their documents and in what others report of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import msgspec
import pytest

from services.failure import Failed
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
from services.models.presets import provider_of
from services.models.provider import Provider
from tests.models.conversations import CREATE_ROLE, VERDICT, after_tool, asking
from tests.models.peer import Peer, Reply, completion, events, message, peer_with

OpenAt = Callable[..., tuple[Provider, Peer]]

USE = {"type": "tool_use", "id": "toolu_1", "name": "system_create_role", "input": {"name": "reader"}}


@pytest.fixture
async def open_at() -> AsyncIterator[OpenAt]:
    """Opens a provider of a preset at a peer with a script; both are closed afterwards."""
    with ExitStack() as peers:
        async with AsyncExitStack() as providers:

            def opened(preset: str, *script: Reply, **rest: Any) -> tuple[Provider, Peer]:
                peer = peers.enter_context(peer_with(*script))
                provider = provider_of(preset, api_key="k", base_url=peer.url, **rest)
                providers.push_async_callback(provider.close)
                return provider, peer

            yield opened


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def streamed(*chunks: Any) -> Reply:
    return Reply(pieces=events(*chunks, "[DONE]"))


def calling(*calls: dict[str, Any], finish: str = "tool_calls", **rest: Any) -> Reply:
    said = {"role": "assistant", "content": None, "tool_calls": list(calls), **rest}
    return Reply(body={"choices": [{"index": 0, "message": said, "finish_reason": finish}]})


def call(id: str = "c1", name: str = "system_create_role", arguments: Any = "{}", **rest: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **rest}


def again(answer: Answer, model: str = "small") -> Request:
    """The request that follows an answer with calls; it went through the journal."""
    said = AssistantMessage(answer.text, answer.tool_calls)
    kept = msgspec.json.decode(msgspec.json.encode(said), type=Message)
    results = tuple(ToolMessage(called.id, called.name, "ok") for called in answer.tool_calls)
    return Request(model=model, system="", messages=(UserMessage("Hi"), kept, *results), tools=(CREATE_ROLE,))


async def answer_to(provider: Provider) -> Answer:
    return await provider.complete(asking(tools=(CREATE_ROLE,)))


async def test_calls_without_an_index_are_told_apart_by_their_ids(open_at: OpenAt) -> None:
    """Gemini's stream: whole calls, no index, and "stop" behind them."""
    pieces = [
        chunk(tool_calls=[call("c1", arguments='{"name": "a"}')]),
        chunk(tool_calls=[call("c2", arguments='{"name":'), {"function": {"arguments": ' "b"}'}}]),
        chunk("stop"),
    ]
    provider, _ = open_at("gemini", streamed(*pieces))

    answer = await answer_to(provider)

    assert [(called.id, called.arguments) for called in answer.tool_calls] == [
        ("c1", {"name": "a"}),
        ("c2", {"name": "b"}),
    ]
    assert answer.stop == "tools"


async def test_calls_that_are_all_the_first_are_told_apart_by_their_ids(open_at: OpenAt) -> None:
    pieces = [chunk(tool_calls=[{"index": 0, **call(id, arguments="{}")}]) for id in ("c1", "c2", "c3")]
    provider, _ = open_at("ollama", streamed(*pieces, chunk("stop")))

    assert [called.id for called in (await answer_to(provider)).tool_calls] == ["c1", "c2", "c3"]


async def test_calls_without_index_or_id_are_told_apart_by_their_names(open_at: OpenAt) -> None:
    pieces = [chunk(tool_calls=[{"function": {"name": name, "arguments": "{}"}}]) for name in ("a", "b")]
    provider, _ = open_at("compatible", streamed(*pieces, chunk("stop")))

    answer = await answer_to(provider)

    assert [(called.id, called.name) for called in answer.tool_calls] == [("call_1", "a"), ("call_2", "b")]


async def test_an_id_may_be_repeated_with_each_piece(open_at: OpenAt) -> None:
    pieces = [chunk(tool_calls=[{"index": 0, **call("c1", arguments=piece)}]) for piece in ('{"name"', ': "a"}')]
    provider, _ = open_at("compatible", streamed(*pieces, chunk("tool_calls")))

    assert [called.arguments for called in (await answer_to(provider)).tool_calls] == [{"name": "a"}]


async def test_arguments_may_be_an_object_already(open_at: OpenAt) -> None:
    provider, _ = open_at("compatible", calling(call(arguments={"name": "a"})))

    assert [called.arguments for called in (await answer_to(provider)).tool_calls] == [{"name": "a"}]


async def test_gemini_gets_its_signatures_back(open_at: OpenAt) -> None:
    signed = {"google": {"thought_signature": "sig"}}
    provider, peer = open_at("gemini", streamed(chunk("stop", tool_calls=[call(extra_content=signed), call("c2")])))

    await provider.complete(again(await answer_to(provider)))

    told = peer.asked[1].body["messages"][1]["tool_calls"]
    assert [called.get("extra_content") for called in told] == [signed, None]


async def test_gemini_is_told_which_calls_are_not_its_own(open_at: OpenAt) -> None:
    provider, peer = open_at("gemini", completion("Done."))

    await provider.complete(after_tool(tools=(CREATE_ROLE,)))
    unsigned = Answer("", (ToolCall("c", "x", {}),), Usage(), "openai/small", "tools")
    await provider.complete(again(unsigned, "gemini-2.5-flash"))

    for asked, signed in zip(peer.asked, (True, False), strict=True):
        [called] = asked.body["messages"][1]["tool_calls"]
        skipped = {"google": {"thought_signature": "skip_thought_signature_validator"}}
        assert called.get("extra_content") == (skipped if signed else None)


async def test_deepseek_gets_its_thoughts_back_and_others_do_not(open_at: OpenAt) -> None:
    thinking = [chunk(reasoning_content="I need "), chunk(reasoning_content="a role."), chunk(tool_calls=[call()])]
    provider, peer = open_at("deepseek", streamed(*thinking, chunk("tool_calls")))
    other, heard = open_at("mistral", completion("Done."))

    answer = await answer_to(provider)
    await provider.complete(again(answer))
    await other.complete(again(answer))

    assert peer.asked[1].body["messages"][1]["reasoning_content"] == "I need a role."
    assert "reasoning_content" not in heard.asked[0].body["messages"][1]


async def test_claude_gets_its_thoughts_back_in_their_places(open_at: OpenAt) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    text = {"type": "text", "text": "Let me see."}
    provider, peer = open_at("anthropic", message(thought, text, redacted, USE, stop="tool_use"))

    answer = await answer_to(provider)
    await provider.complete(again(answer))
    await provider.complete(again(answer, model="another"))

    same, another = (asked.body["messages"][1]["content"] for asked in peer.asked[1:])
    assert (same, another) == ([thought, text, redacted, USE], [text, USE])


async def test_thoughts_that_come_in_pieces_are_signed_too(open_at: OpenAt) -> None:
    told = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {**USE, "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    provider, peer = open_at("anthropic", Reply(pieces=events(*told)))

    answer = await answer_to(provider)
    await provider.complete(again(answer))

    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert peer.asked[1].body["messages"][1]["content"] == [thought, {**USE, "input": {}}]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 9)


async def test_mistral_gets_ids_of_nine_characters_and_no_stream_options(open_at: OpenAt) -> None:
    provider, peer = open_at("mistral", completion("Done."))

    await provider.complete(after_tool(tools=(CREATE_ROLE,)))

    body = peer.asked[0].body
    id = body["messages"][1]["tool_calls"][0]["id"]
    assert (len(id), id.isalnum(), body["messages"][2]["tool_call_id"]) == (9, True, id)
    assert (body["stream"], "stream_options" in body) == (True, False)


async def test_who_counts_when_asked_is_asked(open_at: OpenAt) -> None:
    provider, peer = open_at("deepseek", completion("Hi."))

    await provider.complete(asking())

    assert peer.asked[0].body["stream_options"] == {"include_usage": True}


async def test_text_may_come_in_parts_among_thoughts(open_at: OpenAt) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hi."}]
    provider, _ = open_at("mistral", streamed(chunk(content=parts), chunk("stop", content=" You?")))

    assert (await provider.complete(asking())).text == "Hi. You?"


async def test_thoughts_that_are_counted_apart_are_output_all_the_same(open_at: OpenAt) -> None:
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}
    provider, _ = open_at("gemini", streamed(chunk("stop", content="Hi."), {"choices": [], "usage": counted}))

    assert (await provider.complete(asking())).usage.output_tokens == 30


async def test_tokens_from_the_cache_are_told_by_either_name(open_at: OpenAt) -> None:
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8}
    provider, _ = open_at("deepseek", streamed(chunk("stop", content="Hi."), {"choices": [], "usage": counted}))

    assert (await provider.complete(asking())).usage.cached_input_tokens == 8


async def test_who_stops_without_saying_that_it_is_over_is_done(open_at: OpenAt) -> None:
    provider, _ = open_at("compatible", Reply(pieces=events(chunk(content="Hi."), chunk("stop"))))

    assert (await provider.complete(asking())).text == "Hi."


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
async def test_a_reason_to_stop_may_be_a_failure(open_at: OpenAt, reason: str, streaming: bool) -> None:
    reply = streamed(chunk(reason, content="Hi")) if streaming else completion("Hi", finish=reason)
    provider, _ = open_at("deepseek", reply, capabilities={"streaming": streaming})

    with pytest.raises(Failed) as caught:
        await provider.complete(asking())

    assert (caught.value.failure.code, caught.value.failure.retryable) == ("MODEL_ERROR", True)


@pytest.mark.parametrize(
    ("error", "code", "retryable", "shown"),
    [
        ({"message": "slow down", "code": 429}, "RATE_LIMITED", True, "answered 429: slow down"),
        (
            {"message": "too long", "code": "context_length_exceeded"},
            "MODEL_ERROR",
            False,
            "is too large for this model",
        ),
        ({"message": "oops", "type": "server_error", "code": None}, "MODEL_ERROR", True, "oops (server_error)"),
        ({"detail": "odd"}, "MODEL_ERROR", True, '{"detail":"odd"}'),
        ("just a text", "MODEL_ERROR", True, "just a text"),
    ],
)
async def test_an_error_may_come_with_status_200(
    open_at: OpenAt, error: Any, code: str, retryable: bool, shown: str
) -> None:
    provider, _ = open_at("compatible", Reply(body={"error": error}), streamed({"error": error}))

    for _ in range(2):
        with pytest.raises(Failed) as caught:
            await provider.complete(asking())
        failure = caught.value.failure
        assert (failure.code, failure.retryable, shown in failure.message) == (code, retryable, True), failure


async def test_older_claudes_are_held_by_a_tool_and_newer_ones_by_their_words(open_at: OpenAt) -> None:
    told = {"type": "tool_use", "id": "t", "name": "answer", "input": {"approved": True}}
    provider, peer = open_at("anthropic", message(told, stop="tool_use"), message({"type": "text", "text": "{}"}))

    answer = await provider.complete(asking(model="claude-3-haiku", output_schema=VERDICT))
    await provider.complete(asking(model="claude-sonnet-5", output_schema={"type": "object"}))

    older, newer = (asked.body for asked in peer.asked)
    assert (answer.text, answer.tool_calls, answer.stop) == ('{"approved":true}', (), "end")
    assert (older["tool_choice"], older["tools"][0]["input_schema"]) == ({"type": "tool", "name": "answer"}, VERDICT)
    assert "tools" not in newer
    assert newer["system"].startswith("Be brief.\n\nAnswer with one JSON value")


async def test_an_answer_by_tool_waits_for_the_calls_that_come_with_it(open_at: OpenAt) -> None:
    both = calling(call("c1", "answer", '{"approved": true}'), call("c2"))
    provider, peer = open_at("compatible", both, capabilities={"structured": "tool"})

    answer = await provider.complete(asking(tools=(CREATE_ROLE,), output_schema=VERDICT))

    assert [(called.id, called.name) for called in answer.tool_calls] == [("c2", "system.create_role")]
    assert (answer.text, answer.stop, peer.asked[0].body["tool_choice"]) == ("", "tools", "required")


async def test_the_answers_tool_has_a_name_of_its_own(open_at: OpenAt) -> None:
    theirs = msgspec.structs.replace(CREATE_ROLE, name="answer")
    provider, peer = open_at(
        "compatible", calling(call("c1", "answer_2", '{"approved": true}')), capabilities={"structured": "tool"}
    )

    answer = await provider.complete(asking(tools=(theirs,), output_schema=VERDICT))

    assert [tool["function"]["name"] for tool in peer.asked[0].body["tools"]] == ["answer", "answer_2"]
    assert answer.text == '{"approved":true}'
