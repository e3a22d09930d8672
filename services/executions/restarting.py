"""Restarting what has finished: a new execution that begins with the history of another."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import msgspec
from asyncpg import Pool
from asyncpg.pool import PoolConnectionProxy
from uuid_utils.compat import uuid7

from services import connections, expiry
from services.caller import Caller
from services.engine import journal
from services.engine.core.decide import replay
from services.engine.core.events import AnyEvent, ExecutionRestarted, ExecutionStarted
from services.engine.core.fork import before_the_end, kept, retried
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.trace import trace
from services.engine.sql import statement
from services.errors import Conflict, Invalid
from services.executions.reading import history_of
from services.executions.records import FINISHED, Execution
from services.executions.restartable import check_context, check_pinned
from services.executions.rows import one
from services.executions.starting import checked_input, earlier_of
from services.expressions.errors import suggestion
from services.idempotency import IdempotencyKey
from services.json import Json, JsonObject
from services.problem import Problem

_SHOWN_PATHS = 50
_History: TypeAlias = Sequence[tuple[AnyEvent, datetime]]


async def restart(
    caller: Caller,
    *,
    execution: UUID,
    from_: str | None = None,
    input: Json = None,
    context: JsonObject | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Execution:
    """A new execution of the same version and the same roles, from the step at `from_` on; without one, of all of it.

    What had happened before that step is taken over, and so is what had worked beside it: in its parallel group and in
    other items of its map. `input` takes the place of the input; `context` that of the values under these keys, as the
    step sees them. With the same key, later calls return the execution that the first one made.

    Raises:
        NotFound: there is no such execution.
        Conflict: it has not finished, its version, one of its roles or something that it calls cannot be run any more,
            its journal cannot be read here, or the key was used for another request.
        Invalid: the step's turn never came, the input does not fit its schema, or the context has no such keys or would
            grow too large.
    """
    caller.require("executions.run")
    request = _digest(execution, from_, input, context)
    if idempotency_key is not None and (earlier := await earlier_of(caller, idempotency_key, request)) is not None:
        return await one(earlier)
    await _origin(execution)
    plan, history = await history_of(execution)
    begun = await _begun(caller, execution, plan, history, from_, input, context)
    return await _inserted(caller, begun, idempotency_key, request)


async def retry(caller: Caller, *, execution: UUID, idempotency_key: IdempotencyKey | None = None) -> Execution:
    """Restart an execution from the step that it failed at; a cancelled or timed out one from what was under way.

    What failed or was stopped beside that is tried again with it. Keys as in `restart`.

    Raises:
        NotFound: there is no such execution.
        Conflict: it has not finished, it is completed, no step was left to be done, or as in `restart`.
    """
    caller.require("executions.run")
    plan, history, path = await _left_to_do(execution)
    request = _digest(execution, path, None, None)
    if idempotency_key is not None and (earlier := await earlier_of(caller, idempotency_key, request)) is not None:
        return await one(earlier)
    begun = await _begun(caller, execution, plan, history, path)
    return await _inserted(caller, begun, idempotency_key, request)


async def retry_unless_restarted(caller: Caller, *, execution: UUID) -> bool:
    """Retry an execution if nobody has restarted it yet; whether it was so. Of calls at the same time one does it.

    Raises:
        NotFound, Conflict: as `retry`.
    """
    caller.require("executions.run")
    plan, history, path = await _left_to_do(execution)
    begun = await _begun(caller, execution, plan, history, path)
    async with connections.pool().acquire() as connection, connection.transaction():
        # Whoever restarts it holds its row too, as a foreign key does. What they have done is seen once that is over.
        await connection.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", execution)
        if await connection.fetchval("SELECT EXISTS (SELECT FROM execution WHERE forked_from = $1)", execution):
            return False
        inserted = await _insert(connection, caller, begun, None, _digest(execution, path, None, None))
    if not inserted:
        await one(execution)  # which has been pruned in this very moment
    connections.hint()
    return inserted


async def _left_to_do(execution: UUID) -> tuple[Plan, _History, str]:
    """An execution that did not complete: its plan, its history and the step that a retry begins with.

    Raises:
        NotFound, Conflict: as `retry`.
    """
    origin = await _origin(execution)
    if origin.status == "completed":
        allowed = "one that failed, timed out or was cancelled; `execution.restart` runs a completed one again"
        raise Conflict("execution", str(execution), state="is completed", allowed=allowed)
    plan, history = await history_of(execution)
    path = await asyncio.to_thread(retried, plan, [event for event, _ in history])
    if path is None:
        allowed = "`execution.restart`, from a step or with another input"
        raise Conflict("execution", str(execution), state="has no step to retry: all were done", allowed=allowed)
    return plan, history, path


@dataclass(frozen=True, slots=True)
class _Begun:
    """A new execution: what it has of its own, and the places in the origin's history of what it takes over."""

    event: ExecutionRestarted
    input: Json
    places: Sequence[int]


