"""Blocks and waits in a worker: what the rows keep of them is enough to go on."""

import asyncio
from dataclasses import replace

import pytest

from services import executions
from services.caller import OPERATOR
from services.engine.core.events import StepWaiting
from services.engine.performer import Attempt
from services.failure import failed
from services.json import Json
from tests.engine.conftest import FAST, Engine
from tests.engine.play import document

LOOP = """
steps:
  - name: Each
    kind: map
    items: "<<input>>"
    steps:
      - name: Twice
        kind: loop
        maxIterations: 2
        steps:
          - {name: First, kind: tool, tool: files.read, inputMapping: {n: "<<item>>", round: "<<loop.iteration>>"}}
          - {name: Second, kind: tool, tool: files.read}
output: {all: "$.context.Each.results[*].iterations"}
"""


async def test_every_instance_of_a_step_has_a_log_and_a_key_of_its_own(engine: Engine) -> None:
    execution = await engine.start(document(LOOP), input=["a", "b"])
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    logs = await executions.steps(OPERATOR, execution=execution)
    inside = [f"Each[{item}]/Twice[{n}]/{name}" for item in (0, 1) for n in (0, 1) for name in ("First", "Second")]
    assert found.output == {"all": [2, 2]}
    assert (found.steps_settled, found.steps_total) == (1, 1)
    assert [log.path for log in logs] == ["Each", "Each[0]/Twice", *inside[:4], "Each[1]/Twice", *inside[4:]]
    assert {log.status for log in logs} == {"completed"}
    assert [log.input for log in logs if log.path == "Each[1]/Twice[1]/First"] == [{"n": "b", "round": 2}]
    assert sorted(engine.script.keys) == inside


async def test_an_iteration_that_is_over_never_runs_again(engine: Engine) -> None:
    reached = asyncio.Event()
    calls: list[str] = []

    async def perform(attempt: Attempt) -> Json:
        calls.append(attempt.path)
        if attempt.path == "Each[0]/Twice[1]/Second" and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return attempt.path

    execution = await engine.start(document(LOOP), input=["a"])
    dying = asyncio.create_task(engine.worker(perform).run())
    await reached.wait()
    dying.cancel()  # as if killed: nothing is handed back, its connections just close
    await asyncio.gather(dying, return_exceptions=True)
    async with engine.working(engine.worker(perform)):
        await engine.finished(execution)

    assert calls == [
        "Each[0]/Twice[0]/First",
        "Each[0]/Twice[0]/Second",
        "Each[0]/Twice[1]/First",
        "Each[0]/Twice[1]/Second",
        "Each[0]/Twice[1]/Second",
    ]


async def test_a_wait_holds_no_worker_and_outlives_one(engine: Engine) -> None:
    text = "steps: [{name: Pause, kind: wait, forMs: 700}, {name: A, kind: tool, tool: files.read}]"
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        parked = await engine.until(execution, lambda found: found.status == "waiting")
    (log, _) = await executions.steps(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (log.status, parked.steps_settled) == ("waiting", 0)
    assert found.status == "completed"
    assert sum(isinstance(event, StepWaiting) for event in await engine.history(execution)) == 1
    row = await engine.database.pool.fetchrow(
        "SELECT min(recorded_at) FILTER (WHERE kind = 'step_waiting') AS began,"
        " min(recorded_at) FILTER (WHERE kind = 'step_completed') AS ended FROM journal WHERE execution_id = $1",
        execution,
    )
    assert row is not None
    assert (row["ended"] - row["began"]).total_seconds() >= 0.69


async def test_a_short_wait_is_over_before_the_next_poll(engine: Engine) -> None:
    execution = await engine.start(document("steps: [{name: Pause, kind: wait, forMs: 100}]"))
    async with engine.working(engine.worker(settings=replace(FAST, poll_seconds=60))):
        found = await engine.finished(execution)  # which is waited for 20 s

    assert found.status == "completed"


async def test_a_wait_until_what_has_passed_is_over_at_once(engine: Engine) -> None:
    execution = await engine.start(document("steps: [{name: Pause, kind: wait, until: '2020-01-31T23:59:60Z'}]"))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.output == {"input": {}, "Pause": None}


async def test_a_cancel_stops_what_runs_inside_and_cleans_up(engine: Engine) -> None:
    began = engine.script.hold("A")
    text = """
    steps:
      - name: G
        kind: group
        steps: [{name: A, kind: tool, tool: files.read}, {name: B, kind: tool, tool: files.read}]
    finally: [{name: Close, kind: tool, tool: files.read}]
    """
    execution = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.cancel(OPERATOR, execution=execution, reason="enough")
        found = await engine.finished(execution)

    logs = {log.path: log.status for log in await executions.steps(OPERATOR, execution=execution)}
    assert found.status == "cancelled"
    assert engine.script.stopped == ["A"]
    assert engine.script.keys == ["G/A", "Close"]
    assert logs == {"G": "cancelled", "G/A": "cancelled", "Close": "completed"}


@pytest.mark.parametrize(
    ("on_error", "code"),
    [
        ("{catch: [{errors: ['*'], steps: [{name: Fix, kind: tool, tool: files.read}]}]}", "TOOL_ERROR"),
        ("{catch: [{errors: ['*'], steps: [{name: Fix, kind: transform, inputMapping: {n: x}}]}]}", "OUTPUT_INVALID"),
        ("{default: {n: x}}", "OUTPUT_INVALID"),
    ],
)
@pytest.mark.parametrize("key", ["there", "missing"])
async def test_a_handler_that_fails_as_well_lets_the_execution_fail_and_clean_up(
    engine: Engine, on_error: str, code: str, key: str
) -> None:
    async def no(attempt: Attempt) -> Json:
        raise failed("TOOL_ERROR", "no", retryable=False)

    engine.script.answers |= {"A": no, "Fix": no}
    text = f"""
    steps:
      - name: A
        kind: tool
        tool: files.read
        inputMapping: {{a: "<<input.{key}>>"}}
        outputSchema: {{properties: {{n: {{type: number}}}}}}
        onError: {on_error}
    finally: [{{name: Close, kind: tool, tool: files.read}}]
    """
    execution = await engine.start(document(text), {"there": "x"})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", code)
    assert engine.script.attempts[-1] == ("Close", 1)
    (step, *_) = await executions.steps(OPERATOR, execution=execution)
    assert step.status == "failed"
