"""`system.execute_orchestration`, `get_execution_status` and `list_executions`."""

import hashlib
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from meta_tools.system import system_tool
from services import executions
from services.errors import Invalid
from services.executions import (
    DelayMs,
    Execution,
    ExecutionDetail,
    Priority,
    Status,
    StepLog,
)
from services.idempotency import MAX_KEY, IdempotencyKey
from services.json import Json
from services.listing import Instant, Limit, OrchestrationReference
from services.tools.tool import ToolContext

ExecutionId = Annotated[UUID, Meta(description="What `system.execute_orchestration` gave back as `executionId`.")]
OrchestrationId = Annotated[UUID, Meta(description="An orchestration's id.")]
Input = Annotated[Json, Meta(description="What the orchestration's input schema asks for: usually an object.")]
Key = Annotated[IdempotencyKey, Meta(description="Calls with the same key start one execution. Rarely needed.")]

Urgency = Annotated[Priority, Meta(description="Of what is due, the higher is taken up first. Rarely needed.")]
StartAt = Annotated[Instant, Meta(description="Not before this instant, such as 2026-01-31T12:00:00+01:00.")]
Delay = Annotated[DelayMs, Meta(description="Not before so many milliseconds have passed. Not with `startAt`.")]


class Started(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An execution that was started. It runs in the background."""

    execution_id: UUID
    status: Status
    orchestration: str
    version: int


class ExecutionStatus(ExecutionDetail, frozen=True, kw_only=True, rename="camel"):
    """What `execution.get` and `execution.steps` tell about an execution."""

    steps: list[StepLog]


# What the orchestration does is held back where it is done, step by step.
@system_tool("execute_orchestration", effect="external", security="medium", honours_key=True)
async def execute(
    context: ToolContext,
    *,
    orchestration: OrchestrationReference | None = None,
    orchestration_id: OrchestrationId | None = None,
    input: Input = None,
    idempotency_key: Key | None = None,
    priority: Urgency = 0,
    start_at: StartAt | None = None,
    delay_ms: Delay = 0,
) -> Started:
    """Start an orchestration, named by `orchestration` (name or id) or `orchestrationId`, with an `input` that fits its
    input schema. Gives back `executionId` at once, while it runs in the background; follow it with
    `system.get_execution_status`.

    A call that is repeated because its result was lost has the same key as before, so it starts nothing twice. The
    scope `executions.run` is all it takes; see `meta_tools.rights`.
    """
    started = await executions.start(
        context.caller,
        orchestration=_one_of(orchestration, orchestration_id),
        input=input,
        idempotency_key=idempotency_key or _fitting(context.idempotency_key),
        priority=priority,
        start_at=start_at,
        delay_ms=delay_ms,
    )
    return Started(
        execution_id=started.id, status=started.status, orchestration=started.orchestration, version=started.version
    )


@system_tool("get_execution_status", effect="read")
async def get_status(context: ToolContext, *, execution_id: ExecutionId) -> ExecutionStatus:
    """How an execution stands: its `status` (queued, running, waiting, completed, failed or cancelled), `output`,
    `error` and `context`, what it has cost, and for each step its status, input, output, error, attempts and duration.
    """
    detail, steps = await executions.get_with_steps(context.caller, execution=execution_id)
    return ExecutionStatus(**msgspec.structs.asdict(detail), steps=steps)


@system_tool("list_executions", effect="read")
async def list_(
    context: ToolContext,
    *,
    orchestration: OrchestrationReference | None = None,
    status: Status | None = None,
    limit: Limit = 20,
    before: UUID | None = None,
) -> list[Execution]:
    """List executions, the newest first: all of them, those of one `orchestration`, or those with a `status`. For the
    next page give the last id as `before`.
    """
    found = await executions.list_(
        context.caller, orchestration=orchestration, status=status, limit=limit, before=before
    )
    return found.items


def _one_of(name: str | None, id: UUID | None) -> str:
    if name is not None and id is None:
        return name
    if id is not None and name is None:
        return str(id)
    raise Invalid("an execution needs either `orchestration`, a name or an id, or `orchestrationId`")


def _fitting(key: str) -> str:
    """The key itself, which names the agent's own execution; its digest where it is longer than a key may be."""
    return key if len(key) <= MAX_KEY else hashlib.sha256(key.encode()).hexdigest()
