"""The checkpoint: everything that has happened in a worker since the last one goes to Postgres in one statement.

No timer gathers a batch: while one flush is under way the next one fills up. Each execution waits for the receipt of
its own entry, so it has at most one in a batch and its rows stay in order.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from services.engine import children, journal
from services.engine.children import Child
from services.engine.core.events import AnyEvent
from services.engine.outages import REFUSALS, TRANSIENT, Connect
from services.engine.sql import statement
from services.failure import Failure
from services.json import Json

_log = logging.getLogger(__name__)
_MAX_BATCH = 500
_MAX_BATCH_SIZE = 16 * 1024 * 1024
_RETRY_SECONDS = 0.5
_ENCODER = msgspec.json.Encoder()


class Reaped(Exception):
    """This worker's row is gone: others took it for dead and own its executions now."""


class Refused(Exception):
    """Postgres does not take an entry, now or later."""


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """How an execution leaves its worker: finished, paused, or due again after `delay_seconds`.

    `wake_seq` is the wake count that the worker has seen; a higher one keeps an execution from being parked.
    `active_ms` is how long it was worked on here.
    """

    status: Literal["queued", "waiting", "paused", "completed", "failed", "timed_out", "cancelled"]
    output: Json = msgspec.UNSET  # type: ignore[assignment]
    error: Failure | None = None
    delay_seconds: float | None = None
    wake_seq: int = 0
    active_ms: int = 0

    @property
    def is_final(self) -> bool:
        """Whether the execution is over with that."""
        return self.status not in ("queued", "waiting", "paused")


@dataclass(slots=True, kw_only=True)
class Entry:
    """What one execution wants committed: events from `seq` on, inbox rows that these have answered, its leaving.

    `payloads` are the events as the journal keeps them. `children` are those that the events have started, `stops`
    those that nobody waits for any more.
    """

    execution: UUID
    epoch: int
    seq: int
    events: tuple[AnyEvent, ...]
    consumed: tuple[int, ...] = ()
    leaving: Leaving | None = None
    children: tuple[Child, ...] = ()
    stops: tuple[UUID, ...] = ()
    payloads: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.payloads = tuple([journal.encode(event) for event in self.events])


class Receipt(msgspec.Struct, frozen=True):
    """What became of an entry. Not `held`: another worker owns the execution and nothing was written."""

    held: bool
    wake_seq: int = 0
    has_left: bool = False


_Waiting: TypeAlias = tuple[Entry, asyncio.Future[Receipt]]


class Checkpoint:
    """Writes the entries of one worker over one connection of its own."""

    def __init__(self, worker: UUID, connect: Connect) -> None:
        self._worker = worker
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._connection: asyncpg.Connection | None = None
        self._waiting: list[_Waiting] = []
        self._wanted = asyncio.Event()

    async def write(self, entry: Entry) -> Receipt:
        """The receipt of `entry`, once it is committed or refused."""
        receipt: asyncio.Future[Receipt] = self._loop.create_future()
        self._waiting.append((entry, receipt))
        self._wanted.set()
        return await receipt

    async def run(self) -> None:
        """Flush until cancelled.

        Raises:
            Reaped: the worker's row is gone.
        """
        try:
            while True:
                await self._wanted.wait()
                count = _fitting([entry for entry, _ in self._waiting[:_MAX_BATCH]])
                batch, self._waiting = self._waiting[:count], self._waiting[count:]
                if not self._waiting:
                    self._wanted.clear()
                await self._settle(batch)
        finally:
            if self._connection is not None:
                self._connection.terminate()

    async def _settle(self, batch: list[_Waiting]) -> None:
        try:
            receipts = await self._flush_surely([entry for entry, _ in batch])
        except REFUSALS as error:
            await self._settle_singly(batch, error)
            return
        for entry, future in batch:
            if not future.done():
                future.set_result(receipts.get(entry.execution, Receipt(held=False)))

    async def _settle_singly(self, batch: list[_Waiting], error: Exception) -> None:
        """Postgres refuses something in the batch: find whose it is, so that the others are not held up."""
        if len(batch) > 1:
            for waiting in batch:
                await self._settle([waiting])
            return
        if isinstance(error, asyncpg.LockNotAvailableError):
            # Nothing is wrong with it: somebody holds its row, perhaps in psql. The others come first, then it again.
            self._waiting.append(batch[0])
            self._wanted.set()
            return
        entry, future = batch[0]
        _log.error("execution %s cannot be written", entry.execution, exc_info=error)
        if not future.done():
            future.set_exception(Refused(str(error)))

    async def _flush_surely(self, entries: list[Entry]) -> dict[UUID, Receipt]:
        """The receipts of one flush. A lost answer means an unknown outcome: the truth is re-read, then sent again."""
        is_doubtful = False
        while True:
            try:
                connection = self._connection = self._connection or await self._connect()
                if is_doubtful and (known := await _outcome(connection, entries)) is not None:
                    return known
                if parents := [entry for entry in entries if entry.children or entry.stops]:
                    async with connection.transaction():
                        await children.write(connection, self._worker, parents)
                        return await _flush(connection, self._worker, entries)
                return await _flush(connection, self._worker, entries)
            except REFUSALS:
                raise
            except (*TRANSIENT, asyncpg.PostgresError) as error:
                _log.warning("a checkpoint of %d executions will be sent again: %r", len(entries), error)
                is_doubtful = True
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
                await asyncio.sleep(_RETRY_SECONDS)


