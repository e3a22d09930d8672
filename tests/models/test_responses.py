"""What OpenAI's Responses are sent, and what their answers and refusals become."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from services.failure import Failed, Failure
from services.models.messages import Answer, AssistantMessage, Request, ToolMessage, Usage, UserMessage
from services.models.presets import provider_of
from services.models.provider import Provider
from tests.models.conversations import CREATE_ROLE, VERDICT, after_tool, asking
from tests.models.peer import Peer, Reply, events, peer_with
from tests.models.spoken import Spoken, whole

Open = Callable[..., tuple[Provider, Peer]]
TOOL = {
    "type": "function",
    "name": "system_create_role",
    "description": "Create a role.",
    "parameters": CREATE_ROLE.input_schema,
    "strict": False,
}


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """Opens a provider at a peer with a script; both are closed afterwards."""
    with ExitStack() as peers:
        async with AsyncExitStack() as providers:

            def opened(*script: Reply, **capabilities: Any) -> tuple[Provider, Peer]:
                peer = peers.enter_context(peer_with(*script))
                url = f"{peer.url}/v1"
                provider = provider_of("openai", api_key="sk-secret", base_url=url, capabilities=capabilities)
                providers.push_async_callback(provider.close)
                return provider, peer

            yield opened


async def failure_of(provider: Provider) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.complete(asking())
    return caught.value.failure


def said(**changes: Any) -> Reply:
    return Reply(body={**whole("responses", Spoken("Hi.")), **changes})


async def test_a_question_gets_its_answer_and_nothing_is_kept_there(open_at: Open) -> None:
    provider, peer = open_at(Reply(body=whole("responses", Spoken("Hi.", cached_tokens=30))))

    answer = await provider.complete(asking("Hello", temperature=0.2, max_output_tokens=50))

    usage = Usage(100, 20, None, 30)
    assert answer == Answer(text="Hi.", tool_calls=(), usage=usage, model="openai/small", stop="end")
    assert [(asked.path, asked.authorization) for asked in peer.asked] == [("/v1/responses", "Bearer sk-secret")]
    assert peer.asked[0].body == {
        "model": "small",
        "store": False,
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": "Hello"}],
        "temperature": 0.2,
        "max_output_tokens": 50,
        "stream": True,
    }


async def test_a_conversation_is_told_again_with_its_calls_and_results(open_at: Open) -> None:
    provider, peer = open_at(said())

    await provider.complete(after_tool("no such role", is_error=True, tools=(CREATE_ROLE,)))

    body = peer.asked[0].body
    call = {
        "type": "function_call",
        "call_id": "call_9",
        "name": "system_create_role",
        "arguments": '{"name":"reader"}',
    }
    result = {"type": "function_call_output", "call_id": "call_9", "output": "Error: no such role"}
    assert body["input"] == [{"role": "user", "content": "Make a reader"}, call, result]
    assert body["tools"] == [TOOL]


async def test_one_call_at_a_time_where_several_are_too_many(open_at: Open) -> None:
    provider, peer = open_at(said(), parallelTools=False)

    await provider.complete(asking(tools=(CREATE_ROLE,)))

    assert peer.asked[0].body["parallel_tool_calls"] is False


async def test_a_closed_schema_is_held_strictly(open_at: Open) -> None:
    provider, peer = open_at(Reply(body=whole("responses", Spoken('{"approved": true}'))))

    answer = await provider.complete(asking(output_schema=VERDICT))

    held = {"type": "json_schema", "name": "answer", "schema": VERDICT, "strict": True}
    assert (peer.asked[0].body["text"], answer.text) == ({"format": held}, '{"approved": true}')


async def test_what_is_no_object_is_held_inside_one(open_at: Open) -> None:
    provider, peer = open_at(Reply(body=whole("responses", Spoken('{"answer": ["a"]}'))))

    answer = await provider.complete(asking(output_schema={"type": "array", "items": {"type": "string"}}))

    schema = peer.asked[0].body["text"]["format"]["schema"]
    assert (schema["properties"], schema["required"]) == (
        {"answer": {"type": "array", "items": {"type": "string"}}},
        ["answer"],
    )
    assert answer.text == '["a"]'


async def test_what_a_model_thought_goes_back_with_its_call_to_itself_alone(open_at: Open) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "system_create_role", "arguments": "{}"}
    provider, peer = open_at(said(output=[thought, call]), said())

    asked = await provider.complete(asking(model="gpt-6-luna", tools=(CREATE_ROLE,)))
    told = (
        UserMessage("Hello"),
        AssistantMessage(asked.text, asked.tool_calls),
        ToolMessage("c1", "system.create_role", "ok"),
    )
    for model in ("gpt-6-luna", "gpt-6-sol"):
        await provider.complete(Request(model=model, system="", messages=told, tools=(CREATE_ROLE,)))

    again, elsewhere = ([item.get("type") for item in asked.body["input"]] for asked in peer.asked[1:])
    assert again == [None, "reasoning", "function_call", "function_call_output"]
    assert elsewhere == [None, "function_call", "function_call_output"]
    assert peer.asked[1].body["input"][1] == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    assert peer.asked[0].body["include"] == ["reasoning.encrypted_content"]


async def test_an_answer_cut_off_says_so(open_at: Open) -> None:
    provider, _ = open_at(Reply(body=whole("responses", Spoken("And then", at_limit=True))))

    answer = await provider.complete(asking())

    assert (answer.text, answer.stop) == ("And then", "length")


async def test_a_model_that_declines_is_not_asked_again(open_at: Open) -> None:
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I won't."}]}
    provider, _ = open_at(
        said(output=[refusal]), said(status="incomplete", incomplete_details={"reason": "content_filter"})
    )

    failures = [await failure_of(provider), await failure_of(provider)]

    assert [failure.retryable for failure in failures] == [False, False]
    assert failures[0].message == "openai/small declined to answer: I won't."


@pytest.mark.parametrize(
    ("changes", "code", "retryable"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "oops"}}, "MODEL_ERROR", True),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, "RATE_LIMITED", True),
        ({"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}}, "MODEL_ERROR", False),
        ({"status": "failed"}, "MODEL_ERROR", True),
        ({"status": "cancelled"}, "MODEL_ERROR", True),
        ({"status": "queued", "output": []}, "MODEL_ERROR", True),
        ({"status": "completed", "output": []}, "OUTPUT_INVALID", True),
        ({"status": "completed", "output": None}, "OUTPUT_INVALID", True),
        ({"status": 3}, "MODEL_ERROR", True),
        ({"output": [{"type": "message", "content": 3}]}, "MODEL_ERROR", True),
        (
            {"output": [{"type": "function_call", "call_id": "c", "name": "x", "arguments": "{"}]},
            "OUTPUT_INVALID",
            True,
        ),
    ],
)
async def test_what_did_not_work_is_no_answer(
    open_at: Open, changes: dict[str, Any], code: str, retryable: bool
) -> None:
    provider, _ = open_at(said(**changes))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == (code, retryable)


async def test_items_that_only_the_stream_told_are_read(open_at: Open) -> None:
    items = whole("responses", Spoken("Hi."))["output"]
    told = [
        {"type": "response.output_item.done", "output_index": place, "item": item} for place, item in enumerate(items)
    ]
    last = {"type": "response.completed", "response": {**whole("responses", Spoken("Hi.")), "output": []}}
    provider, _ = open_at(Reply(pieces=events(*reversed(told), last)))

    assert (await provider.complete(asking())).text == "Hi."