async def _begun(
    caller: Caller,
    execution: UUID,
    plan: Plan,
    history: _History,
    from_: str | None,
    input: Json = None,
    context: JsonObject | None = None,
) -> _Begun:
    """The beginning of a restart.

    Raises:
        Conflict, Invalid: as `restart`.
    """
    events = [event for event, _ in history]
    start = _start_of(execution, events)
    places = (0,) if from_ is None else await asyncio.to_thread(kept, plan, events, from_)
    if places is None:
        raise _never_began(plan, history, from_ or "")
    state = await asyncio.to_thread(replay, plan, [events[place] for place in places])
    data = _input_of(start, events) if input is None else checked_input(plan, input)
    restarted = ExecutionRestarted(
        execution=uuid7(),
        at=datetime.now(UTC),
        restart_of=execution,
        by=caller.name,
        path=from_,
        input=msgspec.UNSET if data is state.input else data,
        context=context or {},
    )
    check_context(plan, state, restarted)
    await check_pinned(execution, start)
    return _Begun(restarted, data, places)


async def _origin(execution: UUID) -> Execution:
    """The execution that is to be restarted."""
    origin = await one(execution)
    if origin.status not in FINISHED:
        allowed = "one that has finished; wait for its end, or cancel it"
        raise Conflict("execution", str(execution), state=f"is {origin.status}", allowed=allowed)
    noun = f"version {origin.version} of orchestration"
    row = await connections.pool().fetchrow(
        "SELECT version.status, version.expires_at, orchestration.is_active FROM execution"
        " JOIN orchestration_version AS version ON version.id = execution.version_id"
        " JOIN orchestration ON orchestration.id = version.orchestration_id WHERE execution.id = $1",
        execution,
    )
    if row is not None and not row["is_active"]:
        allowed = "an active one; update it with isActive: true"
        raise Conflict("orchestration", origin.orchestration, state="is inactive", allowed=allowed)
    if row is not None and row["status"] != "published":
        allowed = "a published one; start the active version instead"
        raise Conflict(noun, origin.orchestration, state=f"is {row['status']}", allowed=allowed)
    if row is not None:
        await expiry.check(noun, origin.orchestration, row["expires_at"], keep="orchestration.promote")
    return origin


def _start_of(execution: UUID, events: Sequence[AnyEvent]) -> ExecutionStarted:
    first = events[0] if events else None
    if not isinstance(first, ExecutionStarted):  # somebody has put the row in by hand
        allowed = "one that was started by `execution.start`"
        raise Conflict("execution", str(execution), state="has no start in its journal", allowed=allowed)
    return first


def _input_of(start: ExecutionStarted, events: Sequence[AnyEvent]) -> Json:
    """The input that an execution has worked on: its restart's, where that has changed it."""
    for event in reversed(events):
        if isinstance(event, ExecutionRestarted) and event.input is not msgspec.UNSET:
            return event.input
    return start.input


def _never_began(plan: Plan, history: _History, path: str) -> Invalid:
    ended = len(list(before_the_end([event for event, _ in history])))
    _, steps = trace(plan, history[:ended])
    begun = [other for other, step in steps.items() if step.status != "pending"]
    # The nearest are looked for among the first only: those of the same step, in another frame, go before all.
    near = suggestion(path, sorted(begun, key=lambda other: name_of(other) != name_of(path)))
    message = f"the turn of {path!r} never came before the execution was ending; what belongs to the end is done anew"
    problem = Problem(
        code="UNKNOWN_PATH", path="/from", message=message, allowed=tuple(begun[:_SHOWN_PATHS]), suggestion=near
    )
    return Invalid("the execution cannot be restarted from there", [problem])


async def _inserted(caller: Caller, begun: _Begun, key: str | None, request: str) -> Execution:
    """The new execution, in the database; with a key that was used meanwhile, the one that it made."""
    if not await _insert(connections.pool(), caller, begun, key, request):
        await one(begun.event.restart_of)  # which may have been pruned in this very moment
        assert key is not None, "only a key keeps an execution from being inserted"
        earlier = await earlier_of(caller, key, request)
        assert earlier is not None, "the key that was in the way cannot have gone"
        return await one(earlier)
    connections.hint()
    return await one(begun.event.execution)


async def _insert(
    connection: PoolConnectionProxy | Pool, caller: Caller, begun: _Begun, key: str | None, request: str
) -> bool:
    event = begun.event
    inserted = await connection.fetchval(
        statement("restart"),
        event.execution,
        msgspec.json.encode(begun.input).decode(),
        msgspec.json.encode(caller.principal).decode(),
        key,
        request,
        event.restart_of,
        [place + 1 for place in begun.places],
        event.path or "",
        journal.encode(event),
    )
    return inserted is not None


def _digest(*asked: object) -> str:
    """What tells one request from another."""
    return hashlib.sha256(msgspec.json.encode(["restart", *asked], order="sorted")).hexdigest()
