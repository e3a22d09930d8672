"""execution.*: start, watch, steer, signal and restart the runs of orchestrations."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.procedures.parameters import Cursor, Forward, Number
from api.rpc import Example, Tracked, mutation, query, subscription
from services import executions
from services.definitions.document import Dollars, Name
from services.executions import (
    DelayMs,
    Execution,
    ExecutionDetail,
    ExecutionFilter,
    ExecutionPage,
    ExecutionSort,
    Followed,
    Priority,
    Progress,
    Recorded,
    Retried,
    RoleAssignments,
    Status,
    Steered,
    StepLog,
    StickyKey,
)
from services.idempotency import IdempotencyKey
from services.json import Json, JsonObject
from services.listing import Instant, Limit, OrchestrationReference, RoleReference
from services.roles import ToolName

ExecutionId = Annotated[UUID, Meta(description="An execution's id.")]
Key = Annotated[IdempotencyKey, Meta(description="The same key starts the same execution.")]
Assignments = Annotated[RoleAssignments, Meta(description="Other roles than the steps name: by step, the role.")]
Urgency = Annotated[Priority, Meta(description="Of what is due, the higher is taken up first.")]
StartAt = Annotated[Instant, Meta(description="Nothing is done before this instant: RFC 3339 with an offset.")]
Delay = Annotated[DelayMs, Meta(description="Nothing is done before this time has passed.")]
Sticky = Annotated[StickyKey, Meta(description="With a canary, the same key gets the same version.")]
BudgetUsd = Annotated[
    Dollars, Meta(description="US dollars that its model calls and those of all that it starts may cost.")
]
Starter = Annotated[str, Meta(min_length=1, max_length=500, description="The name of who started it.")]
Statuses = Annotated[tuple[Status, ...], Meta(min_length=1, max_length=9, description="Any of these.")]
Reason = Annotated[str, Meta(max_length=1_000)]
After = Annotated[int, Meta(ge=0, description="The `seq` of the last event that you have.")]
LastEventId = Annotated[str, Meta(pattern="^[0-9]{1,15}$", description="The id of the last event that you have.")]
EventName = Annotated[Name, Meta(description="The `event` that a step of the kind `wait` names.")]
SignalKey = Annotated[IdempotencyKey, Meta(description="The same key sends the execution one signal.")]
Path = Annotated[str, Meta(min_length=1, max_length=2_000, description="A step's instance path: `Duel[2]/Critic`.")]

_ID = "01938e5c-7a1f-7c3b-9d2e-4f5a6b7c8d9e"


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(summary="Now.", input={"orchestration": "review", "input": {"topic": "tea"}}),
        Example(
            summary="Once, whatever the network does, in a minute.",
            input={"orchestration": "review", "input": {"topic": "tea"}, "idempotencyKey": "tea-1", "delayMs": 60_000},
        ),
    ],
)
async def start(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    input: Json = None,
    role_assignments: Assignments = {},  # noqa: B006
    idempotency_key: Key | None = None,
    priority: Urgency = 0,
    start_at: StartAt | None = None,
    delay_ms: Delay = 0,
    sticky_key: Sticky | None = None,
    budget_usd: BudgetUsd | None = None,
) -> Execution:
    """An execution of the orchestration's active version, which runs in the background from now on, or from `startAt`
    or after `delayMs`, at most a year ahead; until then it is `queued`, and a cancel ends it at once. The same
    `idempotencyKey` gives back the execution that it started first. BAD_REQUEST with `problems` when `input` does not
    fit the input schema, a role cannot be assigned or the start is too far ahead; NOT_FOUND when there is no such
    orchestration; CONFLICT when it is inactive, its version or a role has expired or, with `problems`, cannot be used
    as its rows are, or the key was used with another request. While the orchestration has a canary, that takes its
    share of the sticky keys; without one each idempotency key, or each call, goes for itself. `budgetUsd` lowers what
    its version allows. Needs executions.run.
    """
    return await executions.start(
        ctx.caller,
        orchestration=orchestration,
        input=input,
        role_assignments=role_assignments,
        idempotency_key=idempotency_key,
        priority=priority,
        start_at=start_at,
        delay_ms=delay_ms,
        sticky_key=sticky_key,
        budget_usd=budget_usd,
    )


@mutation(
    meta=Needs("executions.run", "executions.read"),
    examples=[Example(summary="To its end.", input={"orchestration": "review", "input": {"topic": "tea"}})],
)
async def run(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    input: Json = None,
    role_assignments: Assignments = {},  # noqa: B006
    idempotency_key: Key | None = None,
    priority: Urgency = 0,
    start_at: StartAt | None = None,
    delay_ms: Delay = 0,
    sticky_key: Sticky | None = None,
    budget_usd: BudgetUsd | None = None,
) -> AsyncIterator[Followed]:
    """What happens in an execution that is started as by `execution.start`, from its first event to its last, with
    progress in between; `event.execution` of the first is its id. It goes on when the client leaves. The same
    `idempotencyKey` gives the events of the execution that it started first, all of them again. Refused as
    `execution.start` is. Needs executions.run and executions.read.
    """
    items = executions.run(
        ctx.caller,
        orchestration=orchestration,
        input=input,
        role_assignments=role_assignments,
        idempotency_key=idempotency_key,
        priority=priority,
        start_at=start_at,
        delay_ms=delay_ms,
        sticky_key=sticky_key,
        budget_usd=budget_usd,
    )
    async with aclosing(items):
        async for item in items:
            yield item


@subscription(
    meta=Needs("executions.read"),
    examples=[
        Example(summary="From its beginning.", input={"execution": _ID}),
        Example(summary="Behind the third event.", input={"execution": _ID, "after": 3}),
    ],
)
async def follow(
    ctx: Context, *, execution: ExecutionId, after: After = 0, last_event_id: LastEventId | None = None
) -> AsyncIterator[Tracked[Recorded] | Progress]:
    """Every event of an execution behind number `after`, once and in order, to the one that ends it; its `seq` is its
    id, behind which a client that was interrupted goes on. In between, without an id, progress: attempts and turns that
    start, pieces of a model's answer, calls of tools and their ends. NOT_FOUND when there is no such execution, also
    when it is pruned meanwhile; CONFLICT when it has not so many events; UNAUTHORIZED also when the token is revoked
    meanwhile. Needs executions.read.
    """
    items = executions.follow(ctx.caller, execution=execution, after=int(last_event_id or after))
    async with aclosing(items):
        async for item in items:
            yield Tracked(str(item.seq), item) if isinstance(item, Recorded) else item


@query(meta=Needs("executions.read"), examples=[Example(summary="By its id.", input={"execution": _ID})])
async def get(ctx: Context, *, execution: ExecutionId) -> ExecutionDetail:
    """An execution as it stands: status, context so far, output or error, tokens and cost. NOT_FOUND when there is
    none. Needs executions.read.
    """
    return await executions.get(ctx.caller, execution=execution)


@query(
    meta=Needs("executions.read"),
    examples=[
        Example(summary="Those of an orchestration that failed.", input={"orchestration": "review", "status": "failed"})
    ],
)
async def list_(
    ctx: Context,
    *,
    orchestration: OrchestrationReference | None = None,
    version: Number | None = None,
    status: Status | Statuses | None = None,
    role: RoleReference | None = None,
    tool: ToolName | None = None,
    started_by: Starter | None = None,
    started_before: Instant | None = None,
    started_after: Instant | None = None,
    parent: ExecutionId | None = None,
    restart_of: ExecutionId | None = None,
    sort: ExecutionSort = ExecutionSort(),  # noqa: B008
    cursor: Cursor | None = None,
    direction: Forward = "forward",
    limit: Limit = 50,
) -> ExecutionPage:
    """Executions, the newest first unless `sort` says otherwise; `nextCursor` is the `cursor` of the next page.
    `status` is one or several of them, `parent` leaves those that its steps have started, `restartOf` its restarts, and
    the rest narrows as in `execution.cancelMany`. Where there is much history, give `startedAfter` along with a role, a
    tool or a starter: for these one execution after the other is looked at. NOT_FOUND when there is no such
    orchestration, version, role or tool; BAD_REQUEST when the cursor is of another list. Needs executions.read.
    """
    return await executions.list_(
        ctx.caller,
        orchestration=orchestration,
        version=version,
        status=status,
        role=role,
        tool=tool,
        started_by=started_by,
        started_before=started_before,
        started_after=started_after,
        parent=parent,
        restart_of=restart_of,
        sort=sort,
        cursor=cursor,
        limit=limit,
    )


@query(meta=Needs("executions.read"), examples=[Example(summary="By its id.", input={"execution": _ID})])
async def steps(ctx: Context, *, execution: ExecutionId) -> list[StepLog]:
    """What happened to each step of an execution, in the order of the plan: status, attempts, input, output, times,
    model and cost. NOT_FOUND when there is no such execution. Needs executions.read.
    """
    return await executions.steps(ctx.caller, execution=execution)


@mutation(meta=Needs("executions.run"), examples=[Example(summary="By its id.", input={"execution": _ID})])
async def cancel(ctx: Context, *, execution: ExecutionId, reason: Reason = "") -> Execution:
    """The execution, asked to end: no step starts any more, and those under way are stopped. NOT_FOUND when there is
    none; CONFLICT when it has finished. Needs executions.run.
    """
    return await executions.cancel(ctx.caller, execution=execution, reason=reason)


@mutation(meta=Needs("executions.run"), examples=[Example(summary="By its id.", input={"execution": _ID})])
async def pause(ctx: Context, *, execution: ExecutionId) -> Execution:
    """The execution, asked to begin nothing new: attempts under way finish, then it is `paused` until it is resumed.
    NOT_FOUND when there is none; CONFLICT when it has finished. Needs executions.run.
    """
    return await executions.pause(ctx.caller, execution=execution)


@mutation(meta=Needs("executions.run"), examples=[Example(summary="By its id.", input={"execution": _ID})])
async def resume(ctx: Context, *, execution: ExecutionId) -> Execution:
    """The execution, asked to go on where it was paused. NOT_FOUND when there is none; CONFLICT when it has finished.
    Needs executions.run.
    """
    return await executions.resume(ctx.caller, execution=execution)


@mutation(
    meta=Needs("executions.run"),
    examples=[Example(summary="With data.", input={"execution": _ID, "event": "paid", "data": {"amount": 12}})],
)
async def signal(
    ctx: Context,
    *,
    execution: ExecutionId,
    event: EventName,
    data: Json = None,
    idempotency_key: SignalKey | None = None,
) -> Execution:
    """The execution, told that an event has come: the step that has waited for it longest takes it and has `data` for
    its output; while none waits, it is kept for the first that will. The same `idempotencyKey` sends nothing again.
    BAD_REQUEST with `problems` when no step of it waits for such an event, or none could use the data; NOT_FOUND when
    there is no such execution; CONFLICT when it has finished, or the key was used with another signal;
    TOO_MANY_REQUESTS when it has been sent 10,000. Needs executions.run.
    """
    return await executions.signal(
        ctx.caller, execution=execution, event=event, data=data, idempotency_key=idempotency_key
    )


@mutation(
    meta=Needs("executions.run"),
    examples=[Example(summary="From a step on.", input={"execution": _ID, "from": "Draft"})],
)
async def restart(
    ctx: Context,
    *,
    execution: ExecutionId,
    from_: Path | None = None,
    input: Json = None,
    context: JsonObject | None = None,
    idempotency_key: Key | None = None,
) -> Execution:
    """A new execution that goes on with the history of a finished one from the step at `from` on; without it, all is
    done anew. `input` takes the place of its input, `context` that of the values under these keys. BAD_REQUEST with
    `problems` when that step's turn never came, or the input or the context does not fit; NOT_FOUND when there is no
    such execution; CONFLICT when it has not finished, or its version cannot be run any more. Needs executions.run.
    """
    return await executions.restart(
        ctx.caller, execution=execution, from_=from_, input=input, context=context, idempotency_key=idempotency_key
    )


@mutation(
    meta=Needs("executions.run"), examples=[Example(summary="What failed or was cancelled.", input={"execution": _ID})]
)
async def retry(ctx: Context, *, execution: ExecutionId, idempotency_key: Key | None = None) -> Execution:
    """A new execution that goes on with the history of one that failed, timed out or was cancelled, from the step that
    failed or was stopped. NOT_FOUND when there is none; CONFLICT when it has not finished, is completed, has no step
    left to do, or its version cannot be run any more. Needs executions.run.
    """
    return await executions.retry(ctx.caller, execution=execution, idempotency_key=idempotency_key)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(
            summary="With an output given by hand.",
            input={"execution": _ID, "path": "Draft", "output": {"text": "Tea calms."}},
        )
    ],
)
async def complete_step(
    ctx: Context, *, execution: ExecutionId, path: Path, output: Json = None, reason: Reason = ""
) -> Execution:
    """The execution, asked to take `output` for that of an open step; what is under way there is stopped. Nothing
    happens when the step is settled meanwhile. BAD_REQUEST with `problems` when the output does not fit; NOT_FOUND when
    there is no such execution or step; CONFLICT when it has finished, or the step is not open. Needs executions.run.
    """
    return await executions.complete_step(ctx.caller, execution=execution, path=path, output=output, reason=reason)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(summary="A step that waits.", input={"execution": _ID, "path": "Draft", "reason": "Not needed today."})
    ],
)
async def skip_step(ctx: Context, *, execution: ExecutionId, path: Path, reason: Reason = "") -> Execution:
    """The execution, asked to skip an open step; what is under way there is stopped. Nothing happens when the step is
    settled meanwhile. NOT_FOUND when there is no such execution or step; CONFLICT when it has finished, or the step is
    not open. Needs executions.run.
    """
    return await executions.skip_step(ctx.caller, execution=execution, path=path, reason=reason)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(
            summary="All of an orchestration, first only counted.",
            input={"filter": {"orchestration": "review"}, "dryRun": True},
        )
    ],
)
async def cancel_many(ctx: Context, *, filter: ExecutionFilter, reason: Reason = "", dry_run: bool = False) -> Steered:
    """Every execution that matches the filter and has not finished, asked to end as by `execution.cancel`, with its
    children; with `dryRun` only how many they are and which. Calling it again does no harm. BAD_REQUEST when the filter
    says nothing (`all: true` means every one) or contradicts itself; NOT_FOUND when it names what there is not. Needs
    executions.run.
    """
    return await executions.cancel_many(ctx.caller, filter=filter, reason=reason, dry_run=dry_run)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(
            summary="All of an orchestration, first only counted.",
            input={"filter": {"orchestration": "review"}, "dryRun": True},
        )
    ],
)
async def pause_many(ctx: Context, *, filter: ExecutionFilter, dry_run: bool = False) -> Steered:
    """Every execution that matches the filter and has not finished, asked to begin nothing new as by
    `execution.pause`. BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run.
    """
    return await executions.pause_many(ctx.caller, filter=filter, dry_run=dry_run)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(
            summary="All of an orchestration, first only counted.",
            input={"filter": {"orchestration": "review"}, "dryRun": True},
        )
    ],
)
async def resume_many(ctx: Context, *, filter: ExecutionFilter, dry_run: bool = False) -> Steered:
    """Every execution that matches the filter and has not finished, asked to go on as by `execution.resume`.
    BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run.
    """
    return await executions.resume_many(ctx.caller, filter=filter, dry_run=dry_run)


@mutation(
    meta=Needs("executions.run"),
    examples=[
        Example(
            summary="What an outage has failed.",
            input={"filter": {"startedAfter": "2026-01-02T03:04:05Z"}, "dryRun": True},
        )
    ],
)
async def retry_many(ctx: Context, *, filter: ExecutionFilter, again: bool = False, dry_run: bool = False) -> Retried:
    """Every execution that matches the filter and failed, timed out or was cancelled, retried as by `execution.retry`,
    the oldest first; with `dryRun` only how many they are and which. Those that have been restarted already are
    skipped unless `again` is true, so calling it again does no harm. Children that a step waits for are left out: the
    retry of their parent starts new ones. What cannot be retried is counted and told, and keeps none of the others from
    it. BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run.
    """
    return await executions.retry_many(ctx.caller, filter=filter, again=again, dry_run=dry_run)
