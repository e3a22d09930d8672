"""A circuit breaker: a model whose calls fail one after another is left alone for a while."""

import time
from collections.abc import Callable

import msgspec

from services.models.health import Health, State

OPENS_AFTER = 5
_FIRST_PAUSE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 120.0

# How much the last call weighs in what is known of the calls of late, and how much in what is usual.
_LATE_WEIGHT = 0.2
_USUAL_WEIGHT = 0.02
# What has not been called for so long may do well again.
_FORGOTTEN_AFTER_SECONDS = 60.0
_MANY_CALLS = 10
_DEGRADED_RATE = 0.3
_SLOW_FACTOR = 3.0
_SLOW_SECONDS = 5.0


class Breaker:
    """What the calls of one model have shown, and whether it is called.

    It opens at five failures in a row, for ten seconds. Then one call may try; if that fails as well the pause is twice
    as long, up to two minutes, and if it works all may go on. `clock` tells seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._last = ""
        self._opened_at: float | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._is_trying = False
        self._calls = 0
        self._called_at = 0.0
        self._failure_rate = 0.0
        self._seconds: float | None = None
        self._usual_seconds = 0.0

    def admits(self) -> bool:
        """Whether a call may be made now. Whoever is admitted has to say what came of it."""
        if self._opened_at is None:
            return True
        if self._is_trying or self._pause_left() > 0:
            return False
        self._is_trying = True
        return True

    def worked(self, seconds: float) -> None:
        """A call was answered after so many seconds."""
        self._failures, self._opened_at, self._is_trying = 0, None, False
        self._pause = _FIRST_PAUSE_SECONDS
        self._note(has_failed=False)
        if self._seconds is None:
            self._seconds = self._usual_seconds = seconds
        self._seconds += _LATE_WEIGHT * (seconds - self._seconds)
        self._usual_seconds += _USUAL_WEIGHT * (seconds - self._usual_seconds)

    def failed(self, because: str) -> None:
        """A call has failed, and the provider is to blame."""
        self._failures += 1
        self._last = because
        self._note(has_failed=True)
        if self._is_trying:
            self._is_trying = False
            self._opened_at, self._pause = self._clock(), min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        elif self._opened_at is None and self._failures >= OPENS_AFTER:
            self._opened_at = self._clock()

    def abandoned(self) -> None:
        """A call has ended in a way that tells nothing of the model."""
        self._is_trying = False

    def health(self) -> Health:
        """How the model does, in words that do not change while its state does not."""
        known = Health(state="up", failure_rate=round(self._failure_rate, 3), seconds=self._seconds)
        if self._opened_at is not None and (self._is_trying or self._pause_left() > 0):
            why = f"its last {self._failures} calls failed: {self._last}"
            return _replaced(known, "down", why, retry_after_seconds=max(1.0, self._pause_left()))
        if not self._calls:
            return _replaced(known, "unknown", "")
        if self._clock() - self._called_at < _FORGOTTEN_AFTER_SECONDS and (why := self._weakness()):
            return _replaced(known, "degraded", why)
        return known

    def _pause_left(self) -> float:
        assert self._opened_at is not None
        return self._opened_at + self._pause - self._clock()

    def _weakness(self) -> str:
        if self._calls < _MANY_CALLS:
            return ""
        if self._failure_rate >= _DEGRADED_RATE:
            return "too many of its calls have failed lately"
        if self._seconds is not None and self._seconds > max(_SLOW_SECONDS, _SLOW_FACTOR * self._usual_seconds):
            return "its answers take much longer than usual"
        return ""

    def _note(self, *, has_failed: bool) -> None:
        self._calls += 1
        self._called_at = self._clock()
        self._failure_rate += _LATE_WEIGHT * (float(has_failed) - self._failure_rate)


def _replaced(health: Health, state: State, reason: str, **known: float) -> Health:
    return msgspec.structs.replace(health, state=state, reason=reason, **known)
