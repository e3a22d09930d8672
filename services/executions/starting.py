"""Starting executions, at most once for each idempotency key."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from asyncpg import CheckViolationError
from uuid_utils.compat import uuid7

from db.refusal import refusal_of
from services import connections, orchestrations, plans, roles
from services.caller import Caller
from services.definitions.document import Dollars
from services.definitions.structure import pointer
from services.engine import journal
from services.engine.core.events import Assigned, ExecutionStarted
from services.engine.core.plan import Plan
from services.engine.sql import statement
from services.errors import Conflict, Invalid
from services.executions.pinning import calls_of
from services.executions.records import DelayMs, Execution, Priority, RoleAssignments, StickyKey
from services.executions.rows import one
from services.expressions.errors import suggestion
from services.idempotency import IdempotencyKey
from services.json import Json
from services.listing import Instant
from services.problem import Problem
from services.schema import problems_of_value, with_defaults


async def start(
    caller: Caller,
    *,
    orchestration: str,
    input: Json = None,
    role_assignments: RoleAssignments = {},  # noqa: B006
    idempotency_key: IdempotencyKey | None = None,
    priority: Priority = 0,
    start_at: Instant | None = None,
    delay_ms: DelayMs = 0,
    sticky_key: StickyKey | None = None,
    budget_usd: Dollars | None = None,
    id: UUID | None = None,
) -> Execution:
    """Start the active version of an orchestration; it runs in the background.

    `role_assignments` gives steps, by name, another role than the one that they name. With the same `idempotency_key`,
    later calls return the execution that the first one started. Nothing of it is done before `start_at`, or before
    `delay_ms` have passed; its version and its roles are those of now all the same. An instant that is over is now.
    Where the orchestration has a canary, starts with the same `sticky_key` get the same version: its canary or its
    active one. Without one, each idempotency key is a key of its own, and each start without that as well.
    Its model calls and those of all that it starts may cost `budget_usd`, and no more than its version allows.
    With an `id`, that is the execution's, and what has started under it stays as it is.

    Raises:
        NotFound: there is no such orchestration.
        Conflict: it, or one that its steps call, is inactive, or has no active version or one that has expired, or a
            role has; the rows of its version, or of a role that it uses, are nonsense; or the key was used for another
            request.
        Invalid: `input` does not fit the orchestration's input schema, a role is assigned to no step that takes one, or
            the start is said twice or is more than a year ahead.
    """
    caller.require("executions.run")
    if start_at is not None and delay_ms:
        raise Invalid("an execution starts at `startAt` or after `delayMs`; give one of them")
    orchestration_id = await orchestrations.id_of(orchestration)
    due = _Due(priority=priority, at=None if start_at is None else start_at.timestamp(), delay_seconds=delay_ms / 1000)
    budget = None if budget_usd is None else Decimal(budget_usd)
    request = _digest(orchestration_id, input, role_assignments, due, sticky_key, budget)
    if idempotency_key is not None and (earlier := await earlier_of(caller, idempotency_key, request)) is not None:
        return await one(earlier)
    execution = id or uuid7()
    found = await orchestrations.active(str(orchestration_id), key=sticky_key or idempotency_key or str(execution))
    plan = await plans.of_version(found.version)
    data = checked_input(plan, {} if input is None else input)
    pinned = await orchestrations.newest_roles(found.version) if plan.role_names else {}
    assigned = await _assigned(plan, role_assignments) if role_assignments else {}
    calls = await calls_of(found.version, plan)
    if pinned or assigned or calls:
        own = (*pinned.values(), *(it.version for it in assigned.values()))
        await roles.check_usable([*own, *(version for call in calls.values() for version in call.roles.values())])
    started = ExecutionStarted(
        execution=execution,
        at=datetime.now(UTC),
        input=data,
        roles=pinned,
        role_assignments=assigned,
        calls=calls,
    )
    inserted = await _insert(caller, found, started, due, budget, idempotency_key, request)
    connections.hint()
    return await one(inserted)


class _Due(msgspec.Struct, frozen=True, kw_only=True):
    """When an execution is due and before which others; `at` is in seconds since 1970."""

    priority: int
    at: float | None
    delay_seconds: float


def checked_input(plan: Plan, input: Json) -> Json:
    """The input with its defaults.

    Raises:
        Invalid: it does not fit the orchestration's input schema.
    """
    data = with_defaults(plan.input_schema, input)
    if plan.input_schema is not None and (problems := problems_of_value(plan.input_schema, data, "/input")):
        raise Invalid("the input does not fit the orchestration's input schema", problems)
    return data


async def _insert(
    caller: Caller,
    found: orchestrations.Active,
    started: ExecutionStarted,
    due: _Due,
    budget_usd: Decimal | None,
    key: str | None,
    request: str,
) -> UUID:
    try:
        inserted = await connections.pool().fetchval(
            statement("start"),
            started.execution,
            found.version,
            msgspec.json.encode(started.input).decode(),
            msgspec.json.encode(caller.principal).decode(),
            key,
            request,
            journal.encode(started),
            due.priority,
            due.at,
            due.delay_seconds,
            budget_usd,
        )
    except CheckViolationError as error:
        if refusal_of(error).rule != "execution__starts_within_a_year":
            raise
        message = "it is more than a year ahead; start the execution within a year"
        raise Invalid(
            "the execution cannot start then", [Problem(code="TOO_LATE", path="/startAt", message=message)]
        ) from None
    if inserted is not None:
        return started.execution
    earlier = None if key is None else await earlier_of(caller, key, request)
    # Without a key, or with one that stands for nothing else, it is its own id that was there: it has started before.
    return earlier or started.execution


def _digest(
    orchestration: UUID,
    input: Json,
    role_assignments: RoleAssignments,
    due: _Due,
    sticky_key: str | None,
    budget_usd: Decimal | None,
) -> str:
    """What tells one request from another: what was asked for, not what today's defaults make of it."""
    asked = [str(orchestration), input, role_assignments, due, sticky_key, budget_usd]
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()


async def _assigned(plan: Plan, role_assignments: RoleAssignments) -> dict[str, Assigned]:
    """The roles that steps have instead of those they name, at their newest versions.

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
    return {step: Assigned(role, newest[role]) for step, role in role_assignments.items()}


async def earlier_of(caller: Caller, key: str, request: str) -> UUID | None:
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
