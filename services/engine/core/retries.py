"""Whether a failed attempt is tried again, and when (DEFINITION §7)."""

from services.definitions.document import Step
from services.failure import Failure

_LONGEST_MS = 86_400_000


def is_tried_again(step: Step, failure: Failure, attempt: int) -> bool:
    """Whether another attempt follows the failed one. `retry.errors` only narrows what may work later.

    >>> from services.definitions.document import Retry
    >>> busy = Failure(code="RATE_LIMITED", message="busy", retryable=True)
    >>> step = Step(name="a", max_retries=2, retry=Retry(not_errors=("RATE_LIMITED",)))
    >>> is_tried_again(step, busy, 1)
    False
    """
    retry = step.retry
    is_wanted = retry.errors is None or failure.code in retry.errors or "*" in retry.errors
    is_refused = failure.code in retry.not_errors or "*" in retry.not_errors
    return failure.retryable and attempt <= step.max_retries and is_wanted and not is_refused


def delay_before(step: Step, failure: Failure, attempt: int, fraction: float) -> int:
    """Milliseconds from the failure of `attempt` to the next one; at least as long as the other side asked for.

    `fraction` is the part of the delay that chance leaves of it, where the step has jitter.

    >>> from services.definitions.document import Retry
    >>> busy = Failure(code="TIMEOUT", message="busy", retryable=True)
    >>> step = Step(name="a", retry_delay=500, retry=Retry(backoff="exponential", max_delay_ms=3_000))
    >>> [delay_before(step, busy, attempt, 1.0) for attempt in (1, 2, 3, 4)]
    [500, 1000, 2000, 3000]
    """
    match step.retry.backoff:
        case "fixed":
            delay = step.retry_delay
        case "linear":
            delay = min(step.retry_delay * attempt, step.retry.max_delay_ms)
        case "exponential":
            delay = min(step.retry_delay * 2 ** (attempt - 1), step.retry.max_delay_ms)
    if step.retry.jitter == "full":
        delay = round(delay * fraction)
    return min(max(delay, round((failure.retry_after_seconds or 0.0) * 1000)), _LONGEST_MS)
