"""Publication of a role's version as its row asks for it: whoever writes the status `publishing` is answered there."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
import msgspec

from db.acting import act_as
from db.refusal import refusal_of
from services import connections, role_versions
from services.errors import Invalid, ServiceError, Unavailable
from services.orchestrations.publishing import mark
from services.problem import Problem
from services.role_versions import Locked
from services.row_requests import OneByOne

_PENDING = "SELECT id FROM role_version WHERE status = 'publishing' AND id <> ALL ($1) ORDER BY requested_at LIMIT 100"
_ASKED = "SELECT role_id, number, requested_by, requested_at FROM role_version WHERE id = $1 AND status = 'publishing'"
# The role first, as whoever publishes by a call locks them; and nobody is waited for.
_HOLD_ROLE = """
SELECT id, name, version, role_content(role)::text AS content FROM role WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED
"""
# Unless it was withdrawn meanwhile, or asked for again.
_HOLD = """
SELECT FROM role_version WHERE id = $1 AND status = 'publishing' AND requested_at = $2 FOR NO KEY UPDATE SKIP LOCKED
"""
_REFUSE = """
UPDATE role_version SET status = requested_from, problems = $3::text::jsonb
WHERE id = $1 AND status = 'publishing' AND requested_at = $2 RETURNING id
"""
# By a rule of the schema, such as that of a role's name.
_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ObjectNotInPrerequisiteStateError)


def publication_requests() -> OneByOne[UUID]:
    """What answers the versions of roles that are to be published, in a process that stays."""
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
        except (ServiceError, *_REFUSED) as error:
            return await _refuse(version, asked, _problems_of(error))


async def _give_up(version: UUID) -> None:
    asked = await connections.database().fetchrow(_ASKED, version)
    if asked is not None:
        message = "it could not be checked; the log of the server says why. Ask again when that was looked at"
        await _refuse(version, asked, (Problem(code="INTERNAL", path="", message=message),))


async def _published(version: UUID, asked: asyncpg.Record) -> bool:
    database = connections.database()
    async with database.transaction():
        role = await database.fetchrow(_HOLD_ROLE, asked["role_id"])
        if role is None or await database.fetchrow(_HOLD, version, asked["requested_at"]) is None:
            return False
        now = Locked(role["id"], role["name"], role["version"], msgspec.json.decode(role["content"]))
        await role_versions.publish_as_it_is(asked["requested_by"], now, asked["number"])
        return True


async def _refuse(version: UUID, asked: asyncpg.Record, problems: tuple[Problem, ...]) -> bool:
    database = connections.database()
    async with database.transaction():
        await mark()
        written = msgspec.json.encode(problems).decode()
        return bool(await database.fetch(_REFUSE, version, asked["requested_at"], written))


def _problems_of(error: Exception) -> tuple[Problem, ...]:
    """What was against it, so that whoever reads the row can mend it."""
    match error:
        case Invalid(problems=problems) if problems:
            return problems
        case asyncpg.PostgresError():
            return (Problem(code="REFUSED", path="", message=str(refusal_of(error))),)
        case _:
            return (Problem(code=getattr(error, "code", "REFUSED"), path="", message=str(error)),)
