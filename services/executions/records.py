"""What the services say about executions."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec

from services.budgets.records import ExecutionBudget
from services.definitions.document import Name
from services.engine.core.events import ModelCall
from services.engine.core.state import StepStatus
from services.failure import Failure
from services.json import Json
from services.paging import Direction, Page

Status = Literal[
    "queued", "running", "waiting", "paused", "cancelling", "completed", "failed", "timed_out", "cancelled"
]
RoleAssignments: TypeAlias = dict[Name, Name]
MIN_PRIORITY, MAX_PRIORITY = -100, 100
Priority = Annotated[int, msgspec.Meta(ge=MIN_PRIORITY, le=MAX_PRIORITY)]
StickyKey = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
MAX_DELAY_MS = 365 * 24 * 3600 * 1000
DelayMs = Annotated[int, msgspec.Meta(ge=0, le=MAX_DELAY_MS)]
SETTLED: frozenset[StepStatus] = frozenset({"completed", "failed", "skipped", "cancelled"})
FINISHED: frozenset[Status] = frozenset({"completed", "failed", "timed_out", "cancelled"})
NOT_COMPLETED: tuple[Status, ...] = ("failed", "timed_out", "cancelled")
OPEN: tuple[Status, ...] = ("queued", "running", "waiting", "paused", "cancelling")


class Execution(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of one version of an orchestration.

    `parent` is the execution that started it from a step, if one did; `restartOf` the one whose history it began with.
    `availableAt` is when a worker takes it up next: its start, or the end of the time it waits for. It is null while a
    worker has it, while it is paused, and when it has finished.
    """

    id: UUID
    orchestration: str
    version: int
    status: Status
    input: Json
    output: Json
    error: Failure | None
    started_by: str
    parent: UUID | None
    idempotency_key: str | None
    restart_of: UUID | None
    priority: int
    created_at: datetime
    available_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class ExecutionPage(Page[Execution], frozen=True, kw_only=True, rename="camel"):
    """Executions in the order that was asked for."""


class ExecutionSort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """By what, and which way. By `finishedAt` are only those that have finished."""

    by: Literal["createdAt", "finishedAt"] = "createdAt"
    order: Direction = "desc"


class ExecutionDetail(Execution, frozen=True, kw_only=True, rename="camel"):
    """An execution with what its steps have left so far. `budget` is null where it has none of its own.

    `stepsTotal` and `stepsSettled` count the steps of the main sequence, whatever goes on inside them. `costUsd` is
    null when the price of some call is not known.
    """

    context: dict[str, Json]
    steps_total: int
    steps_settled: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    budget: ExecutionBudget | None = None


class Steered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a call that means many executions.

    `matched` is how many it meant, `asked` how many of them were asked, and `finishedMeanwhile` how many ended before
    they could be. In a dry run none is asked. `firstIds` are the first hundred that matched, oldest first.
    """

    dry_run: bool
    matched: int
    asked: int
    finished_meanwhile: int
    first_ids: tuple[UUID, ...]


class NotRetried(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why an execution could not be retried: `code` is NOT_FOUND when it has gone, CONFLICT when something is against
    it, UNAVAILABLE when somebody holds its row, and INTERNAL when nobody has foreseen what is wrong.
    """

    execution: UUID
    code: str
    message: str


class Retried(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a call that retries many executions.

    `matched` is how many it meant. Of these `skipped` had been restarted before, `restarted` are now, and `refused`
    could not be; the first hundred of the last are `firstRefused`. In a dry run none is restarted or refused.
    `firstIds` are the first hundred that matched and were not skipped, oldest first.
    """

    dry_run: bool
    matched: int
    skipped: int
    restarted: int
    refused: int
    first_ids: tuple[UUID, ...]
    first_refused: tuple[NotRetried, ...]


class LoggedCall(ModelCall, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """One call of a model, made by the attempt of that number."""

    attempt: int


class StepLog(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened to one instance of a step.

    `path` tells instances apart: a step in a branch is `Route/Pay`, one in the third iteration of a loop
    `Duel[2]/Critic`. `stage` counts from 0 in the sequence that the step stands in; steps of one stage run together.
    `child` is the execution that the step has started, if it has: its last attempt's. `overriddenBy` is who completed
    or skipped it by hand. `calls` are those of models, of all its attempts in their order.
    """

    path: str
    name: str
    kind: str
    stage: int
    role: str | None
    status: StepStatus
    attempts: int
    input: Json
    output: Json
    error: Failure | None
    overridden_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int
    child: UUID | None
    model: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    calls: tuple[LoggedCall, ...]
