"""Children that end, start and are stopped while something else happens to them or their parents."""

import asyncio
import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.connection import connect
from services import executions, plans
from services.caller import OPERATOR
from services.engine.core.events import ChildStarted
from services.engine.performer import Attempt
from services.engine.worker import Worker
from services.json import Json
from services.steps import orchestration, wait
from tests.engine.conftest import FAST, Engine
from tests.engine.test_children import BESIDE, CHILD, ROOT, children, publish, start, until

PAIR = """
name: root
steps:
  - name: Each
    kind: map
    items: [1, 2]
    steps: [{name: Sub, kind: orchestration, orchestration: child, inputMapping: {n: "<<item>>"}}]
"""
BLOCKED = "SELECT cardinality(pg_blocking_pids($1)) > 0"
BLOCKS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))"


async def test_a_cancel_that_commits_before_the_child_has_started_stops_it_too(engine: Engine) -> None:
    async def perform(attempt: Attempt) -> Json:
        input = await orchestration.perform(attempt)
        await executions.cancel(OPERATOR, execution=attempt.execution)
        return input

    engine.script.hold("Work")
    await publish(CHILD, ROOT)
    execution = await start(input={"n": 1})
    performers = {"tool": engine.script.perform, "orchestration": perform}
    # It looks into the inbox only when a checkpoint tells it to.
    rarely = replace(FAST, poll_seconds=30.0)
    worker = Worker(engine.database.connect, plans.to_run, performers, rarely)
    async with engine.working(worker):
        found = await engine.finished(execution)
        [child] = await children(execution)
        stopped = await engine.finished(child.id)

    assert (found.status, stopped.status) == ("cancelled", "cancelled")
    kinds = [type(event).__name__ for event in await engine.history(execution)]
    assert kinds == ["ExecutionStarted", "ChildStarted", "CancelRequested", "StepCancelled", "ExecutionCancelled"]


async def test_a_child_may_be_stopped_by_the_commit_that_starts_it(engine: Engine) -> None:
    engine.script.hold("Quick")
    asked = asyncio.Event()

    async def perform(attempt: Attempt) -> Json:
        input = await orchestration.perform(attempt)
        asked.set()
        await engine.script.release["Quick"].wait()  # so both answers are read in one turn
        return input

    await publish(CHILD, BESIDE)
    execution = await start()
    performers = {"tool": engine.script.perform, "orchestration": perform, "wait": wait.perform}
    async with engine.working(Worker(engine.database.connect, plans.to_run, performers, FAST)):
        await asked.wait()
        await engine.script.began["Quick"].wait()
        engine.script.release["Quick"].set()
        found = await engine.finished(execution)
        [child] = await children(execution)
        stopped = await engine.finished(child.id)

    assert (found.status, stopped.status) == ("completed", "cancelled")
    assert ("Work", 1) not in engine.script.attempts
    at = await engine.database.pool.fetch(
        "SELECT kind, xmin::text FROM journal WHERE execution_id = $1 AND kind IN ('child_started', 'step_cancelled')",
        execution,
    )
    assert sorted(row["kind"] for row in at) == ["child_started", "step_cancelled"]
    assert len({row["xmin"] for row in at}) == 1


async def test_a_child_is_waited_for_by_whoever_takes_its_parent_over(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT.replace("inputMapping", "timeout: 60000, inputMapping"))
    execution = await start(input={"n": 1})
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    await until(engine, "SELECT status = 'waiting' FROM execution WHERE id = $1", execution)
    dying.cancel()  # as if killed
    await asyncio.gather(dying, return_exceptions=True)
    engine.script.release.clear()
    async with engine.working(engine.worker(), engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "completed"
    assert len(await children(execution)) == 1
    assert [type(event) for event in await engine.history(execution)].count(ChildStarted) == 1


async def test_the_time_of_a_child_counts_from_its_start_also_after_a_crash(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT.replace("inputMapping", "timeout: 1000, inputMapping"))
    execution = await start(input={"n": 1})
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    dying.cancel()  # as if killed
    await asyncio.gather(dying, return_exceptions=True)
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert found.error.code == "TIMEOUT"
    took = await engine.database.pool.fetchval(
        "SELECT extract(epoch FROM max(recorded_at) - min(recorded_at) FILTER (WHERE kind = 'child_started'))::float8"
        " FROM journal WHERE execution_id = $1",
        execution,
    )
    assert 1.0 <= took < 2.0


async def test_a_parent_that_ends_and_a_child_that_ends_may_meet_in_a_deadlock(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    released = {n: asyncio.Event() for n in (1, 2)}

    async def work(attempt: Any) -> Json:
        await released[attempt.input["n"]].wait()
        return None

    engine.script.answers["Work"] = work
    await publish(CHILD, PAIR)
    execution = await start()
    first, admin = await connect(engine.database.url), await connect(engine.database.url)
    async with engine.working(engine.worker()):
        await until(engine, "SELECT count(*) = 2 FROM execution WHERE depth = 1 AND status = 'running'")
        await until(engine, "SELECT status = 'waiting' FROM execution WHERE id = $1", execution)
        one, other = sorted(await children(execution), key=lambda child: child.id)
        holding = first.transaction()
        await holding.start()
        await first.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", one.id)
        # The parent's end has the parent, and waits for its first child; it lets the others be found out first.
        await admin.execute("SET deadlock_timeout = '20s'")
        ending = asyncio.create_task(_fail(admin, execution))
        await until(engine, BLOCKED, admin.get_server_pid())
        with caplog.at_level(logging.WARNING, "services.engine.checkpoint"):
            # The end of the second child has that child, and waits for the parent.
            assert isinstance(other.input, dict)
            released[other.input["n"]].set()  # type: ignore[index]
            await until(engine, BLOCKS, admin.get_server_pid())
            await holding.rollback()  # now the parent's end goes on to the second child
            await ending
            for child in (one, other):
                await engine.finished(child.id)

    assert (await executions.get(OPERATOR, execution=execution)).status == "failed"
    assert "DeadlockDetectedError" in caplog.text
    await first.close()
    await admin.close()


async def _fail(connection: asyncpg.Connection, execution: UUID) -> None:
    await connection.execute(
        "WITH ended AS (UPDATE execution SET status = 'failed', finished_at = now(), available_at = NULL"
        " WHERE id = $1 RETURNING id, epoch) INSERT INTO journal (execution_id, seq, epoch, kind, payload)"
        """ SELECT id, 9, epoch, 'execution_failed', '{"event": "execution_failed", "failure":"""
        """ {"code": "INTERNAL", "message": "by hand", "retryable": false}}' FROM ended""",
        execution,
    )
