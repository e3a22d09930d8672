"""What Anthropic's messages endpoint is sent, and what its answers and refusals become."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from socket import socket

import pytest

from services.failure import Failed, Failure
from services.models.messages import Answer, Request, ToolCall, Usage
from services.models.presets import provider_of
from services.models.provider import Provider
from tests.models.conversations import CREATE_ROLE, VERDICT, after_tool, asking
from tests.models.peer import Peer, Reply, message, peer_with

Open = Callable[..., tuple[Provider, Peer]]

HI = {"type": "text", "text": "Hi."}


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """Opens a provider at a peer with a script; both are closed afterwards."""
    with ExitStack() as peers:
        async with AsyncExitStack() as providers:

            def opened(*script: Reply) -> tuple[Provider, Peer]:
                peer = peers.enter_context(peer_with(*script))
                provider = provider_of("anthropic", api_key="sk-secret", base_url=peer.url)
                providers.push_async_callback(provider.close)
                return provider, peer

            yield opened


async def failure_of(provider: Provider, request: Request) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.complete(request)
    return caught.value.failure


async def test_a_question_gets_its_answer_and_cached_tokens_count_as_input(open_at: Open) -> None:
    provider, peer = open_at(message({"type": "thinking", "thinking": "hm", "signature": "s"}, HI))

    pieces: list[str] = []
    answer = await provider.complete(asking("Hello", max_output_tokens=50), pieces.append)

    assert answer == Answer(
        text="Hi.", tool_calls=(), usage=Usage(100, 20, None, 10), model="anthropic/small", stop="end"
    )
    assert pieces == ["Hi."]
    assert peer.asked[0].path == "/v1/messages"
    assert "sk-secret" in peer.asked[0].authorization
    assert peer.asked[0].body == {
        "model": "small",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "max_tokens": 50,
        "stream": True,
    }


async def test_dotted_tool_names_go_out_plain_and_come_back_dotted(open_at: Open) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "system_create_role", "input": {"name": "x"}}
    provider, peer = open_at(message(HI, use, stop="tool_use"))

    answer = await provider.complete(asking(tools=(CREATE_ROLE,)))

    assert [tool["name"] for tool in peer.asked[0].body["tools"]] == ["system_create_role"]
    assert answer.tool_calls == (ToolCall(id="toolu_1", name="system.create_role", arguments={"name": "x"}),)
    assert (answer.text, answer.stop) == ("Hi.", "tools")


async def test_results_are_told_in_one_user_turn_and_remembered_tools_stay_declared(open_at: Open) -> None:
    provider, peer = open_at(message(HI))

    await provider.complete(after_tool("no such role", is_error=True))

    body = peer.asked[0].body
    result = {"type": "tool_result", "tool_use_id": "call_9", "content": "no such role", "is_error": True}
    use = {"type": "tool_use", "id": "call_9", "name": "system_create_role", "input": {"name": "reader"}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Make a reader"}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert [tool["name"] for tool in body["tools"]] == ["system_create_role"]
    assert body["tool_choice"] == {"type": "none"}


async def test_a_closed_schema_is_held_by_structured_output(open_at: Open) -> None:
    provider, peer = open_at(message({"type": "text", "text": '{"approved": true}'}))

    answer = await provider.complete(asking(output_schema=VERDICT))

    assert peer.asked[0].body["output_config"] == {"format": {"type": "json_schema", "schema": VERDICT}}
    assert answer.text == '{"approved": true}'


async def test_an_open_schema_is_said_in_words(open_at: Open) -> None:
    provider, peer = open_at(message({"type": "text", "text": "{}"}))

    await provider.complete(asking(output_schema={"type": "object"}))

    assert "output_config" not in peer.asked[0].body
    assert peer.asked[0].body["system"].endswith('JSON Schema:\n{"type":"object"}')


@pytest.mark.parametrize(("model", "sent"), [("claude-haiku-4-5", 1.0), ("claude-haiku-5-5", None)])
async def test_only_models_that_take_a_temperature_get_one(open_at: Open, model: str, sent: float | None) -> None:
    provider, peer = open_at(message(HI))

    await provider.complete(asking(model=model, temperature=1.5))

    assert peer.asked[0].body.get("temperature") == sent


async def test_an_answer_cut_off_says_so(open_at: Open) -> None:
    provider, _ = open_at(message(HI, stop="max_tokens"))

    answer = await provider.complete(asking())

    assert (answer.text, answer.stop) == ("Hi.", "length")


async def test_too_many_requests_name_the_time_to_come_back(open_at: Open) -> None:
    provider, peer = open_at(
        Reply(429, {"error": {"type": "rate_limit_error", "message": "slow"}}, {"Retry-After": "3"})
    )

    failure = await failure_of(provider, asking())

    assert failure == Failure(
        code="RATE_LIMITED", message="anthropic/small answered 429: slow", retryable=True, retry_after_seconds=3.0
    )
    assert len(peer.asked) == 1, "the engine retries, the SDK does not"


@pytest.mark.parametrize("status", [500, 529])
async def test_a_server_in_trouble_is_tried_again(open_at: Open, status: int) -> None:
    provider, _ = open_at(Reply(status, {"error": {"type": "overloaded_error", "message": "busy"}}))

    failure = await failure_of(provider, asking())

    assert failure == Failure(code="MODEL_ERROR", message=f"anthropic/small answered {status}: busy", retryable=True)


async def test_a_wrong_key_names_the_setting_to_look_at(open_at: Open) -> None:
    provider, _ = open_at(Reply(401, {"error": {"type": "authentication_error", "message": "bad sk-secret"}}))

    failure = await failure_of(provider, asking())

    message_ = "anthropic/small answered 401: bad ***; look at ANTHROPIC_API_KEY"
    assert failure == Failure(code="MODEL_ERROR", message=message_, retryable=False)


async def test_a_peer_that_never_answers_times_out(open_at: Open) -> None:
    provider, _ = open_at(Reply(never=True))

    failure = await failure_of(provider, asking(timeout_seconds=0.2))

    assert failure == Failure(code="TIMEOUT", message="anthropic/small did not answer within 0.2 s", retryable=True)


async def test_nobody_listening_is_a_connection_to_look_at() -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider = provider_of("anthropic", api_key="k", base_url=f"http://127.0.0.1:{unused.getsockname()[1]}")

        failure = await failure_of(provider, asking())
        await provider.close()

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.endswith("look at ANTHROPIC_BASE_URL")


async def test_an_answer_that_breaks_off_is_a_connection_to_look_at(open_at: Open) -> None:
    provider, _ = open_at(Reply(body={"content": []}, missing_bytes=9))

    failure = await failure_of(provider, asking())

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.endswith("look at ANTHROPIC_BASE_URL")


@pytest.mark.parametrize("body", [b"<html>", b'{"content": [{"type": "text"}], "usage": {}}', b'{"content": [3]}'])
async def test_a_body_that_is_no_message_is_the_endpoints_fault(open_at: Open, body: bytes) -> None:
    provider, _ = open_at(Reply(body=body))

    failure = await failure_of(provider, asking())

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)


async def test_malformed_arguments_are_invalid_output(open_at: Open) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "system_create_role", "input": ["x"]}
    provider, _ = open_at(message(use, stop="tool_use"))

    failure = await failure_of(provider, asking(tools=(CREATE_ROLE,)))

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", True)


async def test_an_empty_answer_and_a_refusal_are_told_apart(open_at: Open) -> None:
    provider, _ = open_at(message(stop="max_tokens"), message(stop="refusal"))

    empty = await failure_of(provider, asking())
    declined = await failure_of(provider, asking())

    assert (empty.code, empty.retryable) == ("OUTPUT_INVALID", True)
    assert (declined.code, declined.retryable) == ("MODEL_ERROR", False)
