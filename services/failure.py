"""Why an attempt did not work: a value, to be stored, shown and decided on."""

import msgspec

# Tried again by default; every other code is deterministic or a decision (DEFINITION §7).
RETRYABLE = frozenset(
    {
        "TIMEOUT",
        "RATE_LIMITED",
        "PROVIDER_UNAVAILABLE",
        "MODEL_ERROR",
        "TOOL_ERROR",
        "HTTP_5XX",
        "WORKER_LOST",
        "OUTPUT_INVALID",
    }
)


class OtherFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why another member of the same parallel group did not work."""

    step: str
    code: str
    message: str


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why an attempt did not work.

    `retryable` says whether the same call may work later; `retry_after_seconds` is the earliest time the other side
    named. `others` are the further failures of a parallel group that waited for all its members.
    """

    code: str
    message: str
    retryable: bool
    retry_after_seconds: float | None = None
    others: tuple[OtherFailure, ...] = ()


class Failed(Exception):
    """Carries a `Failure` to the one place that turns exceptions into failures."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


def failed(
    code: str, message: str, *, retryable: bool | None = None, retry_after_seconds: float | None = None
) -> Failed:
    """A `Failed` whose retryability is the code's default unless given.

    >>> failed("RATE_LIMITED", "slow down", retry_after_seconds=2.0).failure.retryable
    True
    >>> failed("TEMPLATE_ERROR", "no such key").failure.retryable
    False
    """
    return Failed(
        Failure(
            code=code,
            message=message,
            retryable=code in RETRYABLE if retryable is None else retryable,
            retry_after_seconds=retry_after_seconds,
        )
    )
