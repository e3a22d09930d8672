"""Every preset does everything over HTTP: answers, streams, tools, schemas, and each way a call can go wrong."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from socket import socket
from typing import Any

import msgspec
import pytest

from services.failure import Failed, Failure
from services.models.messages import Request
from services.models.presets import PRESETS, provider_of
from services.models.provider import Provider, Unreached
from tests.models.aimock import Aimock
from tests.models.conversations import CREATE_ROLE, VERDICT, after_tool, asking

# What comes behind the address, where the preset's own endpoint has something there.
PATHS = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta/openai", "deepseek": ""}
KEY = "sk-planted-secret"

OpenAt = Callable[..., Provider]


@pytest.fixture(params=sorted(PRESETS))
def preset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def open_at(preset: str) -> AsyncIterator[OpenAt]:
    """Opens a provider of the preset at an address; it is closed afterwards."""
    async with AsyncExitStack() as providers:

        def opened(url: str, **capabilities: Any) -> Provider:
            base_url = f"{url}{PATHS.get(preset, '/v1')}"
            provider = provider_of(preset, api_key=KEY, base_url=base_url, capabilities=capabilities)
            providers.push_async_callback(provider.close)
            return provider

        yield opened


async def failure_of(provider: Provider, request: Request | None = None) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.complete(request or asking())
    assert KEY not in str(caught.value)
    return caught.value.failure


def heard(aimock: Aimock) -> list[Any]:
    """The bodies of what was asked: each with a key in its headers and none in its body."""
    for asked in aimock.heard():
        assert "[REDACTED]" in (asked.headers.get("authorization"), asked.headers.get("x-api-key"))
        assert KEY not in msgspec.json.encode(asked.body).decode()
    return [asked.body for asked in aimock.heard()]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_question_is_answered(preset: str, open_at: OpenAt, aimock: Aimock, streaming: bool) -> None:
    aimock.teach({"content": "Hello, who are you?"}, match={"userMessage": "Hi"}, chunkSize=4)

    pieces: list[str] = []
    answer = await open_at(aimock.url, streaming=streaming).complete(asking("Hi"), pieces.append)

    assert (answer.text, answer.tool_calls, answer.model) == ("Hello, who are you?", (), f"{preset}/small")
    assert (answer.stop, "".join(pieces), len(pieces) > 1) == ("end", answer.text, streaming)
    [body] = heard(aimock)
    assert (body["model"], body.get("stream", False)) == ("small", streaming)
    assert [(said["role"], said["content"]) for said in body["messages"]] == [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize("streaming", [False, True])
async def test_tools_are_called_and_their_results_told(
    preset: str, open_at: OpenAt, aimock: Aimock, streaming: bool
) -> None:
    calls = [{"name": "system_create_role", "arguments": {"name": name}} for name in ("reader", "writer")]
    aimock.teach({"toolCalls": calls}, match={"toolName": "system_create_role", "hasToolResult": False}, chunkSize=3)
    aimock.teach({"content": "Done."}, match={"hasToolResult": True})
    provider = open_at(aimock.url, streaming=streaming)

    asked = await provider.complete(asking(tools=(CREATE_ROLE,)))
    answered = await provider.complete(after_tool(tools=(CREATE_ROLE,)))

    assert [(call.name, call.arguments) for call in asked.tool_calls] == [
        ("system.create_role", {"name": "reader"}),
        ("system.create_role", {"name": "writer"}),
    ]
    assert (asked.stop, answered.text, answered.stop) == ("tools", "Done.", "end")
    first, second = heard(aimock)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["system_create_role"]
    assert [said["role"] for said in second["messages"]] == ["user", "assistant", "tool"]
    call, result = second["messages"][1]["tool_calls"][0], second["messages"][2]
    assert result["tool_call_id"] == call["id"], "the result belongs to the call"
    assert len(call["id"]) == 9 or preset != "mistral"


async def test_an_answer_is_held_to_a_schema(preset: str, open_at: OpenAt, aimock: Aimock) -> None:
    aimock.teach({"content": {"approved": True}})

    answer = await open_at(aimock.url).complete(asking(output_schema=VERDICT))

    assert answer.text == '{"approved":true}'
    [body] = heard(aimock)
    if preset == "deepseek":
        assert body["response_format"] == {"type": "json_object"}
        assert '"approved":{"type":"boolean"}' in body["messages"][0]["content"]
    elif "response_format" in body:
        assert body["response_format"]["type"] == "json_schema"


async def test_an_answer_is_held_to_a_schema_by_a_tool_where_nothing_else_holds_it(
    preset: str, open_at: OpenAt, aimock: Aimock
) -> None:
    aimock.teach({"toolCalls": [{"name": "answer", "arguments": {"answer": [1, 2]}}]}, match={"toolName": "answer"})
    provider = open_at(aimock.url, structured="tool")

    answer = await provider.complete(asking(output_schema={"type": "array", "items": {"type": "integer"}}))

    assert (answer.text, answer.tool_calls, answer.stop) == ("[1,2]", (), "end")


async def test_too_many_requests_name_the_time_to_come_back(open_at: OpenAt, aimock: Aimock) -> None:
    aimock.teach({"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 7})

    failure = await failure_of(open_at(aimock.url))

    assert (failure.code, failure.retryable, failure.retry_after_seconds) == ("RATE_LIMITED", True, 7.0)
    assert len(heard(aimock)) == 1, "the engine retries, the SDK does not"


@pytest.mark.parametrize("status", [500, 503, 529])
async def test_a_server_in_trouble_is_tried_again(open_at: OpenAt, aimock: Aimock, status: int) -> None:
    aimock.teach({"error": {"message": f"trouble with {KEY}", "type": "server_error"}, "status": status})

    failure = await failure_of(open_at(aimock.url))

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert f"answered {status}: trouble with ***" in failure.message
    assert len(heard(aimock)) == 1


async def test_a_peer_that_does_not_answer_times_out(open_at: OpenAt, aimock: Aimock) -> None:
    aimock.teach({"content": "late"})
    aimock.disturb(latencyMs=5_000)

    failure = await failure_of(open_at(aimock.url), asking(timeout_seconds=0.2))

    assert (failure.code, failure.retryable) == ("TIMEOUT", True)
    assert failure.message.endswith("did not answer within 0.2 s")


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_malformed_answer_is_the_endpoints_fault(open_at: OpenAt, aimock: Aimock, streaming: bool) -> None:
    aimock.teach({"content": "Hi."})
    aimock.disturb(malformedRate=1)

    failure = await failure_of(open_at(aimock.url, streaming=streaming))

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert "no completion" in failure.message


async def test_a_stream_that_is_cut_is_no_answer(open_at: OpenAt, aimock: Aimock) -> None:
    aimock.teach({"content": "one two three four five six"}, chunkSize=3, truncateAfterChunks=4)

    pieces: list[str] = []
    with pytest.raises(Failed) as caught:
        await open_at(aimock.url).complete(asking(), pieces.append)

    failure = caught.value.failure
    assert (failure.code, failure.retryable, " broke off (" in failure.message) == ("MODEL_ERROR", True, True)


async def test_a_refused_connection_means_that_nothing_was_asked(preset: str, open_at: OpenAt) -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider = open_at(f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(Unreached) as caught:
            await provider.complete(asking())

    failure = caught.value.failure
    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.endswith(f"look at {PRESETS[preset].variables.url}")
