"""Completing and skipping steps by hand, through the durable engine."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import msgspec
import pytest

from services import executions
from services.caller import OPERATOR
from services.engine.core.events import StepCompleted, StepOverridden, StepSkipped
from services.engine.performer import Attempt
from services.errors import Conflict, Invalid, NotFound
from services.failure import failed
from services.json import Json
from tests.engine.conftest import FAST, Engine
from tests.engine.play import document

FLOW = """
steps:
  - name: A
    kind: tool
    tool: files.read
    outputSchema: {type: object, properties: {score: {type: number}}, required: [score]}
    outputMapping: {rated: "<<output.score>>"}
  - {name: B, kind: tool, tool: files.read, inputMapping: {rated: "<<context.rated?>>"}}
"""
NESTED = """
steps:
  - name: Each
    kind: map
    items: [1, 2]
    steps:
      - {name: Inner, kind: tool, tool: files.read}
  - {name: B, kind: tool, tool: files.read}
"""
PAUSED = """
steps:
  - {name: Hour, kind: wait, forMs: 3600000}
  - {name: B, kind: tool, tool: files.read}
"""


async def echo(attempt: Attempt) -> Json:
    return attempt.input


async def test_a_running_step_is_completed_by_hand_and_its_attempt_is_stopped(engine: Engine) -> None:
    engine.script.answers["B"] = echo
    began = engine.script.hold("A")
    execution = await engine.start(document(FLOW))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.complete_step(
            OPERATOR, execution=execution, path="A", output={"score": 0.7}, reason="the service is down"
        )
        found = await engine.finished(execution)

    assert (found.status, found.context) == ("completed", {"input": {}, "rated": 0.7, "B": {"rated": 0.7}})
    assert engine.script.stopped == ["A"]
    assert (await engine.history(execution))[1:3] == [
        StepOverridden(path="A", by="operator", reason="the service is down"),
        StepCompleted(path="A", attempt=1, output={"score": 0.7}, writes={"rated": 0.7}),
    ]
    logs = await executions.steps(OPERATOR, execution=execution)
    assert [(log.status, log.overridden_by) for log in logs] == [("completed", "operator"), ("completed", None)]


async def test_a_step_that_waits_for_its_retry_is_skipped(engine: Engine) -> None:
    async def no(attempt: Attempt) -> Json:
        raise failed("TOOL_ERROR", "no")

    engine.script.answers["A"] = no
    text = FLOW.replace("name: A\n", "name: A\n    maxRetries: 1\n    retryDelay: 3600000\n")
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
        await executions.skip_step(OPERATOR, execution=execution, path="A")
        found = await engine.finished(execution)

    assert (found.status, engine.script.attempts) == ("completed", [("A", 1), ("B", 1)])
    assert StepSkipped(path="A", reason="operator skipped it") in await engine.history(execution)


async def test_a_container_is_settled_with_all_that_is_inside_it(engine: Engine) -> None:
    began = engine.script.hold("Inner")
    execution = await engine.start(document(NESTED))
    async with engine.working(engine.worker()):
        await began.wait()
        await engine.until(execution, lambda _: len(engine.script.attempts) == 2)
        await executions.complete_step(OPERATOR, execution=execution, path="Each", output={"results": []})
        found = await engine.finished(execution)

    assert found.output == {"input": {}, "Each": {"results": []}, "B": "B done"}
    assert engine.script.stopped == ["Inner", "Inner"]
    logs = await executions.steps(OPERATOR, execution=execution)
    assert {log.path: log.status for log in logs} == {
        "Each": "completed",
        "Each[0]/Inner": "cancelled",
        "Each[1]/Inner": "cancelled",
        "B": "completed",
    }


async def test_a_step_inside_others_is_settled_alone(engine: Engine) -> None:
    began = engine.script.hold("Inner")
    execution = await engine.start(document(NESTED))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.complete_step(OPERATOR, execution=execution, path="Each[1]/Inner", output="by hand")
        await engine.until(execution, lambda _: engine.script.stopped == ["Inner"])
        engine.script.release["Inner"].set()
        found = await engine.finished(execution)

    assert found.context["Each"] == {"results": ["Inner done", "by hand"], "errors": [], "total": 2}


async def test_a_step_of_a_paused_execution_is_settled_and_the_pause_stays(engine: Engine) -> None:
    execution = await engine.start(document(PAUSED))
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
        await executions.pause(OPERATOR, execution=execution)
        await engine.until(execution, lambda found: found.status == "paused")
        await executions.complete_step(OPERATOR, execution=execution, path="Hour")
        settled = await engine.until(execution, lambda found: found.steps_settled == 1 and found.status == "paused")
        before = list(engine.script.attempts)
        await executions.resume(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert (settled.context, before) == ({"input": {}, "Hour": None}, [])
    assert (found.status, engine.script.attempts) == ("completed", [("B", 1)])


async def test_an_attempt_that_a_pause_held_back_is_not_made_once_its_step_is_settled(engine: Engine) -> None:
    began = engine.script.hold("A")
    text = """
    steps:
      - {name: A, kind: tool, tool: files.read, parallelGroup: g}
      - {name: Late, kind: tool, tool: files.read, parallelGroup: g}
      - {name: B, kind: tool, tool: files.read}
    """
    execution = await engine.start(document(text))
    # There is room for one attempt at a time, so the other has not begun when the pause is read.
    async with engine.working(engine.worker(settings=replace(FAST, attempts=1))):
        await began.wait()
        await executions.pause(OPERATOR, execution=execution)
        await _until_read(engine)
        await executions.skip_step(OPERATOR, execution=execution, path="Late")
        await executions.resume(OPERATOR, execution=execution)
        await _until_read(engine)
        engine.script.release["A"].set()
        found = await engine.finished(execution)

    assert found.context == {"input": {}, "A": "A done", "Late": None, "B": "B done"}
    assert engine.script.attempts == [("A", 1), ("B", 1)]


async def test_a_worker_that_dies_before_it_reads_an_override_leaves_it_to_the_next(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document(FLOW))
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    dying.cancel()  # as if killed
    await asyncio.gather(dying, return_exceptions=True)
    await executions.complete_step(OPERATOR, execution=execution, path="A", output={"score": 1})

    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (found.status, found.context["rated"]) == ("completed", 1)
    assert ("A", 2) not in engine.script.attempts


async def test_what_cannot_be_settled_is_refused_at_the_door(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document(FLOW))
    async with engine.working(engine.worker()):
        await began.wait()
        with pytest.raises(NotFound):
            await executions.skip_step(OPERATOR, execution=uuid4(), path="A")
        with pytest.raises(NotFound, match="there is no step 'a'; did you mean 'A'"):
            await executions.skip_step(OPERATOR, execution=execution, path="a")
        with pytest.raises(Conflict, match="step 'B' has not come to its turn; this needs one that is open, such as"):
            await executions.skip_step(OPERATOR, execution=execution, path="B")
        with pytest.raises(Invalid) as refusal:
            await executions.complete_step(OPERATOR, execution=execution, path="A", output={"score": "high"})
        for output, said in (({"score": 1, "a": "\0"}, "NUL"), ({"score": 1, "a": "x" * 1_100_000}, "are kept")):
            with pytest.raises(Invalid, match=said):
                await executions.complete_step(OPERATOR, execution=execution, path="A", output=output)
        assert await engine.database.pool.fetchval("SELECT count(*) FROM inbox") == 0
        engine.script.answers["A"] = lambda _: _scored()
        engine.script.release["A"].set()
        await engine.finished(execution)
        with pytest.raises(Conflict, match="is completed; this needs one that has not finished"):
            await executions.skip_step(OPERATOR, execution=execution, path="A")

    assert [(problem.code, problem.path) for problem in refusal.value.problems] == [
        ("SCHEMA_MISMATCH", "/output/score")
    ]


async def _scored() -> Json:
    return {"score": 1}


async def test_an_output_that_its_mapping_cannot_take_is_refused(engine: Engine) -> None:
    text = 'steps: [{name: A, kind: tool, tool: files.read, outputMapping: {first: "<<output.first>>"}}]'
    began = engine.script.hold("A")
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await began.wait()
        with pytest.raises(Invalid, match="the step cannot have this output"):
            await executions.complete_step(OPERATOR, execution=execution, path="A", output={"second": 2})
        await executions.cancel(OPERATOR, execution=execution)
        await engine.finished(execution)


@pytest.mark.parametrize("kind", ["complete_step", "skip_step"])
@pytest.mark.parametrize(
    "payload",
    ["[]", "{}", '{"path": 7}', '{"path": "Nowhere[2]/A"}', '{"path": "B"}', '{"path": "A", "reason": 7}', '"deep"'],
)
async def test_what_makes_no_sense_in_the_inbox_is_read_and_ignored(engine: Engine, kind: str, payload: str) -> None:
    if payload == '"deep"':
        payload = '{"path": "A", "output": ' + "[" * 3_000 + "]" * 3_000 + "}"
    began = engine.script.hold("A")
    engine.script.answers["A"] = lambda _: _scored()
    execution = await engine.start(document(FLOW))
    async with engine.working(engine.worker()):
        await began.wait()
        await _post(engine, execution, kind, payload)
        await _until_read(engine)
        engine.script.release["A"].set()
        found = await engine.finished(execution)

    assert (found.status, found.context["rated"]) == ("completed", 1)
    assert StepOverridden not in {type(event) for event in await engine.history(execution)}


async def test_a_misfit_that_got_into_the_inbox_is_ignored(engine: Engine) -> None:
    began = engine.script.hold("A")
    engine.script.answers["A"] = lambda _: _scored()
    execution = await engine.start(document(FLOW))
    async with engine.working(engine.worker()):
        await began.wait()
        payload = msgspec.json.encode({"path": "A", "output": {"score": "high"}}).decode()
        await _post(engine, execution, "complete_step", payload)
        engine.script.release["A"].set()
        found = await engine.finished(execution)

    assert found.context["rated"] == 1


async def _until_read(engine: Engine) -> None:
    async with asyncio.timeout(10):
        while await engine.database.pool.fetchval("SELECT count(*) FROM inbox"):
            pass


async def _post(engine: Engine, execution: UUID, kind: str, payload: str) -> None:
    await engine.database.pool.execute(
        "INSERT INTO inbox (execution_id, kind, payload, sender) VALUES ($1, $2, $3::text::jsonb, 'psql')",
        execution,
        kind,
        payload,
    )
