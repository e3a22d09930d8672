"""Publication as a row asks for it: whoever writes the status `publishing` is answered in the same row.

What was asked with SQL nobody waits for: a version that has problems goes back to what it was, and keeps them.
"""

from collections.abc import Collection
from uuid import UUID

import asyncpg
import msgspec

from db.refusal import refusal_of
from services import connections
from services.errors import Conflict, Invalid, ServiceError, Unavailable
from services.orchestrations.publishing import mark, publish_as_it_is
from services.problem import Problem
from services.row_requests import OneByOne

_PENDING = """
SELECT id FROM orchestration_version WHERE status = 'publishing' AND id <> ALL ($1) ORDER BY requested_at LIMIT 100
"""
# By a rule of the schema, maybe one that is looked at when the transaction commits.
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ProgramLimitExceededError,
)
# JSON that is too deep, or holds too long a number, cannot even be read.
_UNREADABLE = (ValueError, RecursionError)
# The orchestration first, as whoever publishes by a call locks them; and nobody is waited for.
_HOLD_ORCHESTRATION = """
SELECT FROM orchestration WHERE id = (SELECT orchestration_id FROM orchestration_version WHERE id = $1)
FOR NO KEY UPDATE SKIP LOCKED
"""
_HOLD = """
SELECT orchestration_id, requested_by, requested_at, activates, allows_breaking FROM orchestration_version
WHERE id = $1 AND status = 'publishing' FOR NO KEY UPDATE SKIP LOCKED
"""
# Unless it was withdrawn meanwhile, or asked for again.
_REFUSE = """
UPDATE orchestration_version SET status = requested_from, problems = $3::text::jsonb
WHERE id = $1 AND status = 'publishing' AND requested_at = coalesce($2, requested_at) RETURNING id
"""


def publication_requests() -> OneByOne[UUID]:
    """What answers the versions that are to be published, in a process that stays."""
    return OneByOne(_pending, _answer, _give_up)


async def _pending(left_out: Collection[UUID]) -> list[UUID]:
    return [row["id"] for row in await connections.database().fetch(_PENDING, list(left_out))]


async def _answer(version: UUID) -> bool:
    """Publish it, or say in its row what is against that; whether one of both was done."""
    request: asyncpg.Record | None = None
    try:
        async with connections.database().transaction():
            request = await _held(version)
            if request is not None:
                await publish_as_it_is(
                    request["requested_by"],
                    request["orchestration_id"],
                    version,
                    activate=request["activates"],
                    breaking=request["allows_breaking"],
                )
    except Unavailable:
        raise
    except (ServiceError, *_REFUSED, *_UNREADABLE) as error:
        if request is None:
            raise
        return await _refuse(version, request, _problems_of(error))
    return request is not None


async def _give_up(version: UUID) -> None:
    message = "it could not be checked; the log of the server says why. Ask again when that was looked at"
    await _refuse(version, None, (Problem(code="INTERNAL", path="", message=message),))


async def _held(version: UUID) -> asyncpg.Record | None:
    """The request, which nobody else answers until this transaction ends; None when it is not to be had now."""
    database = connections.database()
    if await database.fetchrow(_HOLD_ORCHESTRATION, version) is None:
        return None
    return await database.fetchrow(_HOLD, version)


async def _refuse(version: UUID, request: asyncpg.Record | None, problems: tuple[Problem, ...]) -> bool:
    database = connections.database()
    async with database.transaction():
        await mark()
        asked_at = None if request is None else request["requested_at"]
        written = msgspec.json.encode(problems).decode()
        return bool(await database.fetch(_REFUSE, version, asked_at, written))


def _problems_of(error: Exception) -> tuple[Problem, ...]:
    """What was against it, so that whoever reads the row can mend it."""
    match error:
        case Invalid(problems=problems) | Conflict(problems=problems) if problems:
            return tuple(map(_said_for_rows, problems))
        case ServiceError():
            return (Problem(code=error.code, path="", message=str(error)),)
        case asyncpg.PostgresError():
            return (Problem(code="REFUSED", path="", message=str(refusal_of(error))),)
        case _:
            return (Problem(code="UNREADABLE", path="", message=f"its rows cannot be read: {error}"),)


def _said_for_rows(problem: Problem) -> Problem:
    if problem.code != "BREAKING_CHANGE":
        return problem
    return msgspec.structs.replace(problem, message=f"{problem.message}; if it may, set allows_breaking")
