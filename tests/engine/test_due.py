"""When executions begin: by their priority, at their start, and not before."""

from dataclasses import replace

import pytest

from services import executions
from services.caller import OPERATOR
from tests.engine.conftest import FAST, Engine
from tests.engine.plans import document_of, tool

ONE_AT_A_TIME = replace(FAST, executions=1)


async def test_of_what_is_due_the_higher_priority_begins_first(engine: Engine) -> None:
    first = await engine.start(document_of(tool("A")))
    others = [
        (await executions.start(OPERATOR, orchestration="flow", priority=priority)).id for priority in (-1, 100, 7)
    ]
    async with engine.working(engine.worker(settings=ONE_AT_A_TIME)):
        found = [await engine.finished(execution) for execution in (first, *others)]

    begun = sorted(found, key=lambda it: it.started_at or it.created_at)
    assert [it.priority for it in begun] == [100, 7, 0, -1]


async def test_a_delayed_execution_begins_when_its_time_has_come(engine: Engine) -> None:
    await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        later = await executions.start(OPERATOR, orchestration="flow", delay_ms=400)
        found = await engine.finished(later.id)

    assert later.available_at is not None
    assert found.started_at is not None
    assert found.status == "completed"
    assert 0 <= (found.started_at - later.available_at).total_seconds() <= 1.5
    assert found.available_at is None


async def test_a_delayed_execution_is_cancelled_at_once_and_nothing_of_it_is_done(engine: Engine) -> None:
    began = engine.script.hold("A")
    await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        await began.wait()
        later = await executions.start(OPERATOR, orchestration="flow", delay_ms=3_600_000)
        await executions.cancel(OPERATOR, execution=later.id)
        found = await engine.finished(later.id)
        engine.script.release["A"].set()

    assert (found.status, engine.script.attempts) == ("cancelled", [("A", 1)])


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_delayed_execution_that_is_paused_does_not_begin_before_its_time(
    engine: Engine, is_resumed: bool
) -> None:
    await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        later = await executions.start(OPERATOR, orchestration="flow", delay_ms=400)
        await executions.pause(OPERATOR, execution=later.id)
        if is_resumed:
            await executions.resume(OPERATOR, execution=later.id)
        found = await engine.until(later.id, lambda found: found.status in ("paused", "completed"))

    assert later.available_at is not None
    assert found.started_at is not None
    assert found.status == ("completed" if is_resumed else "paused")
    assert found.started_at >= later.available_at
