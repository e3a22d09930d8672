"""What becomes of a call when a provider fails, over the real SDK: who is asked next, what is kept, what is paid."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from socket import socket
from typing import Any

import pytest

from services import health
from services.engine.core.events import ModelCall
from services.failure import Failed, failed
from services.models.breaker import OPENS_AFTER
from services.models.catalog import Models
from services.models.configuration import Configuration
from services.models.limits import Limits
from services.models.messages import Usage
from services.models.presets import provider_of
from services.models.prices import Price, PriceList
from services.models.purse import Estimate
from services.models.selection import ModelConstraints, Offer
from tests.models.conversations import asking
from tests.models.peer import Peer, Reply, completion, peer_with

ANY = ModelConstraints()
BUSY = Reply(503, {"error": {"message": "overloaded"}})
PRICES = PriceList({"a/m": Price(Decimal(1), Decimal(2), version="row:7")}, listed={})


class Kept:
    """What a call leaves behind: records, pieces, and what was done with the money."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []
        self.pieces: list[str] = []
        self.booked: list[Any] = []
        self.reserved: list[Estimate] = []

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(call.model, call.outcome) for call in self.calls]

    async def reserve(self, estimate: Estimate) -> "Kept":
        self.reserved.append(estimate)
        return self

    async def settle(self, usage: Usage) -> None:
        self.booked.append(usage)

    async def release(self) -> None:
        self.booked.append("released")

    async def forfeit(self) -> None:
        self.booked.append("forfeited")

    @property
    def listening(self) -> dict[str, Any]:
        """What `Models.complete` is given so that all is kept."""
        return {
            "emit": self.pieces.append,
            "on_call": self.calls.append,
            "purse": self,
            "anew": lambda: self.pieces.append("<anew>"),
        }


@asynccontextmanager
async def providers(*scripts: tuple[Reply, ...], **limits: Limits) -> AsyncIterator[tuple[Models, list[Peer]]]:
    """Models `a/m`, `b/m` and so on, each with a peer that follows its script; without one it refuses connections."""
    with ExitStack() as stack:
        peers: list[Peer] = []
        for script in scripts:
            if script:
                peers.append(stack.enter_context(peer_with(*script)))
            else:
                unused = stack.enter_context(socket())
                unused.bind(("127.0.0.1", 0))
                peers.append(Peer(f"http://127.0.0.1:{unused.getsockname()[1]}", ()))
        named = dict(zip("abc", peers, strict=False))
        models = Models({}, ())
        models.use(
            Configuration(
                providers={
                    name: provider_of("compatible", name=name, base_url=f"{peer.url}/v1")
                    for name, peer in named.items()
                },
                offers=tuple([Offer(name, "m", ("tools", "json")) for name in named]),
                limits=limits,
                prices=PRICES,
            )
        )
        yield models, peers
        await models.close()


@pytest.mark.parametrize(
    ("fault", "code", "booked"),
    [
        ((), "MODEL_ERROR", "released"),
        ((BUSY,), "MODEL_ERROR", "released"),
        ((Reply(500, {"error": {"message": "oops"}}),), "MODEL_ERROR", "forfeited"),
        ((Reply(401, {"error": {"message": "bad key"}}),), "MODEL_ERROR", "released"),
        ((Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "30"}),), "RATE_LIMITED", "released"),
        ((Reply(body=b"<html>"),), "MODEL_ERROR", "forfeited"),
        ((Reply(body={"choices": []}, missing_bytes=10),), "MODEL_ERROR", "forfeited"),
    ],
    ids=["refused connection", "503", "500", "401", "429", "malformed", "truncated"],
)
async def test_when_a_provider_fails_the_next_one_is_asked(fault: tuple[Reply, ...], code: str, booked: str) -> None:
    kept = Kept()
    async with providers(fault, (completion("Hi."),)) as (models, peers):
        answer = await models.complete(ANY, asking(), **kept.listening)

    assert (answer.text, answer.model) == ("Hi.", "b/m")
    assert kept.outcomes == [("a/m", code), ("b/m", "answered")]
    assert [call.cost_usd for call in kept.calls] == [Decimal(0) if booked == "released" else None, None]
    assert kept.calls[1].reason == f"the next available model; a/m gave {code}"
    assert kept.booked == [booked, Usage(100, 20)]
    assert [len(peer.asked) for peer in peers] == [1 if fault else 0, 1]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_question_that_one_provider_does_not_take_is_put_to_no_other(status: int) -> None:
    kept = Kept()
    async with providers((Reply(status, {"error": {"message": "no"}}),), (completion("Hi."),)) as (models, peers):
        with pytest.raises(Failed) as caught:
            await models.complete(ANY, asking(), **kept.listening)

    assert (caught.value.failure.code, caught.value.failure.retryable) == ("MODEL_ERROR", False)
    assert kept.outcomes == [("a/m", "MODEL_ERROR")]
    assert kept.booked == ["released"]
    assert peers[1].asked == []


