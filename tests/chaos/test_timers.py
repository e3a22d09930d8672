"""R7: of many timers none is lost, and each fires once."""

import asyncio

import asyncpg

from db.connection import connect
from tests.chaos import flows
from tests.chaos.checker import violations
from tests.chaos.conftest import NewArena
from tests.chaos.timers import run


async def test_a_thousand_timers_fire_once_each_while_workers_are_killed(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        report = await run(arena, timers=1_000, kills=3)

    assert report.violations == []
    # The timers of the map, and the one that races with a tool.
    assert report.fired == 1_000 + 1_000 // 20
    assert report.kills == 3


async def test_a_slow_commit_does_not_shorten_a_timer(new_arena: NewArena) -> None:
    async with new_arena() as arena:
        document = await flows.save(flows.BESIDE)
        arena.fleet.start()
        await flows.start("beside", {"ms": 200, "nap": 600}, "only")
        assert await arena.becomes_true("SELECT count(*) = 1 FROM execution WHERE owner IS NOT NULL", 10.0)
        # Whoever holds the worker's row lets its checkpoint wait.
        holder: asyncpg.Connection = await connect(arena.url)
        async with holder.transaction():
            await holder.execute("SELECT FROM worker FOR UPDATE")
            await asyncio.sleep(0.6)
        await holder.close()
        assert await arena.all_finished(10.0)
        rows, events = await arena.rows()

    assert violations(document, rows, events, arena.effects()) == []
