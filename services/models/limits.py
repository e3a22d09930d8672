"""How much is asked of a provider at once and in a minute: calls wait for a permit, first come, first served."""

import asyncio
import time
from bisect import bisect_left, insort
from collections.abc import Callable

import msgspec

from services.failure import Failed, failed

# No connection takes longer to be made, so by then a request has reached the provider, or never will.
_ARRIVES_WITHIN_SECONDS = 10.0
_PAUSE_SECONDS = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a provider allows; None is no limit.

    `tokens_per_minute` counts what is sent, and what is answered once that is known, or as much as the request allows
    for it. No call takes longer than `timeout_seconds`, whatever its step would still wait for.
    """

    max_concurrent: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_seconds: float | None = None


NO_LIMITS = Limits()


class _Counted(msgspec.Struct, order=True):
    """A call that counts for a minute from `at`, by when it has reached the provider."""

    at: float
    number: int
    tokens: int


class Permit:
    """The right to make one call now. It is given back once, in one of two ways; later ones change nothing."""

    def __init__(self, limiter: "Limiter", counted: _Counted) -> None:
        self._limiter: Limiter | None = limiter
        self._counted = counted

    def end(self, tokens: int | None) -> None:
        """The call is over; it has taken that many tokens, or nobody knows how many."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._leave(self._counted, tokens)

    def give_back(self) -> None:
        """Nothing was sent."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._forget(self._counted)


class _Waiting(msgspec.Struct, eq=False, frozen=True):
    """Who waits, and until when at most for a provider that has asked for a pause."""

    tokens: int
    until: float
    permit: asyncio.Future[Permit]


class Limiter:
    """Where the calls of one provider wait for a permit.

    Within any minute no more than the limits allow reach the provider, wherever that minute begins: a call counts from
    when it was made until a minute after it has surely arrived. `clock` tells seconds, `minute` how many make one.
    """

    def __init__(
        self,
        name: str,
        limits: Limits = NO_LIMITS,
        *,
        minute: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._name = name
        self._minute = minute
        self._clock = clock
        self._under_way: set[int] = set()
        self._counted: list[_Counted] = []
        self._tokens = 0
        self._number = 0
        self._closed_until = 0.0
        self._closed_because = ""
        self._waiting: dict[_Waiting, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def use(self, limits: Limits) -> None:
        """Go by other limits from now on."""
        self.limits = limits
        self._admit()

    @property
    def closed_seconds(self) -> float:
        """For how long the provider wants to hear nothing from us."""
        return max(0.0, self._closed_until - self._clock())

    async def permit(self, tokens: int, within_seconds: float, *, patience_seconds: float | None = None) -> Permit:
        """Wait until a call of about so many tokens may be made. One larger than the limit goes alone in its minute.

        Raises:
            Failed: RATE_LIMITED when that takes longer than `within_seconds`, or as soon as the provider has asked for
                a pause longer than `patience_seconds`; nothing was sent.
        """
        patience = within_seconds if patience_seconds is None else min(patience_seconds, within_seconds)
        if not self._waiting and (wait := self._wait(tokens)) is not None:
            if wait <= 0:
                return self._let_in(tokens)
            if wait > within_seconds:
                raise self._refusal(wait)
        waiting = _Waiting(tokens, self._clock() + patience, asyncio.get_running_loop().create_future())
        self._waiting[waiting] = None
        self._refuse_the_late()
        self._admit()
        try:
            async with asyncio.timeout(within_seconds):
                return await waiting.permit
        except TimeoutError:
            self._drop(waiting)
            raise self._refusal(self._wait(tokens) or None) from None
        except BaseException:
            self._drop(waiting)
            raise

    def close_for(self, seconds: float | None, because: str) -> None:
        """The provider has asked for a pause: nothing goes out meanwhile, and who cannot wait so long is refused."""
        until = self._clock() + (_PAUSE_SECONDS if seconds is None else seconds)
        if until > self._closed_until:
            self._closed_until, self._closed_because = until, because
        self._refuse_the_late()
        self._admit()

    def _let_in(self, tokens: int) -> Permit:
        self._number += 1
        counted = _Counted(self._clock() + _ARRIVES_WITHIN_SECONDS, self._number, tokens)
        self._under_way.add(counted.number)
        insort(self._counted, counted)
        self._tokens += counted.tokens
        return Permit(self, counted)

    def _leave(self, counted: _Counted, tokens: int | None) -> None:
        self._under_way.discard(counted.number)
        if self._remove(counted):
            counted.at = min(counted.at, self._clock())
            counted.tokens = counted.tokens if tokens is None else tokens
            insort(self._counted, counted)
            self._tokens += counted.tokens
        self._admit()

    def _forget(self, counted: _Counted) -> None:
        self._under_way.discard(counted.number)
        self._remove(counted)
        self._admit()

    def _remove(self, counted: _Counted) -> bool:
        """Whether it still counted."""
        place = bisect_left(self._counted, counted)
        if place == len(self._counted) or self._counted[place] is not counted:
            return False
        del self._counted[place]
        self._tokens -= counted.tokens
        return True

    def _wait(self, tokens: int) -> float | None:
        """In how many seconds such a call may be made; None when that depends on when another one ends."""
        limits, now = self.limits, self._clock()
        self._let_go_of_old(now)
        if limits.max_concurrent is not None and len(self._under_way) >= limits.max_concurrent:
            return None
        free_at = self._closed_until
        if limits.requests_per_minute is not None and len(self._counted) >= limits.requests_per_minute:
            free_at = max(free_at, self._counted[-limits.requests_per_minute].at + self._minute)
        if limits.tokens_per_minute is not None:
            too_many = self._tokens + min(tokens, limits.tokens_per_minute) - limits.tokens_per_minute
            for counted in self._counted:
                if too_many <= 0:
                    break
                free_at = max(free_at, counted.at + self._minute)
                too_many -= counted.tokens
        return max(0.0, free_at - now)

    def _let_go_of_old(self, now: float) -> None:
        old = 0
        for counted in self._counted:
            if counted.at + self._minute > now:
                break
            self._tokens -= counted.tokens
            old += 1
        del self._counted[:old]

    def _admit(self) -> None:
        """Let in who may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            first = next(iter(self._waiting))
            if not first.permit.done():
                wait = self._wait(first.tokens)
                if wait is None:
                    return
                if wait > 0:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._admit)
                    return
                first.permit.set_result(self._let_in(first.tokens))
            del self._waiting[first]

    def _refuse_the_late(self) -> None:
        """Whoever cannot wait until the provider wants to hear from us again need not wait at all."""
        for waiting in self._waiting:
            if waiting.until < self._closed_until and not waiting.permit.done():
                waiting.permit.set_exception(self._refusal(self.closed_seconds))

    def _drop(self, waiting: _Waiting) -> None:
        self._waiting.pop(waiting, None)
        permit = waiting.permit
        if permit.done() and not permit.cancelled() and permit.exception() is None:
            permit.result().give_back()  # it came at the very moment at which nobody wanted it any more
        self._admit()

    def _refusal(self, wait: float | None) -> Failed:
        if self.closed_seconds > 0:
            said = f"{self._name} is not called for another {self.closed_seconds:.3g} s: {self._closed_because}"
        else:
            said = f"{self._name} was not called in time: others wait as well, and its limits are {_said(self.limits)}"
        return failed("RATE_LIMITED", said, retry_after_seconds=wait)


def _said(limits: Limits) -> str:
    named = {
        "at once": limits.max_concurrent,
        "a minute": limits.requests_per_minute,
        "tokens a minute": limits.tokens_per_minute,
    }
    return ", ".join(f"{most} {what}" for what, most in named.items() if most is not None) or "none"
