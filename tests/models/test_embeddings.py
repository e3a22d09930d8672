"""Vectors of texts: in order, all of them, and a clear failure where there are none."""

from typing import Any

import pytest

from services.failure import Failed, Failure
from services.models.messages import Embeddings, Usage
from services.models.offline.provider import OfflineProvider
from services.models.presets import PRESETS, provider_of
from services.models.provider import Provider
from tests.models.aimock import Aimock
from tests.models.peer import Reply, peer_with

WITH = sorted(name for name, preset in PRESETS.items() if preset.capabilities.embeddings)
WITHOUT = sorted(set(PRESETS) - set(WITH))


def vectors(*numbered: tuple[int, list[Any]], tokens: int = 7) -> Reply:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in numbered]
    return Reply(body={"object": "list", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


async def embedded(reply: Reply, *texts: str) -> Embeddings:
    with peer_with(reply) as peer:
        provider = provider_of("compatible", base_url=f"{peer.url}/v1")
        try:
            return await provider.embed("tiny", texts)
        finally:
            await provider.close()


async def failure_of(provider: Provider) -> Failure:
    with pytest.raises(Failed) as caught:
        await provider.embed("tiny", ["a"])
    return caught.value.failure


@pytest.mark.parametrize("preset", WITH)
async def test_each_text_gets_its_vector(preset: str, aimock: Aimock) -> None:
    for text, vector in (("cat", [1.0, 0.0]), ("dog", [0.5, 0.5])):
        aimock.teach({"embedding": vector}, match={"inputText": text})
    provider = provider_of(preset, api_key="k", base_url=aimock.openai_url)

    found = [(await provider.embed("tiny", [text])).vectors for text in ("cat", "dog")]
    await provider.close()

    assert found == [[[1.0, 0.0]], [[0.5, 0.5]]]
    [first, _] = aimock.heard()
    assert (first.path, first.body["model"], first.headers["authorization"]) == ("/v1/embeddings", "tiny", "[REDACTED]")


async def test_vectors_come_in_the_order_of_their_texts() -> None:
    found = await embedded(vectors((1, [2, 0.5]), (0, [1, 0.5])), "a", "b")

    assert found == Embeddings([[1.0, 0.5], [2.0, 0.5]], Usage(input_tokens=7), "compatible/tiny")


async def test_many_texts_go_a_hundred_at_a_time() -> None:
    batches = [vectors(*((place, [float(place)]) for place in range(size))) for size in (100, 100, 1)]
    with peer_with(*batches) as peer:
        provider = provider_of("compatible", base_url=f"{peer.url}/v1")

        found = await provider.embed("tiny", [str(number) for number in range(201)])
        await provider.close()

    assert [len(asked.body["input"]) for asked in peer.asked] == [100, 100, 1]
    assert (len(found.vectors), found.usage.input_tokens) == (201, 21)


async def test_nothing_is_asked_for_no_texts() -> None:
    with peer_with(Reply()) as peer:
        provider = provider_of("compatible", base_url=f"{peer.url}/v1")

        found = await provider.embed("tiny", [])
        await provider.close()

    assert (found.vectors, peer.asked) == ([], [])


@pytest.mark.parametrize(
    "reply",
    [
        vectors((0, [1.0])),
        vectors((0, [1.0]), (0, [1.0])),
        vectors((0, [1.0]), (1, [1.0]), (2, [1.0])),
        vectors((0, [1.0]), (1, [1.0, 2.0])),
        vectors((0, [1.0]), (1, [])),
        vectors((0, [1.0]), (1, [None])),
        Reply(body={"data": 3}),
        Reply(body=b"<html>"),
        Reply(body=b'{"data":[{"index":0,"embedding":[1e999]},{"index":1,"embedding":[1]}]}'),
    ],
)
async def test_what_is_not_a_vector_for_each_text_is_the_endpoints_fault(reply: Reply) -> None:
    with pytest.raises(Failed) as caught:
        await embedded(reply, "a", "b")

    failure = caught.value.failure
    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.startswith("compatible/tiny answered with a body that is no completion (")


async def test_errors_are_sorted_as_those_of_answers_are() -> None:
    with peer_with(Reply(429, {"error": {"message": "slow"}}, {"Retry-After": "2"})) as peer:
        provider = provider_of("compatible", base_url=f"{peer.url}/v1")

        failure = await failure_of(provider)
        await provider.close()

    assert (failure.code, failure.retry_after_seconds) == ("RATE_LIMITED", 2.0)


@pytest.mark.parametrize("preset", WITHOUT)
async def test_who_has_none_names_who_has(preset: str) -> None:
    failure = await failure_of(provider_of(preset, api_key="k", base_url="http://127.0.0.1:9"))

    assert (failure.code, failure.retryable) == ("MODEL_ERROR", False)
    assert f"{preset}/tiny has no embeddings; use a model of a provider that has: openai" in failure.message


async def test_there_are_none_offline() -> None:
    assert "offline/tiny has no embeddings" in (await failure_of(OfflineProvider())).message
