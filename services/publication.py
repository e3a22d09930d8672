"""Publication as a row asks for it: whoever writes the status `publishing` is answered in the same row.

What was asked with SQL nobody waits for: a version that has problems goes back to what it was, and keeps them.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec

from db import tables
from db.acting import act_as
from db.refusal import refusal_of
from services import connections
from services.errors import Conflict, Invalid, ServiceError, Unavailable
from services.problem import Problem
from services.row_requests import OneByOne

# What keeps others from publishing by hand; see `is_publishing` in the schema.
_MARK = "SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true)"
_GIVEN_UP = "it could not be checked; the log of the server says why. Ask again when that was looked at"
# By a rule of the schema, maybe one that is looked at when the transaction commits.
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ProgramLimitExceededError,
)
# JSON that is too deep, or holds too long a number, cannot even be read.
_UNREADABLE = (ValueError, RecursionError)


async def mark() -> None:
    """Let the database know that what this transaction does with versions is done by a server."""
    await tables.OrchestrationVersion.raw(_MARK)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """How the versions of one table are published: `publish` does it, with what was asked and the version's owner.

    `asked` are the columns that it needs, `owner` that of what the version is of. `hold_owner` locks that, which goes
    first, as whoever publishes by a call does; and waits for nobody. `said` words a problem for somebody with SQL.
    """

    table: Literal["orchestration_version", "role_version"]
    owner: Literal["orchestration_id", "role_id"]
    asked: str
    hold_owner: str
    publish: Callable[[UUID, asyncpg.Record, asyncpg.Record], Awaitable[None]]
    said: Callable[[Problem], Problem] = lambda problem: problem

    def requests(self) -> OneByOne[UUID]:
        """What answers the versions that are to be published, in a process that stays."""
        return OneByOne(self._pending, self._answer, self._give_up)

    async def _pending(self, left_out: Collection[UUID]) -> list[UUID]:
        query = (
            f"SELECT id FROM {self.table} WHERE status = 'publishing' AND id <> ALL ($1)"  # noqa: S608 names of ours
            " ORDER BY requested_at LIMIT 100"
        )
        return [row["id"] for row in await connections.database().fetch(query, list(left_out))]

    async def _asked(self, version: UUID) -> asyncpg.Record | None:
        columns = f"{self.owner}, requested_by, requested_at, {self.asked}"
        query = f"SELECT {columns} FROM {self.table} WHERE id = $1 AND status = 'publishing'"  # noqa: S608
        return await connections.database().fetchrow(query, version)

    async def _answer(self, version: UUID) -> bool:
        """Publish it, or say in its row what is against that; whether one of both was done."""
        asked = await self._asked(version)
        if asked is None:
            return False
        with act_as(asked["requested_by"], "sql"):
            try:
                return await self._published(version, asked)
            except Unavailable:
                raise
            except (ServiceError, *_REFUSED, *_UNREADABLE) as error:
                return await self._refuse(version, asked, tuple(map(self.said, _problems_of(error))))

    async def _give_up(self, version: UUID) -> None:
        asked = await self._asked(version)
        if asked is not None:
            await self._refuse(version, asked, (Problem(code="INTERNAL", path="", message=_GIVEN_UP),))

    async def _published(self, version: UUID, asked: asyncpg.Record) -> bool:
        """Publish it as it was asked, unless somebody else holds it, it waits no more, or was asked for again."""
        hold = (
            f"SELECT FROM {self.table} WHERE id = $1 AND status = 'publishing' AND requested_at = $2"
            " FOR NO KEY UPDATE SKIP LOCKED"
        )
        database = connections.database()
        async with database.transaction():
            owner = await database.fetchrow(self.hold_owner, asked[self.owner])
            if owner is None or await database.fetchrow(hold, version, asked["requested_at"]) is None:
                return False
            await self.publish(version, asked, owner)
            return True

    async def _refuse(self, version: UUID, asked: asyncpg.Record, problems: tuple[Problem, ...]) -> bool:
        """Put it back to what it was, with what is against it."""
        query = (
            f"UPDATE {self.table} SET status = requested_from, problems = $3::text::jsonb"  # noqa: S608
            " WHERE id = $1 AND status = 'publishing' AND requested_at = $2 RETURNING id"
        )
        database = connections.database()
        async with database.transaction():
            await mark()
            written = msgspec.json.encode(problems).decode()
            return bool(await database.fetch(query, version, asked["requested_at"], written))


def _problems_of(error: Exception) -> tuple[Problem, ...]:
    """What was against it, so that whoever reads the row can mend it."""
    match error:
        case Invalid(problems=problems) | Conflict(problems=problems) if problems:
            return tuple(problems)
        case ServiceError():
            return (Problem(code=error.code, path="", message=str(error)),)
        case asyncpg.PostgresError():
            return (Problem(code="REFUSED", path="", message=str(refusal_of(error))),)
        case _:
            return (Problem(code="UNREADABLE", path="", message=f"its rows cannot be read: {error}"),)
