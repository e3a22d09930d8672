"""A database of its own with services over it, worker processes, and the truth afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec

from db.connection import Database, connect
from services import connections
from services.engine.exchange import Exchange
from services.engine.feed import Feed
from services.engine.notifier import Notifier
from services.engine.outages import TRANSIENT
from tests.chaos import flows, ledger
from tests.chaos.checker import Event, Execution, violations
from tests.chaos.fleet import QUICK, Fleet, fleet
from tests.chaos.server import Server

T = TypeVar("T")
_LOOK_SECONDS = 0.02
_AGAIN_SECONDS = 0.1


@dataclass
class Arena:
    """What a run has: the server, the database's `url`, the services of this process over it, and a fleet."""

    server: Server
    url: str
    database: Database
    notifier: Notifier
    fleet: Fleet
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, this process's notifier gets no new connection."""

    async def surely(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, asked for again while the database is away. Only for what may be asked twice."""
        while True:
            try:
                return await ask()
            except TRANSIENT:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def all_finished(self, within_seconds: float) -> bool:
        """Whether every execution has ended before the time is over."""
        is_over = "SELECT NOT EXISTS (SELECT FROM execution WHERE finished_at IS NULL)"
        return await self.becomes_true(is_over, within_seconds)

    async def becomes_true(self, query: str, within_seconds: float, *arguments: object) -> bool:
        """Whether `query` gives true before the time is over."""
        return await becomes_true(
            lambda: self.surely(lambda: self.database.pool.fetchval(query, *arguments)), within_seconds
        )

    async def has_begun(self, effects: int, within_seconds: float = 10.0) -> list[ledger.Effect]:
        """The effects that have begun, once there are so many of them."""

        async def are_there() -> bool:
            return len(self._begun()) >= effects

        assert await becomes_true(are_there, within_seconds)
        return self._begun()

    async def rows(self) -> tuple[list[Execution], list[Event]]:
        """Everything that the database says of executions, over a connection of its own."""
        connection: asyncpg.Connection = await connect(self.url, command_timeout_seconds=None)
        try:
            executions = await connection.fetch(
                "SELECT execution.id, execution.status, output::text, error::text, input::text, epoch, owner,"
                " available_at, extract(epoch FROM finished_at)::float8 AS finished_at, idempotency_key,"
                " parent_execution_id, parent_path, parent_attempt, orchestration.name FROM execution"
                " JOIN orchestration_version AS version ON version.id = version_id"
                " JOIN orchestration ON orchestration.id = orchestration_id"
            )
            events = await connection.fetch(
                "SELECT execution_id, seq, kind, path, attempt, payload,"
                " extract(epoch FROM recorded_at)::float8 AS recorded_at FROM journal"
            )
        finally:
            await connection.close()
        return [_execution(row) for row in executions], [_event(row) for row in events]

    async def violations(self, document: Any) -> list[str]:
        """What the checker finds in all that there is."""
        executions, events = await self.rows()
        others = [flows.leaf(), flows.told()]
        return violations(document, executions, events, self.effects(), disturbed=self.fleet.disturbed, others=others)

    def effects(self) -> list[ledger.Effect]:
        """The ledger of every worker there was."""
        return ledger.read(self.fleet.directory)

    def _begun(self) -> list[ledger.Effect]:
        return [effect for effect in self.effects() if effect.what == "began"]


@asynccontextmanager
async def arena(
    server: Server, directory: Path, settings: Mapping[str, Any] = QUICK, *, model: str | None = None
) -> AsyncIterator[Arena]:
    """An empty database and no worker yet; with a `model`, its workers are agents'."""
    async with server.new_database() as url, await Database.open(url) as database:
        hears = asyncio.Event()
        hears.set()

        async def connected() -> asyncpg.Connection:
            await hears.wait()
            return await database.connect()

        notifier = Notifier(connected)
        feed = Feed(database.pool, Exchange(notifier))
        hints = asyncio.create_task(notifier.run())
        connections.use(database, notifier, feed)
        try:
            with fleet(url, directory, settings, model=model) as workers:
                yield Arena(server, url, database, notifier, workers, hears)
        finally:
            connections.use(None, None)
            hints.cancel()
            await asyncio.gather(hints, return_exceptions=True)


async def becomes_true(look: Callable[[], Awaitable[bool]], within_seconds: float) -> bool:
    """Whether `look` gives true before the time is over; it is asked again and again."""
    deadline = time.monotonic() + within_seconds
    while not await look():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _execution(row: asyncpg.Record) -> Execution:
    return Execution(
        id=row["id"],
        status=row["status"],
        input=msgspec.json.decode(row["input"]),
        output=None if row["output"] is None else msgspec.json.decode(row["output"]),
        error=None if row["error"] is None else msgspec.json.decode(row["error"]),
        epoch=row["epoch"],
        is_held=row["owner"] is not None or row["available_at"] is not None,
        finished_at=row["finished_at"],
        key=row["idempotency_key"],
        orchestration=row["name"],
        parent=row["parent_execution_id"],
        parent_path=row["parent_path"] or "",
        parent_attempt=row["parent_attempt"] or 0,
    )


def _event(row: asyncpg.Record) -> Event:
    return Event(
        execution=row["execution_id"],
        seq=row["seq"],
        kind=row["kind"],
        path=row["path"],
        attempt=row["attempt"],
        payload=msgspec.json.decode(row["payload"]),
        recorded_at=row["recorded_at"],
    )
