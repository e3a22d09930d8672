"""Owning executions: claiming what is due, freeing what a dead worker owned, reading the inboxes of what is owned."""

import logging
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
import msgspec

from services.engine import journal
from services.engine.children import ChildEnd
from services.engine.sql import statement
from services.principal import Principal

_log = logging.getLogger(__name__)

# The first key of the advisory lock by which a worker's connection says that the worker lives.
LIVENESS = 0x726F6C65

MAX_CLAIMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A row of an inbox: something that happened outside the worker.

    `payload` is JSON text; `wake_seq` is the wake count that covers the message; `end` is there when a child has ended.
    """

    id: int
    execution: UUID
    kind: str
    payload: str
    sender: str
    wake_seq: int
    end: ChildEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An execution that a worker now owns, with all that is needed to go on with it, as its rows keep it.

    `active_ms` is how long it was worked on before; `is_budgeted` says that a budget may keep it from calling models.
    """

    id: UUID
    epoch: int
    version: UUID
    wake_seq: int
    started_by: str
    active_ms: int
    is_budgeted: bool
    history: journal.History
    inbox: tuple[Message, ...]

    @property
    def initiator(self) -> Principal:
        """Who started it.

        Raises:
            ValidationError: the row holds no principal that this version of the program knows.
        """
        return msgspec.json.decode(self.started_by, type=Principal)

    def without_history(self) -> "Claimed":
        """The same, light enough to be kept while the execution is worked on."""
        return replace(self, history=journal.History())


async def take(
    connection: asyncpg.Connection, worker: UUID, limit: int, *, max_claims: int = MAX_CLAIMS
) -> list[Claimed]:
    """Up to `limit` due executions, owned by `worker` from now on: the highest priority first, the longest due of it.

    What was claimed more than `max_claims` times without its journal growing fails instead, before anything of it is
    read: perhaps that is what workers die of.
    """
    rows = await connection.fetch(statement("claim"), worker, limit)
    if poisoned := [row["id"] for row in rows if row["claims"] > max_claims]:
        _log.error("claimed %d times without getting any further: %s", max_claims, poisoned)
        await connection.execute(statement("poison"), worker, poisoned)
    return await _with_histories(connection, worker, [row for row in rows if row["claims"] <= max_claims])


async def owned(connection: asyncpg.Connection, worker: UUID) -> list[Claimed]:
    """Everything that `worker` owns: the truth after a claim whose answer was lost."""
    return await _with_histories(connection, worker, await connection.fetch(statement("owned"), worker))


async def inbox(connection: asyncpg.Connection, worker: UUID) -> list[Message]:
    """Everything that waits for the executions that `worker` owns."""
    return [
        Message(
            id=row["id"],
            execution=row["execution_id"],
            kind=row["kind"],
            payload=row["payload"],
            sender=row["sender"],
            wake_seq=row["wake_seq"],
            end=None if row["child"] is None else _end_of(row),
        )
        for row in await connection.fetch(statement("inbox"), worker)
    ]


def _end_of(row: asyncpg.Record) -> ChildEnd:
    return ChildEnd(
        child=row["child"],
        path=row["parent_path"],
        status=row["status"],
        output=row["output"],
        error=row["error"],
        duration_ms=row["duration_ms"],
    )


async def next_due(connection: asyncpg.Connection) -> float | None:
    """Seconds until the next execution is due; None when none waits for a time."""
    return await connection.fetchval(statement("next_due"))


async def reap(connection: asyncpg.Connection, worker: UUID) -> int:
    """Free what other, dead workers owned; how many executions became due.

    The dead worker's row is locked first, so whatever it is still writing is either committed before this or refused.
    """
    async with connection.transaction():
        dead = [row["id"] for row in await connection.fetch(statement("lapsed"), worker, LIVENESS)]
        if not dead:
            return 0
        freed = await connection.execute(statement("free"), dead)
        await connection.execute("DELETE FROM worker WHERE id = ANY($1::uuid[])", dead)
    return int(freed.rpartition(" ")[2])


async def _with_histories(connection: asyncpg.Connection, worker: UUID, rows: list[asyncpg.Record]) -> list[Claimed]:
    if not rows:
        return []
    histories = await journal.load(connection, [row["id"] for row in rows])
    messages = await inbox(connection, worker)
    return [
        Claimed(
            id=row["id"],
            epoch=row["epoch"],
            version=row["version_id"],
            wake_seq=row["wake_seq"],
            started_by=row["started_by"],
            active_ms=row["active_ms"],
            is_budgeted=row["is_budgeted"],
            history=histories[row["id"]],
            inbox=tuple(message for message in messages if message.execution == row["id"]),
        )
        for row in rows
    ]
