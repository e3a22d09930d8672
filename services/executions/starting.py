"""Starting executions, at most once for each idempotency key."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from services import connections, orchestrations, plans, roles
from services.caller import Caller
from services.definitions.structure import pointer
from services.engine import journal
from services.engine.core.events import Assigned, ExecutionStarted
from services.engine.core.plan import Plan
from services.engine.sql import statement
from services.errors import Conflict, Invalid
from services.executions.pinning import calls_of
from services.executions.records import Execution, IdempotencyKey, RoleAssignments
from services.executions.rows import one
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem
from services.schema import problems_of_value, with_defaults


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
        Conflict: it, or one that its steps call, is inactive or has no active version, or the key was used for another
            request.
        Invalid: `input` does not fit the orchestration's input schema, or a role is assigned to no step that takes one.
    """
    caller.require("executions.run")
    id = await orchestrations.id_of(orchestration)
    request = _digest(id, input, role_assignments)
    if idempotency_key is not None and (earlier := await earlier_of(caller, idempotency_key, request)) is not None:
        return await one(earlier)
    found = await orchestrations.active(str(id))
    plan = await plans.of_version(found.version)
    data = checked_input(plan, {} if input is None else input)
    pinned = await orchestrations.newest_roles(found.version) if plan.role_names else {}
    assigned = await _assigned(plan, role_assignments) if role_assignments else {}
    started = ExecutionStarted(
        execution=uuid7(),
        at=datetime.now(UTC),
        input=data,
        roles=pinned,
        role_assignments=assigned,
        calls=await calls_of(found.version, plan),
    )
    execution = await _insert(caller, found, started, idempotency_key, request)
    connections.hint()
    return await one(execution)


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
    earlier = await earlier_of(caller, key, request)
    assert earlier is not None, "the key that was in the way cannot have gone"
    return earlier


def _digest(orchestration: UUID, input: Json, role_assignments: RoleAssignments) -> str:
    """What tells one request from another: what was asked for, not what today's defaults make of it."""
    asked = [str(orchestration), input, role_assignments]
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
