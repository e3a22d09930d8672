"""The negative control: what a stopped worker writes late comes through as soon as the checkpoint loses its fence."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from db.connection import connect
from services.engine import checkpoint, claim
from services.engine.checkpoint import Entry, Leaving
from services.engine.core.events import AnyEvent, ExecutionCompleted, StepCompleted
from services.engine.sql import statement
from tests.chaos import flows
from tests.chaos.arena import Arena
from tests.chaos.conftest import NewArena
from tests.chaos.fence import WITHOUT_THE_DATABASES_OWN, unfenced
from tests.chaos.fleet import QUICK
from tests.chaos.worker import SETTINGS, UNFENCED

_HAS_LAPSED = "SELECT heartbeat_at + make_interval(secs => lease_seconds) < clock_timestamp() FROM worker"
# Longer than the lease and a start: whoever takes over is still at it when the first one answers.
_EFFECT_SECONDS = 2.5
_RESULT = StepCompleted(path="Effect", attempt=1, output={"at": "late"})
LATE: dict[str, tuple[tuple[AnyEvent, ...], Leaving | None]] = {
    "a result": ((_RESULT,), None),
    "a parking": ((), Leaving(status="waiting", delay_seconds=3600.0)),
    "an end": ((_RESULT, ExecutionCompleted(output="late")), Leaving(status="completed", output="late")),
}
_ROW = "SELECT status, owner, epoch, output::text, available_at FROM execution WHERE id = $1"
_JOURNAL = "SELECT seq, payload FROM journal WHERE execution_id = $1 ORDER BY seq"


@pytest.mark.parametrize("late", LATE)
async def test_what_a_stale_worker_writes_changes_nothing_and_without_the_fence_does(
    new_arena: NewArena, late: str
) -> None:
    async with new_arena() as arena, _stale(arena) as (connection, stale, epoch, execution):
        events, leaving = LATE[late]
        entry = Entry(execution=execution, epoch=epoch, seq=2, events=events, leaving=leaving)
        before = await _seen(connection, execution)

        await _write(connection, statement("checkpoint"), stale, entry)
        fenced = await _seen(connection, execution)
        await connection.execute(WITHOUT_THE_DATABASES_OWN)
        await _write(connection, unfenced(statement("checkpoint")), stale, entry)
        without_a_fence = await _seen(connection, execution)

    assert fenced == before
    assert without_a_fence != before


async def test_a_checkpoint_without_a_fence_meets_that_of_the_database(new_arena: NewArena) -> None:
    async with new_arena() as arena, _stale(arena) as (connection, stale, epoch, execution):
        entry = Entry(execution=execution, epoch=epoch, seq=2, events=(_RESULT,))
        before = await _seen(connection, execution)

        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="cannot write its history"):
            await _write(connection, unfenced(statement("checkpoint")), stale, entry)

        assert await _seen(connection, execution) == before


@asynccontextmanager
async def _stale(arena: Arena) -> AsyncIterator[tuple[asyncpg.Connection, UUID, int, UUID]]:
    """A connection, a worker that others have taken for dead, the epoch it knows, and what it owned under that."""
    await flows.save(flows.SLOW)
    execution = await flows.start("slow", {"ms": 0}, "only")
    connection: asyncpg.Connection = await connect(arena.url)
    try:
        stale = await _register(connection)
        (claimed,) = await claim.take(connection, stale, 1)
        await connection.execute("UPDATE worker SET heartbeat_at = now() - interval '1 hour' WHERE id = $1", stale)
        heir = await _register(connection)
        assert await claim.reap(connection, heir) == 1
        await claim.take(connection, heir, 1)
        yield connection, stale, claimed.epoch, execution
    finally:
        await connection.close()


async def _register(connection: asyncpg.Connection) -> UUID:
    id: UUID = uuid7()
    await connection.execute("INSERT INTO worker (id, name, lease_seconds) VALUES ($1, 'by hand', 15)", id)
    return id


async def _write(connection: asyncpg.Connection, text: str, worker: UUID, entry: Entry) -> None:
    await connection.fetch(text, worker, *checkpoint._columns([entry]))


async def _seen(connection: asyncpg.Connection, execution: UUID) -> list[object]:
    return [*await connection.fetch(_ROW, execution), *await connection.fetch(_JOURNAL, execution)]


@pytest.mark.parametrize("is_fenced", [True, False], ids=["fenced", "unfenced"])
async def test_a_process_that_stood_still_past_its_lease_answers_late(new_arena: NewArena, is_fenced: bool) -> None:
    async with new_arena() as arena:
        document = await flows.save(flows.SLOW)
        # It does not look whether it is still alive, so its answer is the first that the database hears of it again.
        environment = {SETTINGS: json.dumps({**QUICK, "lease_seconds": 1, "heartbeat_seconds": 3600.0})}
        stale = arena.fleet.start(**environment, **({} if is_fenced else {UNFENCED: "1"}))
        await flows.start("slow", {"ms": _EFFECT_SECONDS * 1000}, "only")
        await arena.has_begun(1)
        assert await arena.becomes_true(_HAS_LAPSED, 10.0)
        arena.fleet.halt(stale)
        if not is_fenced:
            await arena.database.pool.execute(WITHOUT_THE_DATABASES_OWN)
        arena.fleet.start()
        second = (await arena.has_begun(2))[1]
        arena.fleet.resume(stale)
        assert await arena.all_finished(10.0)
        _, events = await arena.rows()
        found = await arena.violations(document)

    (kept_at,) = [event.recorded_at for event in events if (event.kind, event.path) == ("step_completed", "Effect")]
    if is_fenced:
        assert found == []
        # Only the second worker's answer was kept, and that one took its time.
        assert kept_at - second.at >= _EFFECT_SECONDS
    else:
        assert kept_at - second.at < _EFFECT_SECONDS
