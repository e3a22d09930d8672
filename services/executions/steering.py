"""Steering executions that are under way. What is asked for is read by the worker that runs them."""

from contextlib import suppress
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec
from asyncpg import ObjectNotInPrerequisiteStateError

from services import connections
from services.caller import Caller
from services.engine.sql import statement
from services.errors import Conflict
from services.executions.records import Execution
from services.executions.rows import one
from services.json import JsonObject

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


async def post(caller: Caller, execution: UUID, kind: Kind, payload: JsonObject) -> Execution:
    """Put a message into the inbox of an execution.

    Raises:
        NotFound: there is none.
        Conflict: it has finished.
    """
    caller.require("executions.run")
    posted = None
    with suppress(ObjectNotInPrerequisiteStateError):  # it has finished in this very moment
        posted = await connections.pool().fetchval(
            statement("post"), execution, kind, msgspec.json.encode(payload).decode(), caller.name
        )
    found = await one(execution)
    if posted is None:
        raise Conflict("execution", str(execution), state=f"is {found.status}", allowed="one that has not finished")
    connections.hint()
    return found
