"""R6: whenever a cancel comes, nothing but `finally` begins after it, and what is under way stops."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from db.connection import connect
from services import executions
from services.caller import OPERATOR
from services.engine import checkpoint, claim
from services.engine.checkpoint import Entry, Leaving
from services.engine.core.events import ExecutionCompleted
from services.engine.sql import statement
from services.errors import Conflict
from tests.chaos import flows
from tests.chaos.cancels import run, run_at_once
from tests.chaos.conftest import NewArena
from tests.chaos.fleet import QUICK


async def test_cancels_at_random_instants_end_executions_and_start_nothing(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        report = await run(arena, cancels=60)

    assert report.violations == []
    assert report.cancelled + report.while_ending + report.passed_over + report.too_late == 60
    assert report.cancelled > 30
    assert max(report.begun_after_seconds, default=0.0) <= QUICK["poll_seconds"] + 1.0


async def test_a_cancel_of_many_at_work_ends_them_and_starts_nothing(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        report = await run_at_once(arena, cancels=100)

    assert report.violations == []
    assert report.cancelled > 50
    assert max(report.begun_after_seconds, default=0.0) <= QUICK["poll_seconds"] + 1.0


_WAITS_FOR_A_LOCK = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())"
)


async def test_a_cancel_that_meets_the_end_is_too_late(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        await flows.save(flows.SLOW)
        execution = await flows.start("slow", {"ms": 0}, "only")
        connection: asyncpg.Connection = await connect(arena.url)
        worker: UUID = uuid7()
        await connection.execute("INSERT INTO worker (id, name, lease_seconds) VALUES ($1, 'by hand', 15)", worker)
        (claimed,) = await claim.take(connection, worker, 1)
        end = Entry(
            execution=execution,
            epoch=claimed.epoch,
            seq=2,
            events=(ExecutionCompleted(output=None),),
            leaving=Leaving(status="completed", output=None),
        )
        async with connection.transaction():
            await connection.fetch(statement("checkpoint"), worker, *checkpoint._columns([end]))
            cancelling = asyncio.create_task(executions.cancel(OPERATOR, execution=execution))
            assert await arena.becomes_true(_WAITS_FOR_A_LOCK, 10.0)
        await connection.close()

        with pytest.raises(Conflict):
            await cancelling
