"""What performs a step, and what it is given."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from msgspec.structs import replace

from services.definitions.document import Step
from services.engine.core.commands import StartStep
from services.engine.core.events import ModelCall
from services.engine.progress import Progress
from services.failure import Failed, Failure
from services.json import Json
from services.principal import Principal

_log = logging.getLogger(__name__)


def _unwatched(_: Progress) -> None:
    """Where nobody watches."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try at one instance of a step.

    `idempotency_key` is the same for every attempt at this instance, so that the other side can tell a repetition.
    `called` is the version of the orchestration that the step calls, if it does. `epoch` is the one that the worker
    owns the execution under; `is_budgeted` says that the execution, or something above it, has a budget. `notes` are
    what earlier tries of this step have kept, also those of a worker that died; the calls of models that the first
    `accounted` of them tell of are recorded elsewhere already. `keep` adds one and returns when it is committed. `emit`
    takes the next piece of a model's answer, `show` what else goes on, for whoever watches; neither is kept. The calls
    of models that it records are kept with what becomes of it, whether it works or not; those of a worker that died are
    lost but for what its notes say.
    """

    execution: UUID
    path: str
    step: Step
    number: int
    input: Json
    timeout_ms: int
    idempotency_key: str
    role_version: UUID | None
    called: UUID | None = None
    epoch: int = 0
    is_budgeted: bool = False
    initiator: Principal
    notes: list[Json]
    keep: Callable[[Json], Awaitable[None]]
    emit: Callable[[str], None]
    accounted: int = 0
    show: Callable[[Progress], None] = _unwatched
    calls: tuple[ModelCall, ...] = field(default=(), init=False)

    def record(self, call: ModelCall) -> None:
        """Add a call of a model, be it answered or not."""
        self.calls = (*self.calls, call)


# The step's output, of a kind that starts a child the input of that; a failure is raised as `Failed`.
Performer: TypeAlias = Callable[[Attempt], Awaitable[Json]]


def failure_of(error: BaseException, attempt: Attempt) -> Failure:
    """The one place where an exception becomes a failure. What nobody foresaw is logged, not shown."""
    match error:
        case Failed(failure=failure):
            return replace(failure, message=_storable(failure.message))
        case TimeoutError():
            return Failure(code="TIMEOUT", message="something that the step waited for took too long", retryable=True)
        case _:
            _log.error("step %s failed unexpectedly", attempt.idempotency_key, exc_info=error)
            message = f"an unexpected {type(error).__name__}; the server's log has the details"
            return Failure(code="INTERNAL", message=message, retryable=False)


def timed_out(attempt: Attempt) -> Failure:
    """The failure of an attempt that was stopped at its timeout."""
    message = f"the attempt took longer than its timeout of {attempt.timeout_ms} ms"
    return Failure(code="TIMEOUT", message=message, retryable=True)


def expired(step: Step, command: StartStep) -> Failure:
    """The failure of a step whose child was not done in time, or whose event has not come."""
    if step.event is not None:
        message = f"the event {step.event!r} has not come within {command.delay_ms} ms"
        return Failure(code="WAIT_EXPIRED", message=message, retryable=False)
    return Failure(code="TIMEOUT", message=f"the child was not done within {command.delay_ms} ms", retryable=True)


def _storable(text: str) -> str:
    """The text without what Postgres or UTF-8 cannot hold: a message may quote what somebody else has sent."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
