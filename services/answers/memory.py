"""The answers that a process remembers: the ones that were last asked for, so many and so large together."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_ANSWERS = 1_000
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as JSON; `kept_at` and `expires_at` in seconds by the monotonic clock."""

    content: bytes
    kept_at: float
    expires_at: float


class Memory:
    """Answers by their keys. What was not asked for the longest goes first."""

    def __init__(
        self,
        *,
        max_answers: int = MAX_ANSWERS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._clock = clock
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: str, *, ttl_seconds: float) -> bytes | None:
        """What was kept under the key for no longer than that; None when there is nothing, or it is over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        now = self._clock()
        if now >= kept.expires_at:
            self._drop(key)
            return None
        if now - kept.kept_at >= ttl_seconds:
            return None
        self._kept.move_to_end(key)
        return kept.content

    def put(self, key: str, content: bytes, *, age_seconds: float, left_seconds: float) -> None:
        """Keep what is so old, for so long; nothing that alone would be too large."""
        self._drop(key)
        if len(content) > self._max_bytes or left_seconds <= 0:
            return
        now = self._clock()
        self._kept[key] = Kept(content, now - age_seconds, now + left_seconds)
        self._bytes += len(content)
        while self._bytes > self._max_bytes or len(self._kept) > self._max_answers:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        self._bytes -= 0 if kept is None else len(kept.content)
