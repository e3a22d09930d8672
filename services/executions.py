"""Executions: start, watch and cancel the runs of orchestrations."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from services import connections, orchestrations, plans, roles
from services.caller import Caller
from services.definitions.document import Name
from services.definitions.structure import pointer
from services.engine import journal
from services.engine.core.events import ExecutionStarted
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.state import State, StepStatus
from services.engine.core.trace import StepTrace, trace
from services.engine.sql import statement
from services.errors import Conflict, Invalid, NotFound
from services.expressions.errors import suggestion
from services.failure import Failure
from services.json import Json
from services.listing import Limit
from services.problem import Problem
from services.schema import problems_of_value, with_defaults

Status = Literal[
    "queued", "running", "waiting", "paused", "cancelling", "completed", "failed", "timed_out", "cancelled"
]
MAX_KEY = 200
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
RoleAssignments: TypeAlias = dict[Name, Name]
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
    """An execution with what its steps have left so far.

    `stepsTotal` and `stepsSettled` count the steps of the main sequence, whatever goes on inside them. `costUsd` is
    null when the price of some call is not known.
    """

    context: dict[str, Json]
    steps_total: int
    steps_settled: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


class StepLog(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened to one instance of a step.

    `path` tells instances apart: a step in a branch is `Route/Pay`, one in the third iteration of a loop
    `Duel[2]/Critic`. `stage` counts from 0 in the sequence that the step stands in; steps of one stage run together.
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
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int
    model: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


async def start(
    caller: Caller,
    *,
    orchestration: str,
    input: Json = None,
    role_assignments: RoleAssignments = {},  # noqa: B006
    idempotency_key: IdempotencyKey | None = None,
) -> Execution:
    """Start the active version of an orchestration; it runs in the background.

    `role_assignments` gives steps, by name, another role than the one that they name. With the same `idempotency_key`,
    later calls return the execution that the first one started.

    Raises:
        NotFound: there is no such orchestration.
        Conflict: it is inactive, it has no active version, or the key was used for another request.
        Invalid: `input` does not fit the orchestration's input schema, or a role is assigned to no step that takes one.
    """
    caller.require("executions.run")
    id = await orchestrations.id_of(orchestration)
    request = _digest(id, input, role_assignments)
    if idempotency_key is not None and (earlier := await _earlier(caller, idempotency_key, request)) is not None:
        return await _get(earlier)
    found = await orchestrations.active(str(id))
    plan = await plans.of_version(found.version)
    data = with_defaults(plan.input_schema, {} if input is None else input)
    if plan.input_schema is not None and (problems := problems_of_value(plan.input_schema, data, "/input")):
        raise Invalid("the input does not fit the orchestration's input schema", problems)
    pinned = await orchestrations.newest_roles(found.version) if plan.role_names else {}
    assigned = await _assigned(plan, role_assignments) if role_assignments else {}
    started = ExecutionStarted(
        execution=uuid7(),
        at=datetime.now(UTC),
        input=data,
        roles=pinned | assigned,
        role_assignments=role_assignments,
    )
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
    # The versions are looked up first: joined, they would hide from the planner how rare they are.
    versions = None if orchestration is None else await orchestrations.version_ids(orchestration)
    wanted = {
        "execution.version_id = ANY(${}::uuid[])": versions,
        "execution.status = ${}": status,
        "execution.id < ${}": before,
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    where = " AND ".join(condition.format(place) for place, condition in enumerate(given, start=1)) or "true"
    rows = await connections.pool().fetch(
        f"{_SELECT} WHERE {where} ORDER BY execution.id DESC LIMIT ${len(given) + 1}", *given.values(), limit
    )
    return [_execution(row) for row in rows]


async def get(caller: Caller, *, execution: UUID) -> ExecutionDetail:
    """An execution as it stands, with its context; also of a failed one, as it was when it failed.

    Raises:
        NotFound: there is none.
    """
    return (await get_with_steps(caller, execution=execution))[0]


async def steps(caller: Caller, *, execution: UUID) -> list[StepLog]:
    """What happened to each step of an execution, in the order of the plan, each before those inside it.

    Steps of the main sequence are there from the start, those inside others once they have begun.

    Raises:
        NotFound: there is no such execution.
    """
    return (await get_with_steps(caller, execution=execution))[1]


async def get_with_steps(caller: Caller, *, execution: UUID) -> tuple[ExecutionDetail, list[StepLog]]:
    """An execution as it stands, and what happened to its steps, both of one reading of its journal.

    Raises:
        NotFound: there is none.
    """
    caller.require("executions.read")
    base = await _get(execution)
    plan, state, traces = await _traced(execution)
    tokens = [step.tokens for step in traces.values()]
    costs = [step.cost_usd for step in traces.values()]
    main = [traces[name] for name in plan.main_names]
    detail = ExecutionDetail(
        **msgspec.structs.asdict(base),
        context=state.context,
        steps_total=len(main),
        steps_settled=sum(step.status in SETTLED for step in main),
        input_tokens=sum(tokens_in for tokens_in, _ in tokens),
        output_tokens=sum(tokens_out for _, tokens_out in tokens),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
    )
    return detail, [_step_log(plan, state, step) for step in traces.values()]


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
    inserted = await connections.pool().fetchval(
        statement("start"),
        started.execution,
        found.version,
        msgspec.json.encode(started.input).decode(),
        msgspec.json.encode(caller.principal).decode(),
        key,
        request,
        journal.encode(started),
    )
    if inserted is not None:
        return started.execution
    assert key is not None, "only a key keeps an execution from being inserted"
    earlier = await _earlier(caller, key, request)
    assert earlier is not None, "the key that was in the way cannot have gone"
    return earlier


def _digest(orchestration: UUID, input: Json, role_assignments: RoleAssignments) -> str:
    """What tells one request from another: what was asked for, not what today's defaults make of it."""
    asked = [str(orchestration), input, role_assignments]
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()


async def _assigned(plan: Plan, role_assignments: RoleAssignments) -> dict[str, UUID]:
    """The newest version of each role that is assigned, by its name.

    Raises:
        Invalid: a step is not there or takes no role, or a role is not there; names all of them.
    """
    taking = tuple(name for name, step in plan.steps.items() if step.definition.role_name is not None)
    newest = await roles.newest_versions(role_assignments.values())
    problems: list[Problem] = []
    for step, role in role_assignments.items():
        path = "/roleAssignments" + pointer(step)
        if step not in taking:
            message, near = f"there is no step {step!r} that takes a role", suggestion(step, taking)
            problems.append(Problem(code="UNKNOWN_STEP", path=path, message=message, allowed=taking, suggestion=near))
        if role not in newest:
            problems.append(Problem(code="UNKNOWN_ROLE", path=path, message=f"there is no role {role!r}"))
    if problems:
        raise Invalid("the roles cannot be assigned", problems)
    return newest


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


def _step_log(plan: Plan, state: State, step: StepTrace) -> StepLog:
    tokens_in, tokens_out = step.tokens
    definition = plan.steps[name_of(step.path)].definition
    return StepLog(
        path=step.path,
        name=definition.name,
        kind=definition.kind,
        stage=step.stage,
        role=state.role_assignments.get(definition.name, definition.role_name),
        status=step.status,
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
