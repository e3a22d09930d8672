"""Executions: start, watch and cancel the runs of orchestrations."""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from services import connections, orchestrations, plans
from services.caller import Caller
from services.engine import journal
from services.engine.core.events import ExecutionStarted
from services.engine.core.plan import Plan
from services.engine.core.state import State, StepStatus
from services.engine.core.trace import StepTrace, trace
from services.engine.sql import statement
from services.errors import Conflict, Invalid, NotFound
from services.failure import Failure
from services.json import Json
from services.listing import Limit
from services.schema import problems_of_value, with_defaults

Status = Literal[
    "queued", "running", "waiting", "paused", "cancelling", "completed", "failed", "timed_out", "cancelled"
]
MAX_KEY = 200
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
SETTLED: frozenset[StepStatus] = frozenset({"completed", "failed", "skipped", "cancelled"})
FINISHED: frozenset[Status] = frozenset({"completed", "failed", "timed_out", "cancelled"})


class Execution(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of one version of an orchestration."""

    id: UUID
    orchestration: str
    version: int
    status: Status
    input: Json
    output: Json
    error: Failure | None
    started_by: str
    idempotency_key: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ExecutionDetail(Execution, frozen=True, kw_only=True, rename="camel"):
    """An execution with what its steps have left so far. `costUsd` is null when the price of some call is not known."""

    context: dict[str, Json]
    steps_total: int
    steps_settled: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


class StepLog(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened to one step. `stage` counts from 0; steps of one stage run together."""

    name: str
    kind: str
    stage: int
    role: str | None
    status: StepStatus
    attempts: int
    input: Json
    output: Json
    error: Failure | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int
    model: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


async def start(
    caller: Caller, *, orchestration: str, input: Json = None, idempotency_key: IdempotencyKey | None = None
) -> Execution:
    """Start the active version of an orchestration; it runs in the background.

    With the same `idempotency_key`, later calls return the execution that the first one started.

    Raises:
        NotFound: there is no such orchestration.
        Conflict: it is inactive, it has no active version, or the key was used for another request.
        Invalid: `input` does not fit the orchestration's input schema.
    """
    caller.require("executions.run")
    id = await orchestrations.id_of(orchestration)
    request = _digest(id, input)
    if idempotency_key is not None and (earlier := await _earlier(caller, idempotency_key, request)) is not None:
        return await _get(earlier)
    found = await orchestrations.active(str(id))
    plan = await plans.of_version(found.version)
    data = with_defaults(plan.input_schema, {} if input is None else input)
    if plan.input_schema is not None and (problems := problems_of_value(plan.input_schema, data, "/input")):
        raise Invalid("the input does not fit the orchestration's input schema", problems)
    pinned = await orchestrations.newest_roles(found.version) if plan.has_roles else {}
    started = ExecutionStarted(input=data, roles=pinned)
    execution = await _insert(caller, found, started, idempotency_key, request)
    connections.hint()
    return await _get(execution)


async def list_(
    caller: Caller,
    *,
    orchestration: str | None = None,
    status: Status | None = None,
    limit: Limit = 50,
    before: UUID | None = None,
) -> list[Execution]:
    """Executions, the newest first; those older than the execution `before`.

    Raises:
        NotFound: there is no such orchestration.
    """
    caller.require("executions.read")
    wanted = None if orchestration is None else await orchestrations.id_of(orchestration)
    rows = await connections.pool().fetch(
        f"{_SELECT} WHERE ($1::uuid IS NULL OR orchestration.id = $1) AND ($2::text IS NULL OR execution.status = $2)"
        " AND ($3::uuid IS NULL OR execution.id < $3) ORDER BY execution.id DESC LIMIT $4",
        wanted,
        status,
        before,
        limit,
    )
    return [_execution(row) for row in rows]


async def get(caller: Caller, *, execution: UUID) -> ExecutionDetail:
    """An execution as it stands, with its context; also of a failed one, as it was when it failed.

    Raises:
        NotFound: there is none.
    """
    caller.require("executions.read")
    base = await _get(execution)
    plan, state, steps = await _traced(execution)
    tokens = [step.tokens for step in steps.values()]
    costs = [step.cost_usd for step in steps.values()]
    return ExecutionDetail(
        **msgspec.structs.asdict(base),
        context=state.context,
        steps_total=len(plan.steps),
        steps_settled=sum(_status(state, name) in SETTLED for name in plan.steps),
        input_tokens=sum(tokens_in for tokens_in, _ in tokens),
        output_tokens=sum(tokens_out for _, tokens_out in tokens),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
    )


async def steps(caller: Caller, *, execution: UUID) -> list[StepLog]:
    """What happened to each step of an execution, in the order of the plan.

    Raises:
        NotFound: there is no such execution.
    """
    caller.require("executions.read")
    plan, state, traces = await _traced(execution)
    return [
        _step_log(state, member.name, stage, plan, traces[member.name])
        for stage, members in enumerate(plan.stages)
        for member in members
    ]


async def cancel(caller: Caller, *, execution: UUID, reason: str = "") -> Execution:
    """Ask for an execution to end. No attempt starts after that; those under way are stopped.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    caller.require("executions.run")
    payload = msgspec.json.encode({"reason": reason}).decode()
    posted = await connections.pool().fetchval(statement("post"), execution, "cancel", payload, caller.name)
    found = await _get(execution)
    if posted is None:
        raise Conflict("execution", str(execution), state=f"is {found.status}", allowed="one that has not finished")
    connections.hint()
    return found


_SELECT = """
SELECT execution.id, orchestration.name AS orchestration, version.number AS version, execution.status,
  execution.input::text, execution.output::text, execution.error::text, execution.started_by ->> 'name' AS started_by,
  execution.idempotency_key, execution.created_at, execution.started_at, execution.finished_at
FROM execution
JOIN orchestration_version AS version ON version.id = execution.version_id
JOIN orchestration ON orchestration.id = version.orchestration_id"""


async def _get(id: UUID) -> Execution:
    row = await connections.pool().fetchrow(f"{_SELECT} WHERE execution.id = $1", id)
    if row is None:
        raise NotFound("execution", str(id), hint="`execution.list` shows those there are")
    return _execution(row)


def _execution(row: Any) -> Execution:
    decoded = {name: None if row[name] is None else msgspec.json.decode(row[name]) for name in ("input", "output")}
    error = None if row["error"] is None else msgspec.json.decode(row["error"], type=Failure)
    return Execution(**{**dict(row), **decoded, "error": error})


async def _insert(
    caller: Caller, found: orchestrations.Active, started: ExecutionStarted, key: str | None, request: str
) -> UUID:
    id: UUID = uuid7()
    inserted = await connections.pool().fetchval(
        statement("start"),
        id,
        found.version,
        msgspec.json.encode(started.input).decode(),
        msgspec.json.encode(caller.principal).decode(),
        key,
        request,
        journal.encode(started),
    )
    if inserted is not None:
        return id
    assert key is not None, "only a key keeps an execution from being inserted"
    earlier = await _earlier(caller, key, request)
    assert earlier is not None, "the key that was in the way cannot have gone"
    return earlier


def _digest(orchestration: UUID, input: Json) -> str:
    """What tells one request from another: what was asked for, not what today's defaults make of it."""
    return hashlib.sha256(msgspec.json.encode([str(orchestration), input], order="sorted")).hexdigest()


async def _earlier(caller: Caller, key: str, request: str) -> UUID | None:
    """The execution that this key has started before.

    Raises:
        Conflict: with another request.
    """
    earlier = await connections.pool().fetchrow(
        "SELECT id, request_digest FROM execution WHERE started_by ->> 'name' = $1 AND idempotency_key = $2",
        caller.name,
        key,
    )
    if earlier is not None and earlier["request_digest"] != request:
        raise Conflict("idempotency key", key, state="was used for another request", allowed="a new key")
    return None if earlier is None else earlier["id"]


async def _traced(id: UUID) -> tuple[Plan, State, dict[str, StepTrace]]:
    version = await connections.pool().fetchval("SELECT version_id FROM execution WHERE id = $1", id)
    if version is None:
        raise NotFound("execution", str(id), hint="`execution.list` shows those there are")
    plan = await plans.of_version(version)
    rows = await connections.pool().fetch(
        "SELECT payload, recorded_at FROM journal WHERE execution_id = $1 ORDER BY seq", id
    )
    try:
        history = [(journal.decode(row["payload"]), row["recorded_at"]) for row in rows]
    except journal.Unreadable as error:
        state = f"has a journal that this version of Rolecall cannot read ({error})"
        raise Conflict("execution", str(id), state=state, allowed="the version that wrote it") from None
    return plan, *trace(plan, history)


def _status(state: State, name: str) -> StepStatus:
    step = state.steps.get(name)
    return "pending" if step is None else step.status


def _step_log(state: State, name: str, stage: int, plan: Plan, step: StepTrace) -> StepLog:
    tokens_in, tokens_out = step.tokens
    definition = plan.steps[name].definition
    return StepLog(
        name=name,
        kind=definition.kind,
        stage=stage,
        role=definition.role_name,
        status=_status(state, name),
        attempts=step.attempts,
        input=step.input,
        output=step.output,
        error=step.failure,
        started_at=step.started_at,
        finished_at=step.finished_at,
        duration_ms=step.duration_ms,
        model=step.spent[-1].model if step.spent else None,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=step.cost_usd,
    )
