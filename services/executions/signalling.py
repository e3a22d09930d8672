"""Signals: telling an execution that an event has come which one of its steps waits for, or will."""

import hashlib
from uuid import UUID

import msgspec
from asyncpg import ObjectNotInPrerequisiteStateError

from db.refusal import refusal_of
from services import connections, plans
from services.caller import Caller
from services.engine.attempts import unstorable
from services.engine.core.plan import Plan
from services.engine.orders import MAX_HELD_BYTES, MAX_SIGNAL_BYTES, Signal
from services.engine.sql import statement
from services.errors import Conflict, Invalid, LimitExceeded
from services.executions.records import FINISHED, Execution
from services.executions.rows import one
from services.expressions.errors import suggestion
from services.idempotency import IdempotencyKey
from services.json import Json
from services.problem import Problem
from services.schema import problems_of_value

# Of one execution: no more of them can be taken than it may run steps, and what nobody takes is kept as well.
MAX_SIGNALS = 10_000
MAX_ALL_SIGNALS_BYTES = 16 * 1024 * 1024


async def signal(
    caller: Caller, *, execution: UUID, event: str, data: Json = None, idempotency_key: IdempotencyKey | None = None
) -> Execution:
    """Tell an execution that an event has come. One step takes it, with its data: the one that has waited for it
    longest or, when none waits by then, the first that will.

    With the same key, later calls to the same execution send nothing.

    Raises:
        NotFound: there is no such execution.
        Conflict: it has finished, or the key was used for another signal.
        Invalid: none of its steps waits for such an event, now or ever, or none could use the data; or the data is no
            JSON that can be kept, of at most 256 KiB.
        LimitExceeded: it has been sent 10,000 signals, or 16 MiB of them.
    """
    caller.require("executions.run")
    found = await one(execution)
    request = hashlib.sha256(msgspec.json.encode([event, data], order="sorted")).hexdigest()
    if idempotency_key is not None and await _was_sent(execution, idempotency_key, request):
        return found
    if found.status in FINISHED:
        raise _over(found)
    version = await connections.pool().fetchval("SELECT version_id FROM execution WHERE id = $1", execution)
    _check(await plans.of_version(version), event, data)
    await _check_room(execution, data)
    if await _put(caller, execution, Signal(event=event, data=data), idempotency_key, request):
        connections.hint()
    elif idempotency_key is None or not await _was_sent(execution, idempotency_key, request):
        # Nobody else has sent it with this key in this very moment, so it has finished in that.
        raise _over(await one(execution))
    return found


def _over(found: Execution) -> Conflict:
    return Conflict("execution", str(found.id), state=f"is {found.status}", allowed="one that has not finished")


async def _was_sent(execution: UUID, key: str, request: str) -> bool:
    """Whether this signal was sent with this key before.

    Raises:
        Conflict: another one was.
    """
    earlier = await connections.pool().fetchval(
        "SELECT request_digest FROM signal_key WHERE execution_id = $1 AND key = $2", execution, key
    )
    if earlier is not None and earlier != request:
        raise Conflict(
            "idempotency key", key, state="was used for another signal to this execution", allowed="a new key"
        )
    return earlier is not None


def _check(plan: Plan, event: str, data: Json) -> None:
    """Nothing, when a step could take the signal.

    Raises:
        Invalid: none could.
    """
    if event not in plan.events:
        events = tuple(sorted(plan.events))
        message = f"no step waits for the event {event!r}" if events else "no step of it waits for an event"
        near = suggestion(event, events)
        problem = Problem(code="UNKNOWN_EVENT", path="/event", message=message, allowed=events, suggestion=near)
        raise Invalid("the execution cannot be sent this signal", [problem])
    if (failure := unstorable(data, noun="data", max_bytes=MAX_SIGNAL_BYTES)) is not None:
        raise Invalid(failure.message)
    schemas = [step.definition.output_schema for step in plan.steps.values() if step.definition.event == event]
    misfits = [[] if schema is None else problems_of_value(schema, data, "/data") for schema in schemas]
    if all(misfits):
        raise Invalid("the data does not fit the output schema of any step that waits for the event", misfits[0])


async def _check_room(execution: UUID, data: Json) -> None:
    """Nothing, when the execution can be sent one more with this data.

    Raises:
        Invalid: the data is too large for its inbox.
        LimitExceeded: it has been sent too many.
    """
    sent = await connections.pool().fetchrow(statement("signalled"), execution, msgspec.json.encode(data).decode())
    assert sent is not None, "an aggregate has a row"
    if sent["own_bytes"] > MAX_HELD_BYTES:
        message = f"the data has {sent['own_bytes']:,} bytes when its numbers are written out"
        raise Invalid(f"{message}; up to {MAX_HELD_BYTES:,} are kept: write very large numbers as texts")
    if sent["number"] >= MAX_SIGNALS or sent["bytes"] >= MAX_ALL_SIGNALS_BYTES:
        message = f"execution {str(execution)!r} has been sent {sent['number']:,} signals of {sent['bytes']:,} bytes"
        raise LimitExceeded(f"{message}; up to {MAX_SIGNALS:,} are taken, of {MAX_ALL_SIGNALS_BYTES:,} bytes together")


async def _put(caller: Caller, execution: UUID, sent: Signal, key: str | None, request: str) -> bool:
    """Leave the signal in the inbox; whether the execution was open and the key new."""
    text = msgspec.json.encode(sent).decode()
    try:
        posted = await connections.pool().fetchval(statement("signal"), execution, text, caller.name, key, request)
    except ObjectNotInPrerequisiteStateError as error:
        if refusal_of(error).rule != "inbox__execution_is_open":
            raise
        return False  # it has finished in this very moment
    return posted is not None
