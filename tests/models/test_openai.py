"""What a chat completions endpoint is sent, and what its answers and refusals become."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from socket import socket
from typing import Any

import pytest

from services.failure import Failed, Failure
from services.models.messages import Answer, ToolCall, Usage
from services.models.presets import provider_of
from services.models.provider import Provider, Variables
from tests.models.conversations import CREATE_ROLE, VERDICT, after_tool, asking
from tests.models.peer import Peer, Reply, completion, peer_with

Opened = tuple[Provider, Peer]
Open = Callable[..., Opened]


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """Opens a provider at a peer with a script; both are closed afterwards."""
    with ExitStack() as peers:
        async with AsyncExitStack() as providers:

            def opened(*script: Reply, **capabilities: Any) -> Opened:
                peer = peers.enter_context(peer_with(*script))
                provider = opened_at(f"{peer.url}/v1", **capabilities)
                providers.push_async_callback(provider.close)
                return provider, peer

            yield opened


def opened_at(url: str, **capabilities: Any) -> Provider:
    variables = Variables("OPENAI_API_KEY", "OPENAI_BASE_URL", "ROLECALL_OPENAI_MODEL")
    can = {"streaming": False, **capabilities}
    return provider_of(
        "compatible", name="openai", api_key="sk-secret", base_url=url, capabilities=can, variables=variables
    )


async def failure_of(provider: Provider, **request: Any) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.complete(asking(**request))
    return caught.value.failure


async def test_a_question_gets_its_answer_and_its_usage(open_at: Open) -> None:
    provider, peer = open_at(completion("Hi."))

    pieces: list[str] = []
    answer = await provider.complete(asking("Hello", temperature=0.2, max_output_tokens=50), pieces.append)

    assert answer == Answer(text="Hi.", tool_calls=(), usage=Usage(100, 20, None), model="openai/small", stop="end")
    assert pieces == ["Hi."]
    assert [(asked.path, asked.authorization) for asked in peer.asked] == [("/v1/chat/completions", "Bearer sk-secret")]
    assert peer.asked[0].body == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "temperature": 0.2,
        "max_tokens": 50,
    }


async def test_dotted_tool_names_go_out_plain_and_come_back_dotted(open_at: Open) -> None:
    provider, peer = open_at(
        completion(calls=(("call_1", "system_create_role", '{"name": "x"}'),), finish="tool_calls")
    )

    answer = await provider.complete(asking(tools=(CREATE_ROLE,)))

    assert [tool["function"]["name"] for tool in peer.asked[0].body["tools"]] == ["system_create_role"]
    assert answer.tool_calls == (ToolCall(id="call_1", name="system.create_role", arguments={"name": "x"}),)
    assert answer.stop == "tools"


async def test_a_conversation_is_told_again_with_its_calls_and_results(open_at: Open) -> None:
    provider, peer = open_at(completion("Done."))

    await provider.complete(after_tool("no such role", is_error=True, tools=(CREATE_ROLE,)))

    call = {"name": "system_create_role", "arguments": '{"name":"reader"}'}
    assert peer.asked[0].body["messages"] == [
        {"role": "user", "content": "Make a reader"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_9", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_9", "content": "Error: no such role"},
    ]


async def test_calls_without_id_or_arguments_are_understood_even_when_the_reason_says_stop(open_at: Open) -> None:
    provider, _ = open_at(completion(calls=(("", "system_create_role", ""),)))

    answer = await provider.complete(after_tool(tools=(CREATE_ROLE,)))

    assert answer.tool_calls == (ToolCall(id="call_2", name="system.create_role", arguments={}),)
    assert answer.stop == "tools"


async def test_a_closed_schema_is_held_strictly(open_at: Open) -> None:
    provider, peer = open_at(completion('{"approved": true}'))

    answer = await provider.complete(asking(output_schema=VERDICT))

    held = {"name": "answer", "schema": VERDICT, "strict": True}
    assert peer.asked[0].body["response_format"] == {"type": "json_schema", "json_schema": held}
    assert answer.text == '{"approved": true}'


async def test_a_schema_strict_mode_would_refuse_is_sent_as_guidance(open_at: Open) -> None:
    provider, peer = open_at(completion("{}"))

    await provider.complete(asking(output_schema={"type": "object", "minProperties": 1}))

    assert peer.asked[0].body["response_format"]["json_schema"]["strict"] is False


async def test_an_endpoint_without_schemas_is_told_the_schema_in_words(open_at: Open) -> None:
    provider, peer = open_at(completion('```json\n{"approved": false}\n```'), structured="object")

    answer = await provider.complete(asking(output_schema=VERDICT))

    system = peer.asked[0].body["messages"][0]["content"]
    assert peer.asked[0].body["response_format"] == {"type": "json_object"}
    assert system.startswith("Be brief.\n\nAnswer with one JSON value") and '"approved":{"type":"boolean"}' in system
    assert answer.text == '{"approved": false}'


async def test_reasoning_models_get_no_temperature_and_call_tools_without_reasoning(open_at: Open) -> None:
    provider, peer = open_at(completion("ok"), maxCompletionTokens=True)

    await provider.complete(asking(model="gpt-6-luna", tools=(CREATE_ROLE,), temperature=0.1, max_output_tokens=9))

    body = peer.asked[0].body
    assert (body["reasoning_effort"], body["max_completion_tokens"], "temperature" in body) == ("none", 9, False)


async def test_an_answer_cut_off_says_so(open_at: Open) -> None:
    provider, _ = open_at(completion("And then", finish="length"))

    answer = await provider.complete(asking())

    assert (answer.text, answer.stop) == ("And then", "length")


async def test_an_endpoint_that_counts_no_tokens_gets_an_estimate(open_at: Open) -> None:
    provider, _ = open_at(Reply(body={"choices": [{"message": {"content": "12345678"}, "finish_reason": "stop"}]}))

    answer = await provider.complete(asking())

    assert answer.usage.output_tokens == 2
    assert answer.usage.input_tokens > 0


async def test_too_many_requests_name_the_time_to_come_back(open_at: Open) -> None:
    provider, peer = open_at(Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "7"}))

    failure = await failure_of(provider)

    assert failure == Failure(
        code="RATE_LIMITED", message="openai/small answered 429: slow down", retryable=True, retry_after_seconds=7.0
    )
    assert len(peer.asked) == 1, "the engine retries, the SDK does not"


async def test_an_empty_quota_is_not_waited_for(open_at: Open) -> None:
    provider, _ = open_at(Reply(429, {"error": {"message": "no credit", "code": "insufficient_quota"}}))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)
    assert failure.message.endswith("look at the quota of the account behind OPENAI_API_KEY")


@pytest.mark.parametrize("status", [500, 503, 529])
async def test_a_server_in_trouble_is_tried_again(open_at: Open, status: int) -> None:
    provider, _ = open_at(Reply(status, {"error": {"message": "trouble"}}))

    failure = await failure_of(provider)

    assert failure == Failure(code="MODEL_ERROR", message=f"openai/small answered {status}: trouble", retryable=True)


@pytest.mark.parametrize(
    ("status", "setting"),
    [
        (401, "look at OPENAI_API_KEY"),
        (404, "look at ROLECALL_OPENAI_MODEL and OPENAI_BASE_URL"),
        (400, "look at the role's parameters and schemas"),
    ],
)
async def test_a_refusal_names_the_setting_to_look_at_and_hides_the_key(
    open_at: Open, status: int, setting: str
) -> None:
    provider, _ = open_at(Reply(status, {"error": {"message": "sk-secret is not right"}}))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)
    assert failure.message.startswith(f"openai/small answered {status}: *** is not right; ")
    assert failure.message.endswith(setting)


async def test_a_peer_that_never_answers_times_out(open_at: Open) -> None:
    provider, _ = open_at(Reply(never=True))

    failure = await failure_of(provider, timeout_seconds=0.2)

    assert failure == Failure(code="TIMEOUT", message="openai/small did not answer within 0.2 s", retryable=True)


async def test_nobody_listening_is_a_connection_to_look_at() -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider = opened_at(f"http://127.0.0.1:{unused.getsockname()[1]}/v1")

        failure = await failure_of(provider)
        await provider.close()

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.endswith("look at OPENAI_BASE_URL")


async def test_an_answer_that_breaks_off_is_a_connection_to_look_at(open_at: Open) -> None:
    provider, _ = open_at(Reply(body={"choices": []}, missing_bytes=9))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.endswith("look at OPENAI_BASE_URL")


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"", b"\xff", b'{"choices": 3}', b"[]"])
async def test_a_body_that_is_no_completion_is_the_endpoints_fault(open_at: Open, body: bytes) -> None:
    provider, _ = open_at(Reply(body=body))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert "no completion" in failure.message


@pytest.mark.parametrize("arguments", ["{", "[1]", '{"name": '])
async def test_malformed_arguments_are_invalid_output(open_at: Open, arguments: str) -> None:
    provider, _ = open_at(completion(calls=(("call_1", "system_create_role", arguments),), finish="length"))

    failure = await failure_of(provider, tools=(CREATE_ROLE,))

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", True)
    assert failure.message.startswith("openai/small called system.create_role with arguments that are no JSON object")
    assert failure.message.endswith("raise maxOutputTokens")


@pytest.mark.parametrize("content", [None, "", "  \n"])
async def test_an_empty_answer_is_invalid_output(open_at: Open, content: str | None) -> None:
    provider, _ = open_at(completion(content))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", True)


async def test_a_model_that_declines_is_not_asked_again(open_at: Open) -> None:
    provider, _ = open_at(completion("", finish="content_filter"))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)
