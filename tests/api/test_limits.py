"""Limits: how fast and how much at once, for whom, and what is never limited."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import refusal
from api.gate import gate
from api.limits import Attempts, Limits, Permits, Rate
from api.policy import Known, Public
from api.rpc import RpcError, query, subscription
from api.rpc.calls import Calls
from services import tokens
from services.caller import OPERATOR, Caller
from services.errors import LimitExceeded, Unavailable
from services.principal import Principal
from services.settings import Settings
from tests.api.client import Api, Reply
from tests.api.conftest import serving
from tests.conftest import CopyOf

WHOAMI = "/trpc/system.whoami"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@given(
    per_second=st.integers(1, 100),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 0.5), max_size=200),
)
def test_no_stretch_of_time_holds_more_than_the_burst_and_the_rate(
    per_second: int, burst: int, gaps: list[float]
) -> None:
    rate, now, passed = Rate(per_second, burst), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if rate.wait_seconds("anna", now) == 0.0:
            rate.count("anna", now)
            passed.append(now)

    for first, start in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= burst + (end - start) * per_second + 1e-6


@given(per_second=st.integers(1, 100), burst=st.integers(1, 50), asked=st.integers(1, 60))
def test_whoever_waits_as_long_as_told_may_go_on(per_second: int, burst: int, asked: int) -> None:
    rate, now = Rate(per_second, burst), 0.0
    for _ in range(asked):
        now += rate.wait_seconds("anna", now)
        assert rate.wait_seconds("anna", now) < 1e-9
        rate.count("anna", now)

    assert now >= (asked - burst) / per_second - 1e-6


def test_many_at_once_hold_nobody_up_for_longer_than_one() -> None:
    rate = Rate(per_second=2, burst=3)
    for _ in range(1_000):
        rate.count("anna", 0.0)

    assert rate.wait_seconds("anna", 0.0) == pytest.approx(0.5)


def test_what_was_good_and_is_no_more_is_held_up_like_anything_else() -> None:
    attempts = Attempts(Settings(failed_sign_ins_per_minute=1), clock=Clock())
    attempts.worked(b"revoked since")

    attempts.attempt("192.0.2.7", b"revoked since")
    attempts.failed("192.0.2.7", b"revoked since")

    with pytest.raises(LimitExceeded):
        attempts.attempt("192.0.2.7", b"revoked since")


def test_only_the_keys_seen_last_are_remembered() -> None:
    rate = Rate(1, 1, max_keys=2)
    for key in ("a", "b", "c"):
        rate.count(key, 0.0)

    assert [rate.wait_seconds(key, 0.0) for key in ("a", "b", "c")] == [0.0, 1.0, 1.0]


def test_a_key_cannot_take_the_permits_of_others() -> None:
    permits = Permits("calls", total=3, per_key=2)
    with permits.permit("anna"), permits.permit("anna"):
        with pytest.raises(LimitExceeded, match="this caller has 2 calls under way"), permits.permit("anna"):
            pass
        with permits.permit("ben"), pytest.raises(Unavailable, match="3 calls under way"), permits.permit("carl"):
            pass
        with permits.permit("carl"):
            pass

    assert (permits._sum, dict(permits._held)) == (0, {})


def test_a_principal_is_one_whatever_it_shows() -> None:
    limits = Limits(Settings(calls_per_second=1, calls_burst=2), clock=Clock())
    for scopes in ((), ("roles.read",)):
        limits.admit(Principal(kind="human", name="anna", scopes=scopes), nothing)  # type: ignore[arg-type]

    with pytest.raises(LimitExceeded, match="human 'anna' calls too fast; up to 1 a second are fine") as refused:
        limits.admit(Principal(kind="human", name="anna"), nothing)
    limits.admit(Principal(kind="agent", name="anna"), nothing)

    assert refused.value.retry_after_seconds == pytest.approx(1.0)


class Asked:
    """A context whose caller is known."""

    caller = Caller(Principal(kind="human", name="anna"))


@query(meta=Known())
async def nothing(ctx: Asked) -> None:
    """Nothing."""


@query(meta=Public())
async def open_to_all(ctx: Asked) -> None:
    """Nothing."""


@subscription(meta=Known())
async def ticks(ctx: Asked) -> AsyncIterator[int]:
    """Numbers for ever."""
    while True:
        yield 1


async def test_a_stream_holds_a_permit_from_its_first_item_to_its_end() -> None:
    limits = Limits(Settings(streams_at_once_per_principal=1, calls_at_once_per_principal=1))
    calls = Calls(context, gate(limits), refusal)
    first, never, second = (calls.stream(ticks, Asked(), lambda: None, "id") for _ in range(3))

    await anext(first)
    with pytest.raises(RpcError, match="this caller has 1 streams under way"):
        await anext(second)
    await calls.answer(nothing, Asked(), lambda: None, "id")  # calls are another matter
    await first.aclose()  # type: ignore[attr-defined]
    third = calls.stream(ticks, Asked(), lambda: None, "id")
    await anext(third)

    await third.aclose()  # type: ignore[attr-defined]
    await never.aclose()  # type: ignore[attr-defined]


async def test_a_call_that_fails_or_is_cancelled_gives_its_permit_back() -> None:
    started, limits = asyncio.Event(), Limits(Settings(calls_at_once_per_principal=1))

    @query(meta=Known())
    async def hangs(ctx: Asked) -> None:
        """Never answers."""
        started.set()
        await asyncio.Event().wait()

    @query(meta=Known())
    async def fails(ctx: Asked) -> None:
        """Fails."""
        raise LimitExceeded("it fails, and says so")

    calls = Calls(context, gate(limits), refusal)
    hanging = asyncio.create_task(calls.answer(hangs, Asked(), lambda: None, "id"))
    await started.wait()
    with pytest.raises(RpcError, match="this caller has 1 calls under way"):
        await calls.answer(nothing, Asked(), lambda: None, "id")
    await calls.answer(open_to_all, Asked(), lambda: None, "id")

    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    for _ in range(2):
        with pytest.raises(RpcError, match="fails, and says so"):
            await calls.answer(fails, Asked(), lambda: None, "id")
    await calls.answer(nothing, Asked(), lambda: None, "id")


async def context(_: Any) -> Asked:
    return Asked()


def test_failures_hold_up_the_address_they_come_from_but_not_what_is_known() -> None:
    clock = Clock()
    attempts = Attempts(Settings(failed_sign_ins_per_minute=2), clock=clock)
    attempts.worked(b"good")
    for _ in range(2):
        attempts.attempt("192.0.2.7", b"bad")
        attempts.failed("192.0.2.7", b"bad")

    with pytest.raises(LimitExceeded, match="too many failed sign-ins from this address") as refused:
        attempts.attempt("192.0.2.7", b"new")
    attempts.attempt("192.0.2.7", b"good")
    attempts.attempt("192.0.2.8", b"new")
    assert refused.value.retry_after_seconds == pytest.approx(30.0)
    clock.now += 30.0
    attempts.attempt("192.0.2.7", b"new")


@asynccontextmanager
async def limited(copy_of: CopyOf, template: str, **settings: int) -> AsyncIterator[Api]:
    async with (
        copy_of(template) as url,
        serving(url, with_worker=False, settings=Settings(**settings)) as api,  # type: ignore[arg-type]
    ):
        yield api


async def whoami(api: Api, token: str) -> Reply:
    return await api.ask("GET", WHOAMI, authorization=f"Bearer {token}")


async def test_a_caller_that_is_too_fast_is_told_when_to_come_back(copy_of: CopyOf, template: str) -> None:
    async with limited(copy_of, template, calls_per_second=1, calls_burst=3) as api:
        other = await tokens.create(OPERATOR, name="other", scopes=())
        # Each call of a batch counts, also one that is refused.
        batch = await api.ask("GET", f"{WHOAMI},role.get?batch=1", authorization=f"Bearer {api.token}")
        third = await whoami(api, api.token)
        fourth = await whoami(api, api.token)
        mixed = await api.ask("GET", f"{WHOAMI},system.health?batch=1", authorization=f"Bearer {api.token}")
        healthy = [await api.call("system.health") for _ in range(5)]
        by_other = await whoami(api, other.token)

    assert (batch.status, third.status, by_other.status) == (207, 200, 200)
    assert fourth.refusal == (429, "TOO_MANY_REQUESTS", "human 'tester' calls too fast; up to 1 a second are fine")
    assert 0 < fourth.error["data"]["retryAfterMs"] <= 1000
    assert fourth.headers["retry-after"] == "1"
    assert [answer.get("error", {}).get("data", {}).get("httpStatus") for answer in mixed.body] == [429, None]
    assert {reply.status for reply in healthy} == {200}


async def test_whoever_guesses_is_held_up_and_health_is_not(copy_of: CopyOf, template: str) -> None:
    async with limited(copy_of, template, failed_sign_ins_per_minute=3) as api:
        known = await whoami(api, api.token)
        unused = await tokens.create(OPERATOR, name="unused", scopes=())
        guesses = [await whoami(api, f"rc_abcdefgh_{letter * 43}") for letter in "abcdef"]
        signing_in = await api.ask(
            "POST", "/session", b'{"token": "%s"}' % unused.token.encode(), content_type="application/json"
        )
        late = await whoami(api, unused.token)
        again = await whoami(api, api.token)
        health = await api.call("system.health", token="rc_wrong")
        nobody = await api.ask("GET", WHOAMI)

    assert [reply.status for reply in guesses] == [401, 401, 401, 429, 429, 429]
    assert 0 < guesses[3].error["data"]["retryAfterMs"] <= 20_000
    assert (late.status, signing_in.status, signing_in.body["error"]["code"]) == (429, 429, "TOO_MANY_REQUESTS")
    assert int(signing_in.headers["retry-after"]) in range(1, 21)
    assert (known.status, again.status, health.status, nobody.status) == (200, 200, 200, 401)


async def test_look_ups_at_once_are_bounded(copy_of: CopyOf, template: str) -> None:
    async with limited(copy_of, template, calls_at_once=1) as api:
        async with api.runtime.database.pool.acquire() as holder, holder.transaction():
            await holder.execute("LOCK TABLE token")
            held = asyncio.create_task(whoami(api, api.token))
            waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'token'::regclass AND NOT granted"
            while not await holder.fetchval(waiting):
                pass
            refused = await whoami(api, api.token)
            healthy = await api.call("system.health", token="")
        answered = await held

    assert refused.refusal[:2] == (503, "SERVICE_UNAVAILABLE")
    assert refused.headers["retry-after"] == "1"
    assert (healthy.status, answered.status) == (200, 200)
