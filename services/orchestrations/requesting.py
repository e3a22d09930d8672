"""Publication as a row asks for it: whoever writes the status `publishing` is answered in the same row.

What was asked with SQL nobody waits for: a version that has problems goes back to what it was, and keeps them.
"""

from collections.abc import Collection
from uuid import UUID

import asyncpg
import msgspec

from db.acting import act_as
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
_ASKED = """
SELECT orchestration_id, requested_by, requested_at, activates, allows_breaking FROM orchestration_version
WHERE id = $1 AND status = 'publishing'
"""
# The orchestration first, as whoever publishes by a call locks them; and nobody is waited for.
_HOLD_ORCHESTRATION = """
SELECT FROM orchestration WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED
"""
# Unless it was withdrawn meanwhile, or asked for again.
_HOLD = """
SELECT FROM orchestration_version WHERE id = $1 AND status = 'publishing' AND requested_at = $2
FOR NO KEY UPDATE SKIP LOCKED
"""
_REFUSE = """
UPDATE orchestration_version SET status = requested_from, problems = $3::text::jsonb
WHERE id = $1 AND status = 'publishing' AND requested_at = $2 RETURNING id
"""


def publication_requests() -> OneByOne[UUID]:
    """What answers the versions that are to be published, in a process that stays."""
    return OneByOne(_pending, _answer, _give_up)


async def _pending(left_out: Collection[UUID]) -> list[UUID]:
    return [row["id"] for row in await connections.database().fetch(_PENDING, list(left_out))]


async def _answer(version: UUID) -> bool:
    """Publish it, or say in its row what is against that; whether one of both was done."""
    asked = await connections.database().fetchrow(_ASKED, version)
    if asked is None:
        return False
    with act_as(asked["requested_by"], "sql"):
        try:
            return await _published(version, asked)
        except Unavailable:
            raise
        except (ServiceError, *_REFUSED, *_UNREADABLE) as error:
            return await _refuse(version, asked, _problems_of(error))


async def _give_up(version: UUID) -> None:
    asked = await connections.database().fetchrow(_ASKED, version)
    if asked is not None:
        message = "it could not be checked; the log of the server says why. Ask again when that was looked at"
        await _refuse(version, asked, (Problem(code="INTERNAL", path="", message=message),))


async def _published(version: UUID, asked: asyncpg.Record) -> bool:
    """Publish it as it was asked, unless somebody else holds it, or it waits no more."""
    database = connections.database()
    async with database.transaction():
        if await database.fetchrow(_HOLD_ORCHESTRATION, asked["orchestration_id"]) is None:
            return False
        if await database.fetchrow(_HOLD, version, asked["requested_at"]) is None:
            return False
        await publish_as_it_is(
            asked["requested_by"],
            asked["orchestration_id"],
            version,
            activate=asked["activates"],
            breaking=asked["allows_breaking"],
        )
        return True


async def _refuse(version: UUID, asked: asyncpg.Record, problems: tuple[Problem, ...]) -> bool:
    """Put it back to what it was, with what is against it."""
    database = connections.database()
    async with database.transaction():
        await mark()
        written = msgspec.json.encode(problems).decode()
        return bool(await database.fetch(_REFUSE, version, asked["requested_at"], written))


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
