"""Steering executions that are under way. What is asked for is read by the worker that runs them."""

from typing import Literal, TypeAlias
from uuid import UUID

import msgspec
from asyncpg import ObjectNotInPrerequisiteStateError

from db.refusal import refusal_of
from services import connections
from services.caller import Caller
from services.engine.sql import statement
from services.errors import Conflict
from services.executions.records import OPEN, Execution, Steered
from services.executions.rows import one
from services.executions.selecting import ExecutionFilter, batches, selection_of
from services.json import JsonObject

SHOWN = 100
Kind: TypeAlias = Literal["cancel", "pause", "resume", "complete_step", "skip_step"]


async def cancel(caller: Caller, *, execution: UUID, reason: str = "") -> Execution:
    """Ask for an execution to end. No attempt starts after that but in `finally`; those under way are stopped.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    return await post(caller, execution, "cancel", {"reason": reason})


async def pause(caller: Caller, *, execution: UUID) -> Execution:
    """Ask for nothing new to begin in an execution. Attempts under way finish; then it is `paused` until resumed.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    return await post(caller, execution, "pause", {})


async def resume(caller: Caller, *, execution: UUID) -> Execution:
    """Let a paused execution go on where it stands.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    return await post(caller, execution, "resume", {})


async def cancel_many(caller: Caller, *, filter: ExecutionFilter, reason: str = "", dry_run: bool = False) -> Steered:
    """Ask every execution that matches, and has not finished, to end, as `cancel` does. Children follow their parents.

    Those that start meanwhile are left out. It is done a thousand at a time, so what is done stays when it breaks off,
    and doing it again does no harm. In a dry run nothing is done.

    Raises:
        Invalid: the filter says nothing, contradicts itself, or wants a status of finished executions.
        NotFound: the filter names an orchestration, a version, a role or a tool that there is not.
    """
    return await _post_many(caller, filter, "cancel", {"reason": reason}, dry_run)


async def pause_many(caller: Caller, *, filter: ExecutionFilter, dry_run: bool = False) -> Steered:
    """Ask every execution that matches to begin nothing new: as `cancel_many`, but without the children."""
    return await _post_many(caller, filter, "pause", {}, dry_run)


async def resume_many(caller: Caller, *, filter: ExecutionFilter, dry_run: bool = False) -> Steered:
    """Let every execution that matches go on: as `cancel_many`, but without the children."""
    return await _post_many(caller, filter, "resume", {}, dry_run)


async def post(caller: Caller, execution: UUID, kind: Kind, payload: JsonObject) -> Execution:
    """Put a message into the inbox of an execution.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    caller.require("executions.run")
    is_open = await _put(caller, execution, kind, payload)
    found = await one(execution)
    if not is_open:
        raise Conflict("execution", str(execution), state=f"is {found.status}", allowed="one that has not finished")
    connections.hint()
    return found


async def _post_many(caller: Caller, filter: ExecutionFilter, kind: Kind, payload: JsonObject, is_dry: bool) -> Steered:
    caller.require("executions.run")
    matched, asked, shown, left = 0, 0, list[UUID](), list[UUID]()
    async for ids in batches(await selection_of(filter, OPEN)):
        matched += len(ids)
        shown += ids[: SHOWN - len(shown)]
        if not is_dry:
            free = await _put_into_free(caller, ids, kind, payload)
            asked += len(free)
            left += [execution for execution in ids if execution not in free]
            connections.hint()
    # Last, and one by one: whoever is held for long holds up none of the others.
    for execution in left:
        asked += await _put(caller, execution, kind, payload)
    connections.hint()
    finished = 0 if is_dry else matched - asked
    return Steered(dry_run=is_dry, matched=matched, asked=asked, finished_meanwhile=finished, first_ids=tuple(shown))


async def _put_into_free(caller: Caller, executions: list[UUID], kind: Kind, payload: JsonObject) -> set[UUID]:
    """Leave a message in the inboxes of those of the executions that can be had at once; which these are."""
    text = msgspec.json.encode(payload).decode()
    rows = await connections.pool().fetch(statement("post_many"), executions, kind, text, caller.name)
    return {row["execution_id"] for row in rows}


async def _put(caller: Caller, execution: UUID, kind: Kind, payload: JsonObject) -> bool:
    """Leave a message in the inbox of an execution; whether it was open."""
    try:
        posted = await connections.pool().fetchval(
            statement("post"), execution, kind, msgspec.json.encode(payload).decode(), caller.name
        )
    except ObjectNotInPrerequisiteStateError as error:
        if refusal_of(error).rule != "inbox__execution_is_open":
            raise
        return False  # it has finished in this very moment
    return posted is not None
