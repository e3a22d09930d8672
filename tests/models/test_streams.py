"""Answers that come in pieces: put together, cut, silent, endless, or not an answer at all."""

import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from services.failure import Failed, Failure
from services.models.messages import Usage
from services.models.presets import provider_of
from services.models.provider import Provider
from tests.models.conversations import CREATE_ROLE, asking
from tests.models.peer import Peer, Reply, events, peer_with
from tests.models.spoken import Spoken, in_events, whole

KEY = "sk-planted-secret"
SPEAKS = {"chat": "compatible", "responses": "openai", "messages": "anthropic"}
SAID = Spoken(
    "Let me see.",
    (("call_1", "system_create_role", '{"name": "reader"}'), ("call_2", "system_create_role", "{}")),
    cached_tokens=40,
)
HI = Spoken("Hello there, who are you?")

OpenAt = Callable[..., tuple[Provider, Peer]]


@pytest.fixture(params=sorted(SPEAKS))
def api(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def open_at(api: str) -> AsyncIterator[OpenAt]:
    """Opens a provider that speaks the API at a peer with a script; both are closed afterwards."""
    with ExitStack() as peers:
        async with AsyncExitStack() as providers:

            def opened(*script: Reply, **rest: Any) -> tuple[Provider, Peer]:
                peer = peers.enter_context(peer_with(*script))
                url = peer.url if api == "messages" else f"{peer.url}/v1"
                provider = provider_of(SPEAKS[api], name="p", api_key=KEY, base_url=url, **rest)
                providers.push_async_callback(provider.close)
                return provider, peer

            yield opened


async def failure_of(provider: Provider, **request: Any) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.complete(asking(**request))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value.failure


async def test_what_comes_in_pieces_is_what_comes_whole(api: str, open_at: OpenAt) -> None:
    provider, _ = open_at(Reply(pieces=events(*in_events(api, SAID))), Reply(body=whole(api, SAID)))

    heard: list[str] = []
    in_pieces = await provider.complete(asking(tools=(CREATE_ROLE,)), heard.append)
    at_once = await provider.complete(asking(tools=(CREATE_ROLE,)))

    assert in_pieces == at_once
    assert (in_pieces.text, in_pieces.usage) == ("Let me see.", Usage(100, 20, None, 40))
    assert heard == ["Let ", "me s", "ee."]


async def test_pieces_are_heard_before_the_answer_is_over(api: str, open_at: OpenAt) -> None:
    begun = events(*in_events(api, HI)[:-3])
    provider, peer = open_at(Reply(pieces=begun, then="fall silent"))

    def first(_piece: str) -> None:
        peer.is_over.set()

    with pytest.raises(Failed):
        await provider.complete(asking(), first)
    assert peer.is_over.is_set()


async def test_a_stream_is_no_answer_wherever_it_is_cut(api: str, open_at: OpenAt) -> None:
    told = events(*in_events(api, SAID))
    # Chat completions say why they stop, then what was counted, then that they are over: two may be missing.
    last = len(told) - (2 if api == "chat" else 0)
    ends = [Reply(pieces=told[:count]) for count in range(last)]
    breaks = [Reply(pieces=told[:count], then="hang up") for count in range(last)]
    provider, _ = open_at(*ends, *breaks)

    failures = [await failure_of(provider, tools=(CREATE_ROLE,)) for _ in (*ends, *breaks)]

    assert {(failure.code, failure.retryable) for failure in failures} == {("MODEL_ERROR", True)}
    assert all("p/small broke off (" in failure.message for failure in failures)


async def test_an_event_that_is_cut_in_its_middle_is_no_event(api: str, open_at: OpenAt) -> None:
    told = b"".join(events(*in_events(api, HI)))
    provider, _ = open_at(Reply(pieces=(told[: len(told) // 2],)))

    assert "broke off (" in (await failure_of(provider)).message


async def test_bytes_may_be_cut_anywhere(api: str, open_at: OpenAt) -> None:
    said = Spoken("Größe: 10 µm — 漢字 🙂")
    told = b"".join(events(*in_events(api, said)))
    provider, _ = open_at(Reply(pieces=tuple(told[at : at + 1] for at in range(len(told)))))

    assert (await provider.complete(asking())).text == said.text


@pytest.mark.parametrize("data", ["<html>", "", "3", "[]", '{"choices": 3, "type": 3}', '{"delta": {}}}', "{" * 90_000])
async def test_an_event_that_is_none_is_the_endpoints_fault(api: str, open_at: OpenAt, data: str) -> None:
    provider, _ = open_at(Reply(pieces=events(data, *in_events(api, HI))))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert "no completion" in failure.message


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [
        ("overloaded_error", "MODEL_ERROR", True),
        ("server_error", "MODEL_ERROR", True),
        ("rate_limit_error", "RATE_LIMITED", True),
        ("insufficient_quota", "MODEL_ERROR", False),
        ("invalid_request_error", "MODEL_ERROR", False),
        ("nobody_knows", "MODEL_ERROR", True),
    ],
)
async def test_an_error_in_the_stream_is_sorted_as_its_status_would_be(
    api: str, open_at: OpenAt, kind: str, code: str, retryable: bool
) -> None:
    error = {"type": "error", "error": {"type": kind, "code": kind, "message": f"not with {KEY}"}}
    provider, _ = open_at(Reply(pieces=events(*in_events(api, HI)[:3], error)))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == (code, retryable)
    assert f"not with *** ({kind})" in failure.message


async def test_silence_in_the_middle_is_noticed_before_the_time_is_over(api: str, open_at: OpenAt) -> None:
    begun = events(*in_events(api, HI)[:3])
    provider, _ = open_at(Reply(pieces=begun, then="fall silent"), idle_seconds=0.2)

    failure = await failure_of(provider, timeout_seconds=60.0)

    assert failure == Failure(
        code="TIMEOUT", message="p/small began to answer and was then silent for 0.2 s", retryable=True
    )


async def test_the_whole_time_bounds_an_answer_that_goes_on(api: str, open_at: OpenAt) -> None:
    begun = events(*in_events(api, HI)[:3])
    provider, _ = open_at(Reply(pieces=begun, then="fall silent"), timeout_seconds=0.2)

    failure = await failure_of(provider, timeout_seconds=60.0)

    assert failure == Failure(code="TIMEOUT", message="p/small did not answer within 0.2 s", retryable=True)


async def test_an_answer_without_end_is_given_up(api: str, open_at: OpenAt) -> None:
    opening, *_ = events(*in_events(api, HI))
    [grown] = [told for told in in_events(api, Spoken("x" * 2**20), 2**20) if "x" * 2**20 in str(told)][:1]
    provider, _ = open_at(Reply(pieces=(opening, *events(*[grown] * 80))))

    failure = await failure_of(provider)

    assert (failure.code, failure.retryable) == ("OUTPUT_INVALID", False)
    assert "more than can be kept" in failure.message


async def test_an_event_without_end_is_given_up(api: str, open_at: OpenAt) -> None:
    provider, _ = open_at(Reply(pieces=(b"data: ", *[b"x" * 2**20] * 20)))

    assert "more than can be kept" in (await failure_of(provider)).message


async def test_connections_are_used_again(api: str, open_at: OpenAt) -> None:
    provider, peer = open_at(Reply(pieces=events(*in_events(api, HI))), Reply(body=whole(api, HI)))

    answers = [await provider.complete(asking()) for _ in range(6)]

    assert len(set(map(str, answers))) == 1
    assert (len(peer.asked), peer.connections) == (6, 1)


async def test_keys_are_in_no_log(api: str, open_at: OpenAt, caplog: pytest.LogCaptureFixture) -> None:
    error = {"error": {"message": f"{KEY} is not right", "type": "authentication_error"}}
    provider, peer = open_at(Reply(pieces=events(*in_events(api, HI))), Reply(401, error))

    with caplog.at_level(logging.DEBUG):
        await provider.complete(asking())
        failure = await failure_of(provider)

    assert all(KEY in asked.authorization for asked in peer.asked)
    assert caplog.records, "the SDKs do log"
    assert KEY not in "".join(str(vars(record)) for record in caplog.records)
    assert "*** is not right" in failure.message


async def test_what_the_environment_says_for_openai_is_told_to_nobody_else(
    open_at: OpenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_AUTH_TOKEN", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(variable, "planted-by-the-environment")
    provider, peer = open_at(Reply(pieces=()))

    await failure_of(provider)

    assert "planted-by-the-environment" not in str(peer.asked)


async def test_nobody_is_sent_elsewhere_with_a_key(open_at: OpenAt) -> None:
    with peer_with(Reply(body={})) as elsewhere:
        provider, _ = open_at(Reply(307, None, {"Location": elsewhere.url}))

        failure = await failure_of(provider)

        assert elsewhere.asked == []
    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)
    assert "answered 307" in failure.message


async def test_an_error_counts_however_long_its_body_is_or_where_it_ends(open_at: OpenAt) -> None:
    long = Reply(429, b"x" * 2**22, {"Retry-After": "3"})
    cut = Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "3"}, missing_bytes=100)
    provider, _ = open_at(long, cut)

    failures = [await failure_of(provider), await failure_of(provider)]

    assert [(failure.code, failure.retry_after_seconds) for failure in failures] == [("RATE_LIMITED", 3.0)] * 2
    assert all(len(failure.message) < 500 for failure in failures)


async def test_a_body_without_end_is_given_up(open_at: OpenAt) -> None:
    provider, _ = open_at(Reply(body=b" " * (2**24 + 1)))

    assert "more than can be kept" in (await failure_of(provider)).message
