"""Waiting until an execution has ended."""

import asyncio
from uuid import UUID

import asyncpg

from services import connections
from services.engine import journal
from services.engine.core.events import ExecutionFailed
from services.engine.follower import Gone
from services.errors import NotFound, StillRunning
from services.executions.following import LAST_KINDS, so_far
from services.executions.records import FINISHED, Execution
from services.executions.rows import one


async def ended(execution: UUID, *, wait_seconds: float) -> Execution:
    """The execution, once it has ended. It goes on whether anybody waits for it or not.

    Raises:
        StillRunning: it has not ended within `wait_seconds`.
        NotFound: there is none, or it was pruned meanwhile.
    """
    try:
        async with asyncio.timeout(wait_seconds):
            await _end_of(execution)
    except TimeoutError:
        found = await one(execution)
        if found.status not in FINISHED:
            message = (
                f"execution {str(execution)!r} of {found.orchestration!r} is {found.status} after {wait_seconds:g} "
                "seconds and goes on; follow it, or look at it later"
            )
            raise StillRunning(message, execution=execution) from None
        return found
    return await one(execution)


async def failed_step(execution: UUID) -> str | None:
    """The path of the step that an execution has failed at, if there is one."""
    payload = await connections.pool().fetchval(
        "SELECT payload FROM journal WHERE execution_id = $1 AND kind = 'execution_failed'", execution
    )
    if payload is None:
        return None
    try:
        event = journal.decode(payload)
    except journal.Unreadable:  # somebody has written it by hand
        return None
    return event.path if isinstance(event, ExecutionFailed) else None


async def _end_of(execution: UUID) -> None:
    last_seq, is_over = await so_far(execution)
    if is_over:
        return
    with connections.feed().following(execution, last_seq) as follower:
        try:
            while True:
                found = await follower.next()
                if isinstance(found, asyncpg.Record) and found["kind"] in LAST_KINDS:
                    return
        except Gone:
            raise NotFound("execution", str(execution), hint="it was pruned while somebody waited for it") from None
