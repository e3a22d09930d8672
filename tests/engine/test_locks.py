"""What becomes of executions while somebody else holds their rows."""

import asyncio
from functools import partial

from db.connection import SESSION, connect
from services import executions, plans
from services.caller import OPERATOR
from services.engine.worker import Worker
from tests.engine.conftest import FAST, Engine
from tests.engine.plans import document_of, tool

IMPATIENT = {**SESSION, "lock_timeout": "100ms"}
WAITING = """
SELECT query_start FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%appended%'
"""


async def test_a_row_that_somebody_holds_too_long_fails_no_execution(engine: Engine) -> None:
    engine.script.hold("A")
    first = await engine.start(document_of(tool("A")))
    second = (await executions.start(OPERATOR, orchestration="flow")).id
    worker = Worker(
        partial(connect, engine.database.url, session=IMPATIENT),
        plans.to_run,
        {"tool": engine.script.perform},
        FAST,
    )
    async with engine.working(worker):
        async with engine.database.pool.acquire() as holder:
            while len(engine.script.attempts) < 2:
                await engine.database.pool.execute("SELECT")
            async with holder.transaction():
                # As in a psql that was left open.
                await holder.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", first)
                engine.script.release["A"].set()
                await _until_waited_for(engine, 3)
        found = [await engine.finished(execution) for execution in (first, second)]

    assert [(it.status, it.output) for it in found] == [("completed", {"input": {}, "A": "A done"})] * 2


async def _until_waited_for(engine: Engine, times: int) -> None:
    seen: set[object] = set()
    async with asyncio.timeout(10):
        while len(seen) < times:
            seen |= {row["query_start"] for row in await engine.database.pool.fetch(WAITING)}
