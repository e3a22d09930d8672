"""The limiter of a provider: nothing goes out beyond its limits, and nobody who leaves takes a permit along."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.failure import Failed
from services.models.limits import Limiter, Limits
from tests.models.clock import run

Clock = Callable[[], float]


class Caller(msgspec.Struct, frozen=True):
    """Who comes `at` some second with so many tokens, reaches the provider `travel` seconds after it may, is
    answered `seconds` after that, and goes away after `patience` seconds of waiting, refused or by itself.
    """

    at: float
    tokens: int
    travel: float
    seconds: float
    patience: float
    is_stopped: bool


class Seen(msgspec.Struct):
    """What happens: who came to the limiter, who got a permit, and what the provider sees."""

    came: list[int] = []
    arrived: list[tuple[float, int]] = []
    turns: list[int] = []
    under_way: int = 0
    most_under_way: int = 0


async def calling(limiter: Limiter, clock: Clock, caller: Caller, number: int, seen: Seen) -> None:
    await asyncio.sleep(caller.at)
    waiting = asyncio.timeout(caller.patience) if caller.is_stopped else asyncio.timeout(None)
    with suppress(TimeoutError, Failed):
        async with waiting:
            seen.came.append(number)
            permit = await limiter.permit(caller.tokens, 10_000.0 if caller.is_stopped else caller.patience)
            waiting.reschedule(None)
            seen.turns.append(number)
            seen.under_way += 1
            seen.most_under_way = max(seen.most_under_way, seen.under_way)
            await asyncio.sleep(caller.travel)
            seen.arrived.append((clock(), caller.tokens))
            await asyncio.sleep(caller.seconds)
            seen.under_way -= 1
            permit.end(caller.tokens)


seconds = st.integers(0, 90).map(float)
callers = st.builds(
    Caller,
    at=st.integers(0, 40).map(float),
    tokens=st.integers(0, 30),
    travel=st.integers(0, 9).map(float),
    seconds=seconds,
    patience=st.sampled_from([5.0, 60.0, 10_000.0]),
    is_stopped=st.booleans(),
)
limits = st.builds(
    Limits,
    max_concurrent=st.none() | st.integers(1, 4),
    requests_per_minute=st.none() | st.integers(1, 6),
    tokens_per_minute=st.none() | st.integers(20, 60),
)


@given(limits, st.lists(callers, max_size=20), st.lists(st.tuples(seconds, seconds), max_size=2))
def test_no_minute_has_more_than_the_limits_allow_and_each_is_served_in_turn(
    limits: Limits, callers: list[Caller], pauses: list[tuple[float, float]]
) -> None:
    async def scene(clock: Clock) -> Seen:
        limiter, seen = Limiter("peer", limits, clock=clock), Seen()

        async def pause(at: float, length: float) -> None:
            await asyncio.sleep(at)
            limiter.close_for(length, "it said so")

        async with asyncio.TaskGroup() as tasks:
            for number, caller in enumerate(callers):
                tasks.create_task(calling(limiter, clock, caller, number, seen))
            for at, length in pauses:
                tasks.create_task(pause(at, length))
        await asyncio.sleep(1_000)
        # Whatever became of them, all turns are back.
        for _ in range(limits.max_concurrent or 1):
            (await limiter.permit(1, 200.0)).give_back()
        return seen

    seen = run(scene)

    times = sorted(at for at, _ in seen.arrived)
    if limits.max_concurrent is not None:
        assert seen.most_under_way <= limits.max_concurrent
    if (most := limits.requests_per_minute) is not None:
        assert all(later - earlier >= 60.0 for earlier, later in zip(times, times[most:], strict=False))
    if limits.tokens_per_minute is not None:
        for at in times:
            minute = [tokens for then, tokens in seen.arrived if at <= then < at + 60.0]
            assert sum(minute) <= limits.tokens_per_minute or len([tokens for tokens in minute if tokens]) == 1
    assert seen.turns == [number for number in seen.came if number in seen.turns]
    patient = [caller.patience == 10_000.0 for caller in callers]
    assert all(number in seen.turns for number, is_patient in enumerate(patient) if is_patient)


def test_a_pause_that_the_provider_asks_for_is_kept_and_refuses_who_cannot_wait_so_long() -> None:
    async def scene(clock: Clock) -> tuple[float, Failed, float]:
        limiter = Limiter("peer", clock=clock)
        (await limiter.permit(0, 1.0)).end(None)
        limiter.close_for(30.0, "peer/small answered 429: slow down")
        with pytest.raises(Failed) as refused:
            await limiter.permit(0, 60.0, patience_seconds=5.0)
        refused_at = clock()
        await limiter.permit(0, 60.0)
        return refused_at, refused.value, clock()

    refused_at, refused, admitted_at = run(scene)

    assert (refused_at, admitted_at) == (0.0, 30.0)
    assert refused.failure.code == "RATE_LIMITED"
    assert refused.failure.retry_after_seconds == 30.0
    assert refused.failure.message == "peer is not called for another 30 s: peer/small answered 429: slow down"


def test_who_waits_already_is_refused_as_soon_as_it_is_in_vain() -> None:
    async def scene(clock: Clock) -> list[tuple[float, str]]:
        limiter, ends = Limiter("peer", Limits(max_concurrent=1), clock=clock), list[tuple[float, str]]()
        permit = await limiter.permit(0, 1.0)

        async def wait(within: float) -> None:
            try:
                (await limiter.permit(0, within)).end(None)
                ends.append((clock(), "called"))
            except Failed as error:
                ends.append((clock(), error.failure.code))

        async with asyncio.TaskGroup() as tasks:
            for within in (20.0, 60.0):
                tasks.create_task(wait(within))
            await asyncio.sleep(3)
            limiter.close_for(30.0, "later")
            permit.end(None)
        return ends

    assert run(scene) == [(3.0, "RATE_LIMITED"), (33.0, "called")]


def test_a_call_larger_than_the_limit_goes_alone_in_its_minute() -> None:
    async def scene(clock: Clock) -> list[float]:
        limiter, times = Limiter("peer", Limits(tokens_per_minute=100), clock=clock), list[float]()
        for tokens in (1_000, 60, 60):
            (await limiter.permit(tokens, 1_000.0)).end(tokens)
            times.append(clock())
        return times

    assert run(scene) == [0.0, 60.0, 120.0]


def test_what_an_answer_took_counts_once_it_is_known() -> None:
    async def scene(clock: Clock) -> list[float]:
        limiter, times = Limiter("peer", Limits(tokens_per_minute=100), clock=clock), list[float]()
        for estimated, used in ((90, 10), (80, 95), (10, 10)):
            (await limiter.permit(estimated, 1_000.0)).end(used)
            times.append(clock())
        return times

    assert run(scene) == [0.0, 0.0, 60.0]


def test_other_limits_hold_at_once() -> None:
    async def scene(clock: Clock) -> float:
        limiter = Limiter("peer", Limits(max_concurrent=1), clock=clock)
        await limiter.permit(0, 1.0)
        waiting = asyncio.create_task(limiter.permit(0, 100.0))
        await asyncio.sleep(2)
        limiter.use(Limits(max_concurrent=2))
        await waiting
        return clock()

    assert run(scene) == 2.0


def test_the_most_that_a_minute_can_have_is_used() -> None:
    async def scene(clock: Clock) -> list[float]:
        limiter, times = Limiter("peer", Limits(requests_per_minute=60), clock=clock), list[float]()
        for _ in range(150):
            (await limiter.permit(0, 1_000.0)).end(None)
            times.append(clock())
        return times

    times = run(scene)

    assert [bisect_left(times, at) for at in (1.0, 61.0, 121.0)] == [60, 120, 150]