async def test_an_answer_is_recorded_with_its_price_and_settled() -> None:
    kept = Kept()
    async with providers((completion("Hi."),)) as (models, _):
        answer = await models.complete(ANY, asking(max_output_tokens=50), **kept.listening)

    (call,) = kept.calls
    assert answer.usage == Usage(100, 20, Decimal("0.00014"))
    assert (call.reason, call.price, call.cost_usd) == ("the default model", "row:7", Decimal("0.00014"))
    assert kept.booked == [answer.usage]
    (estimate,) = kept.reserved
    assert (estimate.model, estimate.max_output_tokens) == ("a/m", 50)
    assert estimate.at_most_usd is not None
    assert estimate.at_most_usd > Decimal("0.00014")


async def test_what_all_have_failed_with_is_told_and_who_may_do_better_is_waited_for() -> None:
    kept = Kept()
    bad_key = Reply(401, {"error": {"message": "bad key"}})
    async with providers((bad_key,), (BUSY,), (bad_key,)) as (models, _):
        with pytest.raises(Failed) as caught:
            await models.complete(ANY, asking(), **kept.listening)

    failure = caught.value.failure
    assert (failure.code, failure.retryable) == ("MODEL_ERROR", True)
    assert failure.message.startswith("b/m answered 503: overloaded; a/m answered 401: bad key")
    assert "c/m answered 401" in failure.message
    assert [call.outcome for call in kept.calls] == ["MODEL_ERROR"] * 3


async def test_a_purse_that_is_empty_asks_nobody() -> None:
    class Empty(Kept):
        async def reserve(self, estimate: Estimate) -> Kept:
            raise failed("BUDGET_EXCEEDED", "nothing left")

    kept = Empty()
    async with providers((completion("Hi."),), (completion("Hi."),), a=Limits(max_concurrent=1)) as (models, peers):
        for _ in range(2):
            with pytest.raises(Failed, match="BUDGET_EXCEEDED"):
                await models.complete(ANY, asking(), **kept.listening)
        kept.calls.clear()
        answer = await models.complete(ANY, asking())

    assert answer.model == "a/m"
    assert [len(peer.asked) for peer in peers] == [1, 0]


async def test_what_was_told_of_an_answer_that_broke_off_is_taken_back() -> None:
    kept = Kept()
    begun = b'data: {"choices":[{"index":0,"delta":{"content":"The answer is"}}]}\n\n'
    cut = Reply(body=begun, headers={"Content-Type": "text/event-stream"}, missing_bytes=100)
    async with providers((cut,), (completion("Hi."),)) as (models, _):
        await models.complete(ANY, asking(), **kept.listening)

    assert kept.pieces == ["The answer is", "<anew>", "Hi."]


async def test_a_pause_that_a_provider_asks_for_is_kept_by_all_calls() -> None:
    kept = Kept()
    slow_down = Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "3600"})
    async with providers((slow_down, completion("Hi."))) as (models, peers):
        codes: list[str] = []
        for _ in range(3):
            with pytest.raises(Failed) as caught:
                await models.complete(ANY, asking(timeout_seconds=30.0), **kept.listening)
            codes.append(caught.value.failure.code)

    assert codes == ["RATE_LIMITED"] * 3
    assert caught.value.failure.retry_after_seconds == pytest.approx(3600, abs=5)
    assert len(peers[0].asked) == 1
    assert [call.cost_usd for call in kept.calls] == [Decimal(0)] * 3
    assert kept.booked == ["released"]