def _fitting(entries: list[Entry]) -> int:
    """How many of the entries go into one statement: at least one, and no more than it should hold."""
    size = 0
    for count, entry in enumerate(entries):
        size += sum(map(len, entry.payloads))
        if size > _MAX_BATCH_SIZE and count:
            return count
    return len(entries)


async def _flush(connection: asyncpg.Connection, worker: UUID, entries: list[Entry]) -> dict[UUID, Receipt]:
    rows = await connection.fetch(statement("checkpoint"), worker, *_columns(entries))
    if not rows[0]["alive"]:
        raise Reaped
    return {
        row["id"]: Receipt(held=True, wake_seq=row["wake_seq"], has_left=row["settled"])
        for row in rows
        if row["id"] is not None
    }


async def _outcome(connection: asyncpg.Connection, entries: list[Entry]) -> dict[UUID, Receipt] | None:
    """The receipts of a flush whose answer was lost, or None when it did not happen.

    It was one transaction, so the presence of any of its events speaks for all of it. A flush without events only lets
    executions go; sent twice, the second time finds nothing to let go.
    """
    probes = [(entry.execution, entry.seq, entry.payloads[0]) for entry in entries if entry.events]
    written = await connection.fetch(
        "SELECT journal.execution_id FROM unnest($1::uuid[], $2::int[], $3::text[]) AS probe (id, seq, payload)"
        " JOIN journal ON journal.execution_id = probe.id AND journal.seq = probe.seq"
        " AND journal.payload = probe.payload",
        *_transposed(probes, 3),
    )
    if not written:
        return None
    kept = {row["execution_id"] for row in written} | {entry.execution for entry in entries if not entry.events}
    rows = await connection.fetch(
        "SELECT id, owner, epoch, wake_seq FROM execution WHERE id = ANY($1::uuid[])", list(kept)
    )
    epochs = {entry.execution: entry.epoch for entry in entries}
    return {
        row["id"]: Receipt(held=True, wake_seq=row["wake_seq"], has_left=row["owner"] is None)
        for row in rows
        if row["epoch"] == epochs[row["id"]]
    }


def _columns(entries: list[Entry]) -> tuple[list[object], ...]:
    events = [
        (entry.execution, entry.seq + offset, *journal.columns(event), payload)
        for entry in entries
        for offset, (event, payload) in enumerate(zip(entry.events, entry.payloads, strict=True))
    ]
    leaving = [
        (
            entry.execution,
            going.status,
            _json(going.output) if going.status == "completed" else None,
            _json(going.error) if going.error is not None else None,
            going.delay_seconds,
            going.wake_seq,
            going.active_ms,
        )
        for entry in entries
        if (going := entry.leaving) is not None
    ]
    return (
        [entry.execution for entry in entries],
        [entry.epoch for entry in entries],
        *_transposed(events, 6),
        *_transposed(leaving, 7),
        [id for entry in entries for id in entry.consumed],
        [entry.execution for entry in entries if entry.leaving is not None and entry.leaving.is_final],
    )


def _transposed(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _json(value: object) -> str:
    return _ENCODER.encode(value).decode()
