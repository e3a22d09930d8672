"""One question to a chain of models: the first is asked, and when it fails through no fault of ours, the next."""

import time
from collections.abc import Callable, Sequence

import msgspec

from services.failure import Failed
from services.models.calls import Line, Question, T, call
from services.models.provider import Refused, Unreached
from services.models.selection import Choice

MAX_TRIES = 4
# As long as there is somebody else to ask, no pause is waited for that is longer than this.
PATIENCE_SECONDS = 5.0
_OF_PROVIDER = frozenset({"RATE_LIMITED", "MODEL_ERROR", "TIMEOUT", "PROVIDER_UNAVAILABLE"})


async def along(
    chain: Sequence[Choice],
    line_of: Callable[[Choice], Line],
    question_of: Callable[[Choice], Question[T]],
    *,
    seconds: float,
    anew: Callable[[], None],
) -> T:
    """The first answer that somebody in the chain gives, within so many seconds in all.

    At most four are asked. `anew` is called when one that had begun to answer has failed, and another begins.

    Raises:
        Failed: of those that were asked, the failure of the first that may do better later, else of the first; its
            message says what the others did.
    """
    ends_at = time.monotonic() + seconds
    failures: dict[str, Failed] = {}
    given_up: set[str] = set()
    for place, choice in enumerate(chain):
        left = ends_at - time.monotonic()
        if len(failures) == MAX_TRIES or (failures and left <= 0):
            break
        if choice.provider in given_up:
            continue
        question = question_of(choice)
        reason = "; ".join([choice.reason, *[f"{name} gave {it.failure.code}" for name, it in failures.items()]])
        others = {later.provider for later in chain[place + 1 :]} - given_up - {choice.provider}
        is_last = not others or len(failures) == MAX_TRIES - 1
        try:
            return await call(
                line_of(choice),
                choice.name,
                reason,
                question,
                seconds=left,
                patience=left if is_last else PATIENCE_SECONDS,
            )
        except Failed as error:
            failures[choice.name] = error
            if not passes_on(error):
                break
            if isinstance(error, Unreached) or error.failure.code == "RATE_LIMITED":
                given_up.add(choice.provider)
            if question.heard.anything:
                anew()
    raise _together(failures)


def passes_on(error: Failed) -> bool:
    """Whether another model may do better with the same question: the provider failed, and not what was asked of it."""
    if isinstance(error, Refused):
        return not error.is_ours
    return error.failure.retryable and error.failure.code in _OF_PROVIDER


def _together(failures: dict[str, Failed]) -> Failed:
    """All failures as one: nothing is lost of a later one, and whoever may do better later is waited for."""
    all_ = list(failures.values())
    if len(all_) == 1:
        return all_[0]
    hopeful = [error for error in all_ if error.failure.retryable]
    first = hopeful[0] if hopeful else all_[0]
    others = [error.failure.message for error in all_ if error is not first]
    waits = [error.failure.retry_after_seconds for error in hopeful]
    wait = min((seconds for seconds in waits if seconds is not None), default=None) if None not in waits else None
    message = "; ".join([first.failure.message, *others])
    return Failed(msgspec.structs.replace(first.failure, message=message, retry_after_seconds=wait))
