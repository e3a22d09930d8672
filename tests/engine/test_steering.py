"""Pausing, resuming and giving up executions in a worker."""

import asyncio
from dataclasses import replace

import msgspec

from services import executions
from services.caller import OPERATOR
from services.engine import claim
from services.engine.core.events import (
    CancelRequested,
    PauseRequested,
    ResumeRequested,
    StepCompleted,
    StepFailed,
    TimeExpired,
)
from services.engine.performer import Attempt
from services.executions import ExecutionFilter
from services.failure import Failed, Failure
from services.json import Json
from tests.engine.conftest import FAST, Engine
from tests.engine.plans import document_of, tool
from tests.engine.play import document
from tests.engine.test_children import CHILD, ROOT, children, publish, start


async def test_a_pause_lets_what_runs_finish_and_a_resume_goes_on(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.pause(OPERATOR, execution=execution)
        await _until_read(engine, execution)
        engine.script.release["A"].set()
        paused = await engine.until(execution, lambda found: found.status == "paused")
        before = list(engine.script.attempts)
        await executions.resume(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert before == [("A", 1)]
    assert paused.context == {"input": {}, "A": "A done"}
    assert (found.status, engine.script.attempts) == ("completed", [("A", 1), ("B", 1)])
    kinds = [type(event) for event in await engine.history(execution)]
    assert [kind for kind in kinds if kind in (PauseRequested, ResumeRequested, StepCompleted)] == [
        PauseRequested,
        StepCompleted,
        ResumeRequested,
        StepCompleted,
    ]


async def test_an_execution_is_paused_before_it_has_begun_and_while_it_waits(engine: Engine) -> None:
    idle = await engine.start(document_of(tool("A")))
    text = "steps: [{name: Pause, kind: wait, forMs: 300}]"
    waiting = await engine.start(msgspec.structs.replace(document(text), name="other"))
    await executions.pause(OPERATOR, execution=idle)
    async with engine.working(engine.worker()):
        await engine.until(waiting, lambda found: found.status == "waiting")
        await executions.pause(OPERATOR, execution=waiting)
        for execution in (idle, waiting):
            await engine.until(execution, lambda found: found.status == "paused")
        assert engine.script.attempts == []
        for execution in (idle, waiting):
            await executions.resume(OPERATOR, execution=execution)
            assert (await engine.finished(execution)).status == "completed"


async def test_a_resume_that_comes_before_the_pause_is_complete_starts_what_was_held_back(engine: Engine) -> None:
    began = engine.script.hold("A")
    text = """
    steps:
      - {name: A, kind: tool, tool: files.read, parallelGroup: g}
      - {name: Pause, kind: wait, parallelGroup: g, forMs: 400}
    """
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.pause(OPERATOR, execution=execution)
        await _until_read(engine, execution)
        await executions.resume(OPERATOR, execution=execution)
        await _until_read(engine, execution)
        engine.script.release["A"].set()
        found = await engine.finished(execution)

    assert found.output == {"input": {}, "A": "A done", "Pause": None}
    assert engine.script.attempts == [("A", 1)]


async def _until_read(engine: Engine, execution: object) -> None:
    async with asyncio.timeout(10):
        while await engine.database.pool.fetchval("SELECT count(*) FROM inbox WHERE execution_id = $1", execution):
            pass


async def test_a_paused_execution_is_cancelled_at_once(engine: Engine) -> None:
    execution = await engine.start(document_of(tool("A")))
    await executions.pause(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "paused")
        await executions.cancel(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert (found.status, engine.script.attempts) == ("cancelled", [])


async def test_a_pause_leaves_children_alone_and_what_they_give_is_read_after_it(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT)
    execution = await start(input={"n": 1})
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.pause(OPERATOR, execution=execution)
        await engine.until(execution, lambda found: found.status == "paused")
        engine.script.release["Work"].set()
        [child] = await children(execution)
        done = await engine.finished(child.id)
        before = await executions.get(OPERATOR, execution=execution)
        await executions.resume(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert (done.status, before.status, found.status) == ("completed", "paused", "completed")


async def test_a_pause_outlives_the_worker(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    await executions.pause(OPERATOR, execution=execution)
    await _until_read(engine, execution)
    dying.cancel()  # as if killed
    await asyncio.gather(dying, return_exceptions=True)
    engine.script.release.clear()
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "paused")
        before = list(engine.script.attempts)
        await executions.resume(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    # What the dead worker was doing is begun again, once the execution may go on.
    assert before == [("A", 1)]
    assert (found.status, engine.script.attempts) == ("completed", [("A", 1), ("A", 1), ("B", 1)])


async def test_an_execution_that_works_too_long_is_timed_out_and_cleans_up(engine: Engine) -> None:
    engine.script.hold("A")
    text = """
    limits: {timeoutMs: 150}
    steps: [{name: Pause, kind: wait, forMs: 400}, {name: A, kind: tool, tool: files.read}]
    finally: [{name: Close, kind: tool, tool: files.read}]
    """
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "timed_out"
    assert found.error is not None
    assert found.error.code == "TIMEOUT"
    # While it waits no time passes, so the tool was reached.
    assert engine.script.attempts == [("A", 1), ("Close", 1)]
    assert engine.script.stopped == ["A"]
    assert TimeExpired() in await engine.history(execution)


async def test_what_was_cancelled_before_it_was_looked_at_is_cancelled_though_it_needs_nobody(engine: Engine) -> None:
    text = "steps: [{name: Shape, kind: transform, inputMapping: {a: 1}}]"
    execution = await engine.start(document(text))
    await executions.cancel(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "cancelled"


async def test_a_cancel_that_is_read_with_the_last_answer_counts(engine: Engine) -> None:
    worker = engine.worker()

    async def cancel_and_answer(attempt: Attempt) -> Json:
        posted = await executions.cancel(OPERATOR, execution=attempt.execution)
        life = worker._life
        assert life is not None
        (run,) = life.runs.values()
        async with engine.database.pool.acquire() as connection:
            (message,) = await claim.inbox(connection, life.id)
        run.deliver(message)  # the answer follows it into the mailbox before anybody looks there
        return posted.orchestration

    engine.script.answers["A"] = cancel_and_answer
    execution = await engine.start(document_of(tool("A")))
    async with engine.working(worker):
        found = await engine.finished(execution)

    assert found.status == "cancelled"


async def test_many_are_cancelled_wherever_they_stand_and_none_begins_another_step(engine: Engine) -> None:
    began = engine.script.hold("A")
    running = await engine.start(document_of(tool("A"), tool("B")))
    text = "steps: [{name: Pause, kind: wait, forMs: 60000}]"
    waiting = await engine.start(msgspec.structs.replace(document(text), name="other"))
    paused = (await executions.start(OPERATOR, orchestration="other")).id
    await executions.pause(OPERATOR, execution=paused)
    async with engine.working(engine.worker()):
        await began.wait()
        for execution, status in ((waiting, "waiting"), (paused, "paused")):
            await engine.until(execution, lambda found, status=status: found.status == status)
        queued = (await executions.start(OPERATOR, orchestration="other", delay_ms=3_600_000)).id
        done = await executions.cancel_many(OPERATOR, filter=ExecutionFilter(all=True), reason="enough")
        found = [await engine.finished(execution) for execution in (running, waiting, paused, queued)]

    assert (done.matched, done.asked, done.finished_meanwhile) == (4, 4, 0)
    assert {it.status for it in found} == {"cancelled"}
    assert (engine.script.attempts, engine.script.stopped) == ([("A", 1)], ["A"])
    assert CancelRequested(by="operator", reason="enough") in await engine.history(running)


async def test_many_are_paused_and_resumed(engine: Engine) -> None:
    began = engine.script.hold("A")
    first = await engine.start(document_of(tool("A"), tool("B")))
    second = (await executions.start(OPERATOR, orchestration="flow")).id
    flows = ExecutionFilter(orchestration="flow")
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.pause_many(OPERATOR, filter=flows)
        await _until_read(engine, first)
        engine.script.release["A"].set()
        for execution in (first, second):
            await engine.until(execution, lambda found: found.status == "paused")
        await executions.resume_many(OPERATOR, filter=flows)
        for execution in (first, second):
            assert (await engine.finished(execution)).status == "completed"


async def test_what_has_waited_for_room_does_not_begin_once_its_cancel_has_committed(engine: Engine) -> None:
    began = engine.script.hold("A")
    first = await engine.start(document_of(tool("A")))
    second = await engine.start(msgspec.structs.replace(document_of(tool("B")), name="other"))
    worker = engine.worker(settings=replace(FAST, attempts=1, poll_seconds=60.0))  # nobody tells it, nor does it look
    async with engine.working(worker):
        await began.wait()
        await engine.until(second, lambda found: found.status == "running")
        await engine.database.pool.execute(
            "INSERT INTO inbox (execution_id, kind, sender) VALUES ($1, 'cancel', 'psql')", second
        )
        engine.script.release["A"].set()
        assert (await engine.finished(second)).status == "cancelled"
        assert (await engine.finished(first)).status == "completed"

    assert engine.script.attempts == [("A", 1)]


async def test_a_retry_that_was_delayed_beside_others_does_not_begin_once_its_cancel_has_committed(
    engine: Engine,
) -> None:
    busy = Failure(code="RATE_LIMITED", message="busy", retryable=True, retry_after_seconds=1.0)

    async def refuse(_: Attempt) -> Json:
        raise Failed(busy)

    began = engine.script.hold("Long")
    engine.script.answers["Again"] = refuse
    text = """
    steps:
      - {name: Again, kind: tool, tool: files.read, parallelGroup: g, maxRetries: 5, retryDelay: 0}
      - {name: Long, kind: tool, tool: files.read, parallelGroup: g}
    """
    execution = await engine.start(document(text))
    worker = engine.worker(settings=replace(FAST, poll_seconds=60.0))
    async with engine.working(worker):
        await began.wait()
        await engine.until(execution, lambda found: found.status == "running")
        async with asyncio.timeout(10):
            while not any(isinstance(event, StepFailed) for event in await engine.history(execution)):
                pass
        tried = len(engine.script.attempts)
        await engine.database.pool.execute(
            "INSERT INTO inbox (execution_id, kind, sender) VALUES ($1, 'cancel', 'psql')", execution
        )
        assert (await engine.finished(execution)).status == "cancelled"

    assert len(engine.script.attempts) == tried
    assert engine.script.stopped == ["Long"]
