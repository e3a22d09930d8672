"""The exchange of progress: from the workers that have some to whoever follows, in this process or another.

Who follows an execution says so to the other processes, and again as long as it lasts. A worker passes on what it knows
of an execution only while somebody follows it; of all others it knows that nobody does, and that is all they cost.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar
from uuid import UUID

import msgspec

from services.engine.notifier import Notifier
from services.engine.progress import News, Progress, pieces

T = TypeVar("T")

_log = logging.getLogger(__name__)
FOLLOWED, NEWS = "rolecall_followed", "rolecall_news"
_REPEAT_SECONDS = 10.0
_EXPIRE_SECONDS = 30.0
# More than that many are followed by nobody of ours; somebody else is speaking.
_MAX_ELSEWHERE = 100_000

# What a worker calls: an execution, how many events its journal has, and how to say what goes on in it.
Tell: TypeAlias = Callable[[UUID, int, Callable[[], Progress] | None], None]
Hear: TypeAlias = Callable[[News], None]

_ENCODER = msgspec.json.Encoder()
_NEWS = msgspec.json.Decoder(list[News])
# None asks who is followed.
_IDS = msgspec.json.Decoder(list[UUID | None])


class Exchange:
    """What is followed here and elsewhere, over the process's notifier."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._here: dict[UUID, Hear] = {}
        self._elsewhere: dict[UUID, float] = {}
        self._repeats_at = 0.0
        notifier.hear(FOLLOWED, self._hear_followed, greet=self._greet)
        notifier.hear(NEWS, self._hear_news, greet=lambda: None)

    def tell(self, execution: UUID, seq: int, progress: Callable[[], Progress] | None = None) -> None:
        """Pass on what a worker here knows, if somebody follows the execution; else nothing is made of it."""
        # Most often nobody follows anything; then not even the id is looked up.
        hear = self._here.get(execution) if self._here else None
        until = self._elsewhere.get(execution) if self._elsewhere else None
        if hear is None and until is None:
            return
        for piece in (None,) if progress is None else pieces(progress()):
            news = News(execution, seq, piece)
            if hear is not None:
                hear(news)
            if until is not None and until > time.monotonic():
                self._notifier.send(NEWS, _ENCODER.encode(news))

    def follow(self, execution: UUID, hear: Hear) -> None:
        """Call `hear` with the news of an execution, until `unfollow`."""
        self._here[execution] = hear
        self._notifier.send(FOLLOWED, _ENCODER.encode(execution))

    def unfollow(self, execution: UUID) -> None:
        """Nobody follows the execution here any more. Others forget it after half a minute."""
        del self._here[execution]

    def repeat(self) -> None:
        """Say again what is followed here, when it is time to; call it every second or so."""
        if self._here and time.monotonic() >= self._repeats_at:
            self._say_all()

    def _say_all(self) -> None:
        self._repeats_at = time.monotonic() + _REPEAT_SECONDS
        for execution in self._here:
            self._notifier.send(FOLLOWED, _ENCODER.encode(execution))

    def _greet(self) -> None:
        self._notifier.send(FOLLOWED, b"null")
        self._say_all()

    def _hear_followed(self, payload: str) -> None:
        ids = _decoded(_IDS, payload)
        now = time.monotonic()
        self._elsewhere = {id: until for id, until in self._elsewhere.items() if until > now}
        if len(self._elsewhere) < _MAX_ELSEWHERE:
            self._elsewhere |= {id: now + _EXPIRE_SECONDS for id in ids if id is not None}
        if None in ids:
            self._say_all()

    def _hear_news(self, payload: str) -> None:
        if self._here:
            for news in _decoded(_NEWS, payload):
                if (hear := self._here.get(news.execution)) is not None:
                    hear(news)


def _decoded(decoder: msgspec.json.Decoder[list[T]], payload: str) -> list[T]:
    """What another process has sent. Whoever may connect may send, so it can be anything."""
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        _log.warning("a notification is not one of ours: %s", error)
        return []
