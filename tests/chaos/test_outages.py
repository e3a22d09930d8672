"""R8: a worker outlives every outage and works again within five seconds."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from uuid import UUID

import pytest

from services import plans
from services.engine.core.plan import Plan
from services.engine.performer import Performer
from services.engine.worker import PlanOf, Worker
from services.steps import wait
from tests.chaos import crash, flows, outages
from tests.chaos.arena import Arena
from tests.chaos.conftest import NewArena
from tests.chaos.ledger import Ledger
from tests.chaos.worker import HINTS, perform

AS_IN_PRODUCTION: dict[str, object] = {}


@pytest.mark.parametrize("outage", outages.OUTAGES)
async def test_a_worker_outlives_an_outage_and_works_again_soon(new_arena: NewArena, outage: str) -> None:
    async with new_arena(settings=AS_IN_PRODUCTION) as arena:
        assert await outages.run(arena, outages.OUTAGES[outage], seconds=1.0) == []


async def test_a_worker_that_never_hears_a_hint_finds_its_work_by_looking(new_arena: NewArena) -> None:
    async with new_arena(settings=AS_IN_PRODUCTION) as arena:
        assert await outages.run(arena, outages.deaf, seconds=0.0, **{HINTS: "off"}) == []


async def test_a_worker_whose_pools_are_taken_waits_for_its_plan_and_for_nothing_else(new_arena: NewArena) -> None:
    async with new_arena(settings=AS_IN_PRODUCTION) as arena:
        await flows.save(flows.SLOW)
        await flows.start("slow", {"ms": 0}, "known")
        worker = _worker(arena, plans.to_run)
        working = asyncio.create_task(worker.run())
        assert await arena.all_finished(5.0)
        for n in range(5):
            await flows.start("slow", {"ms": 0}, str(n))
        await flows.save(flows.TIMERS)
        await flows.start("timers", {"naps": [1]}, "new")
        plans._plans.clear()  # as in a process that started neither
        async with AsyncExitStack() as stack:
            for pool in (arena.database.pool, arena.database.engine.pool):
                for _ in range(pool.get_max_size()):
                    await stack.enter_async_context(pool.acquire())
            worker.wake()
            await asyncio.sleep(1.0)
        is_over = await arena.all_finished(outages.RESUMES_WITHIN_SECONDS)
        worker.stop()
        await working

    assert is_over


async def test_an_outage_between_a_claim_and_its_plan_puts_nothing_off_for_longer(new_arena: NewArena) -> None:
    async with new_arena(settings=AS_IN_PRODUCTION) as arena:
        await flows.save(flows.SLOW)
        is_away = asyncio.Event()

        async def plan_of(version: UUID) -> Plan:
            if not is_away.is_set():
                await asyncio.to_thread(arena.server.crash)
                is_away.set()
            return await plans.to_run(version)

        await flows.start("slow", {"ms": 0}, "only")
        plans._plans.clear()  # as in a process that did not start it
        worker = _worker(arena, plan_of)
        working = asyncio.create_task(worker.run())
        await asyncio.wait_for(is_away.wait(), 10.0)
        await asyncio.to_thread(arena.server.start)
        is_over = await arena.all_finished(outages.RESUMES_WITHIN_SECONDS)
        worker.stop()
        await working

    assert is_over


def _worker(arena: Arena, plan_of: PlanOf) -> Worker:
    """A worker of this process, so that what it works with can be taken from it."""
    performers: dict[str, Performer] = {
        "tool": partial(perform, Ledger(arena.fleet.directory), crash.Points()), "wait": wait.perform
    }  # fmt: skip
    return Worker(arena.database.connect, plan_of, performers)
