"""execution.*: start, watch, steer and restart the runs of orchestrations."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from api.context import Context
from api.procedures.orchestrations import OrchestrationReference
from api.rpc import mutation, query
from services import executions
from services.executions import Execution, ExecutionDetail, IdempotencyKey, RoleAssignments, Status, StepLog
from services.json import Json, JsonObject
from services.listing import Limit

ExecutionId = Annotated[UUID, Meta(description="An execution's id.")]
Key = Annotated[IdempotencyKey, Meta(description="The same key starts the same execution.")]
Assignments = Annotated[RoleAssignments, Meta(description="Other roles than the steps name: by step, the role.")]
Reason = Annotated[str, Meta(max_length=1_000)]
Path = Annotated[str, Meta(min_length=1, max_length=2_000, description="A step's instance path: `Duel[2]/Critic`.")]


@mutation
async def start(
    ctx: Context,
    *,
    orchestration: OrchestrationReference,
    input: Json = None,
    role_assignments: Assignments = {},  # noqa: B006
    idempotency_key: Key | None = None,
) -> Execution:
    """An execution of the orchestration's active version, which runs in the background from now on. The same
    `idempotencyKey` gives back the execution that it started first. BAD_REQUEST with `problems` when `input` does not
    fit the input schema or a role cannot be assigned; NOT_FOUND when there is no such orchestration; CONFLICT when it
    is inactive, or the key was used with another request. Needs executions.run.
    """
    return await executions.start(
        ctx.caller,
        orchestration=orchestration,
        input=input,
        role_assignments=role_assignments,
        idempotency_key=idempotency_key,
    )


@query
async def get(ctx: Context, *, execution: ExecutionId) -> ExecutionDetail:
    """An execution as it stands: status, context so far, output or error, tokens and cost. NOT_FOUND when there is
    none. Needs executions.read.
    """
    return await executions.get(ctx.caller, execution=execution)


@query
async def list_(
    ctx: Context,
    *,
    orchestration: OrchestrationReference | None = None,
    status: Status | None = None,
    parent: ExecutionId | None = None,
    restart_of: ExecutionId | None = None,
    limit: Limit = 50,
    before: ExecutionId | None = None,
) -> list[Execution]:
    """Executions, the newest first; `orchestration`, `status`, `parent`, whose steps have started them, and `restartOf`
    narrow; `before` goes on behind an id. Needs executions.read.
    """
    return await executions.list_(
        ctx.caller,
        orchestration=orchestration,
        status=status,
        parent=parent,
        restart_of=restart_of,
        limit=limit,
        before=before,
    )


@query
async def steps(ctx: Context, *, execution: ExecutionId) -> list[StepLog]:
    """What happened to each step of an execution, in the order of the plan: status, attempts, input, output, times,
    model and cost. NOT_FOUND when there is no such execution. Needs executions.read.
    """
    return await executions.steps(ctx.caller, execution=execution)


@mutation
async def cancel(ctx: Context, *, execution: ExecutionId, reason: Reason = "") -> Execution:
    """The execution, asked to end: no step starts any more, and those under way are stopped. NOT_FOUND when there is
    none; CONFLICT when it has finished. Needs executions.run.
    """
    return await executions.cancel(ctx.caller, execution=execution, reason=reason)


@mutation
async def pause(ctx: Context, *, execution: ExecutionId) -> Execution:
    """The execution, asked to begin nothing new: attempts under way finish, then it is `paused` until it is resumed.
    NOT_FOUND when there is none; CONFLICT when it has finished. Needs executions.run.
    """
    return await executions.pause(ctx.caller, execution=execution)


@mutation
async def resume(ctx: Context, *, execution: ExecutionId) -> Execution:
    """The execution, asked to go on where it was paused. NOT_FOUND when there is none; CONFLICT when it has finished.
    Needs executions.run.
    """
    return await executions.resume(ctx.caller, execution=execution)


@mutation
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


@mutation
async def retry(ctx: Context, *, execution: ExecutionId, idempotency_key: Key | None = None) -> Execution:
    """A new execution that goes on with the history of one that failed, timed out or was cancelled, from the step that
    failed or was stopped. NOT_FOUND when there is none; CONFLICT when it has not finished, is completed, has no step
    left to do, or its version cannot be run any more. Needs executions.run.
    """
    return await executions.retry(ctx.caller, execution=execution, idempotency_key=idempotency_key)


@mutation
async def complete_step(
    ctx: Context, *, execution: ExecutionId, path: Path, output: Json = None, reason: Reason = ""
) -> Execution:
    """The execution, asked to take `output` for that of an open step; what is under way there is stopped. Nothing
    happens when the step is settled meanwhile. BAD_REQUEST with `problems` when the output does not fit; NOT_FOUND when
    there is no such execution or step; CONFLICT when it has finished, or the step is not open. Needs executions.run.
    """
    return await executions.complete_step(ctx.caller, execution=execution, path=path, output=output, reason=reason)


@mutation
async def skip_step(ctx: Context, *, execution: ExecutionId, path: Path, reason: Reason = "") -> Execution:
    """The execution, asked to skip an open step; what is under way there is stopped. Nothing happens when the step is
    settled meanwhile. NOT_FOUND when there is no such execution or step; CONFLICT when it has finished, or the step is
    not open. Needs executions.run.
    """
    return await executions.skip_step(ctx.caller, execution=execution, path=path, reason=reason)
