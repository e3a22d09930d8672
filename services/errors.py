"""What a service may refuse to do.

* ServiceError
  - Unauthenticated   we do not know who asks
  - Forbidden         known, but not allowed
  - NotFound          no such thing, as far as this caller may know
  - Invalid           well-formed but unacceptable; says where
  - Conflict          not in the state it is in
  - LimitExceeded     too much or too fast; says when to come back
  - Unavailable       something we depend on did not answer
  - NotCompleted      the execution that was waited for has ended, and not well; says why
  - StillRunning      it has not ended so far; says which to go on with
"""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from services.failure import Failure
from services.problem import Problem


class ServiceError(Exception):
    """A refusal. The message names the thing, what is the case, and what would have been fine.

    `code` tells the nine apart where a refusal is told as a value.
    """

    code: ClassVar[str] = "REFUSED"


class Unauthenticated(ServiceError):
    """We do not know who asks."""

    code = "UNAUTHENTICATED"


class Forbidden(ServiceError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class NotFound(ServiceError):
    """There is no such thing, as far as this caller may know."""

    code = "NOT_FOUND"

    def __init__(self, noun: str, id: object, *, hint: str | None = None) -> None:
        super().__init__(f"there is no {noun} {id!r}" + (f"; {hint}" if hint else ""))


class Invalid(ServiceError):
    """Well-formed, but unacceptable: every problem that was found, each with its place."""

    code = "INVALID"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join([message, *map(str, problems)]))
        self.message = message
        self.problems = tuple(problems)


class Conflict(ServiceError):
    """The thing exists, but its state does not allow this. `problems` are what is wrong with it, if that is so."""

    code = "CONFLICT"

    def __init__(self, noun: str, id: object, *, state: str, allowed: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(f"{noun} {id!r} {state}; this needs {allowed}")
        self.problems = tuple(problems)


class LimitExceeded(ServiceError):
    """Too much, or too fast; the same request may work once `retry_after_seconds` are over, where that is known."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ServiceError):
    """Something we depend on did not answer; the same request may work later."""

    code = "UNAVAILABLE"


class NotCompleted(ServiceError):
    """The execution that was waited for failed, timed out or was cancelled: with which failure, and at which step."""

    code = "NOT_COMPLETED"

    def __init__(self, message: str, *, execution: UUID, failure: Failure | None, step: str | None) -> None:
        super().__init__(message)
        self.execution = execution
        self.failure = failure
        self.step = step


class StillRunning(ServiceError):
    """The execution that was waited for has not ended so far, and goes on."""

    code = "STILL_RUNNING"

    def __init__(self, message: str, *, execution: UUID) -> None:
        super().__init__(message)
        self.execution = execution