async def test_a_model_whose_calls_keep_failing_is_left_alone_and_fails_fast() -> None:
    kept = Kept()
    async with providers((BUSY,)) as (models, peers):
        for _ in range(OPENS_AFTER):
            with pytest.raises(Failed, match="MODEL_ERROR"):
                await models.complete(ANY, asking())
        with pytest.raises(Failed) as caught:
            await models.complete(ANY, asking(), **kept.listening)
        state = models.health()["a/m"].state
        problems = (await health.check(models, None)).problems

    assert (caught.value.failure.code, caught.value.failure.retryable) == ("PROVIDER_UNAVAILABLE", True)
    assert caught.value.failure.retry_after_seconds == pytest.approx(10, abs=2)
    assert len(peers[0].asked) == OPENS_AFTER
    assert state == "down"
    assert problems[-1].startswith("The model a/m is left alone for a while: its last 5 calls failed: MODEL_ERROR.")
    assert kept.booked == []


async def test_who_gives_a_model_no_time_does_not_have_it_taken_for_broken() -> None:
    async with providers((Reply(never=True),)) as (models, peers):
        for _ in range(OPENS_AFTER + 1):
            with pytest.raises(Failed, match="TIMEOUT"):
                await models.complete(ANY, asking(timeout_seconds=0.05))

    assert models.health()["a/m"].state == "unknown"
    assert len(peers[0].asked) <= OPENS_AFTER + 1


async def test_a_provider_of_its_own_patience_leaves_time_for_the_next() -> None:
    kept = Kept()
    slow = Limits(timeout_seconds=0.1)
    async with providers((Reply(never=True),), (completion("Hi."),), a=slow) as (models, _):
        answer = await models.complete(ANY, asking(timeout_seconds=30.0), **kept.listening)

    assert answer.model == "b/m"
    assert kept.outcomes == [("a/m", "TIMEOUT"), ("b/m", "answered")]
    assert kept.booked[0] == "forfeited"


async def test_a_call_that_is_stopped_is_recorded_paid_for_and_gives_its_turn_back() -> None:
    kept = Kept()
    async with providers((Reply(never=True), completion("Hi.")), a=Limits(max_concurrent=1)) as (models, peers):
        call = asyncio.create_task(models.complete(ANY, asking(), **kept.listening))
        await asyncio.to_thread(peers[0].wait_until_asked)
        waiting = asyncio.create_task(models.complete(ANY, asking()))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        answer = await waiting

    assert answer.text == "Hi."
    assert kept.outcomes == [("a/m", "CANCELLED")]
    assert kept.calls[0].cost_usd is None
    assert kept.booked == ["forfeited"]


async def test_an_answer_is_not_lost_when_it_cannot_be_booked() -> None:
    class Broken(Kept):
        async def settle(self, usage: Usage) -> None:
            raise ConnectionError("the database is away")

    kept = Broken()
    async with providers((completion("Hi."),)) as (models, _):
        answer = await models.complete(ANY, asking(), **kept.listening)

    assert (answer.text, kept.outcomes) == ("Hi.", [("a/m", "answered")])


async def test_no_more_than_four_are_asked_and_of_who_cannot_be_reached_only_one_model() -> None:
    kept = Kept()
    async with providers((), (BUSY,)) as (models, _):
        unreached = [Offer("a", f"m{n}") for n in range(10)]
        busy = [Offer("b", f"m{n}") for n in range(10)]
        configuration = models.configuration
        models.use(
            Configuration(providers=configuration.providers, offers=(*unreached, *busy), limits={}, prices=PRICES)
        )
        with pytest.raises(Failed):
            await models.complete(ANY, asking(), **kept.listening)

    assert [call.model for call in kept.calls] == ["a/m0", "b/m0", "b/m1", "b/m2"]


async def test_embeddings_take_their_turn_and_are_recorded_like_answers() -> None:
    kept = Kept()
    vectors = Reply(
        body={
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            "model": "m",
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        }
    )
    async with providers((vectors,)) as (models, _):
        found = await models.embed("a/m", ["Hello"], purse=kept, on_call=kept.calls.append)
        with pytest.raises(Failed, match="NO_MODEL"):
            await models.embed("nobody/m", ["Hello"])

    assert found.vectors == [[0.5, 0.25]]
    assert (kept.calls[0].reason, kept.calls[0].input_tokens) == ("asked for as 'a/m'", 4)
    assert kept.booked == [Usage(4, 0, Decimal("0.000004"))]
