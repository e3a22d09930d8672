"""Children in workers: started with their event, waited for without a worker, stopped with their step."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services import executions, orchestrations
from services.caller import OPERATOR
from services.definitions import yaml12
from services.definitions.digest import digest
from services.engine.core.events import ChildStarted, StepCancelled, StepCompleted, StepFailed
from services.errors import Conflict
from services.json import Json
from tests.engine.conftest import Engine

CHILD = """
name: child
input: {type: object, required: [n], properties: {n: {type: integer}, unit: {default: cup}}}
steps: [{name: Work, kind: tool, tool: files.read, inputMapping: {n: "<<input.n>>"}}]
output: {n: "<<input.n>>", unit: "<<input.unit>>"}
"""
ROOT = """
name: root
steps: [{name: Sub, kind: orchestration, orchestration: child, inputMapping: {n: "<<input.n>>"}}]
output: {sub: "<<context.Sub>>"}
"""
BESIDE = """
name: root
groups: {g: {join: any}}
steps:
  - {name: Sub, kind: orchestration, orchestration: child, parallelGroup: g, inputMapping: {n: 1}}
  - {name: Quick, kind: tool, tool: files.read, parallelGroup: g}
"""

IDLE = (
    "SELECT status = 'waiting' AND NOT EXISTS (SELECT FROM inbox WHERE execution_id = $1) FROM execution WHERE id = $1"
)


async def publish(*texts: str) -> None:
    for text in texts:
        await orchestrations.create(OPERATOR, document=yaml12.read(text))


async def start(name: str = "root", input: Json = None) -> UUID:
    return (await executions.start(OPERATOR, orchestration=name, input=input)).id


async def children(parent: UUID) -> list[executions.Execution]:
    """The oldest first."""
    return (await executions.list_(OPERATOR, parent=parent, limit=1_000)).items[::-1]


async def until(engine: Engine, query: str, *arguments: object) -> None:
    """Return once `query` gives true, asked again as fast as the database answers."""
    async with asyncio.timeout(60):
        while not await engine.database.pool.fetchval(query, *arguments):
            pass


async def test_a_step_gives_the_output_of_its_child(engine: Engine) -> None:
    await publish(CHILD, ROOT)
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (found.status, found.output) == ("completed", {"sub": {"n": 3, "unit": "cup"}})
    [child] = await children(execution)
    assert (child.parent, child.orchestration, child.status, child.started_by) == (
        execution,
        "child",
        "completed",
        found.started_by,
    )
    [step] = await executions.steps(OPERATOR, execution=execution)
    assert (step.child, step.status, step.attempts) == (child.id, "completed", 1)
    [_, began, done, _] = await engine.history(execution)
    assert began == ChildStarted(path="Sub", attempt=1, execution=child.id)
    assert isinstance(done, StepCompleted)
    assert done.duration_ms > 0


async def test_children_stand_wherever_steps_do(engine: Engine) -> None:
    text = """
    name: root
    steps:
      - name: Twice
        kind: loop
        maxIterations: 2
        collect: "<<output.n>>"
        steps: [{name: Round, kind: orchestration, orchestration: child, inputMapping: {n: "<<loop.iteration>>"}}]
      - {name: Left, kind: orchestration, orchestration: child, parallelGroup: g, inputMapping: {n: 7}}
      - {name: Right, kind: orchestration, orchestration: child, parallelGroup: g, inputMapping: {n: 8}}
      - {name: Wrong, kind: orchestration, orchestration: child, inputMapping: {n: x}, onError: {default: {n: 9}}}
    finally: [{name: Close, kind: orchestration, orchestration: child, inputMapping: {n: 0}}]
    output: {rounds: "<<context.Twice.results>>", others: "$.context['Left', 'Right', 'Wrong'].n"}
    """
    await publish(CHILD, text)
    execution = await start()
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.output == {"rounds": [1, 2], "others": [7, 8, 9]}
    ran = await engine.database.pool.fetch("SELECT parent_path FROM execution WHERE depth = 1 ORDER BY id")
    paths = [row["parent_path"] for row in ran]
    assert paths[:2] + sorted(paths[2:4]) + paths[4:] == [
        "Twice[0]/Round",
        "Twice[1]/Round",
        "Left",
        "Right",
        "Close",
    ]


async def test_nobody_works_on_a_parent_while_its_child_is_at_work(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT)
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await began.wait()
        await engine.until(execution, lambda found: found.status == "waiting")
        available = await engine.database.pool.fetchval("SELECT available_at FROM execution WHERE id = $1", execution)
        [step] = await executions.steps(OPERATOR, execution=execution)
        engine.script.release["Work"].set()
        found = await engine.finished(execution)

    assert available is None
    assert step.status == "waiting"
    assert found.status == "completed"


async def test_an_input_that_does_not_fit_starts_no_child(engine: Engine) -> None:
    await publish(CHILD, ROOT)
    execution = await start(input={"n": "many"})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert found.error.code == "INPUT_INVALID"
    assert "the input schema of 'child'" in found.error.message
    assert await children(execution) == []


async def test_a_child_that_fails_fails_its_step_and_is_tried_again_as_it_could_have_been(engine: Engine) -> None:
    tries: list[UUID] = []

    async def fail_once(attempt: Any) -> Json:
        tries.append(attempt.execution)
        if len(tries) == 1:
            raise TimeoutError
        return None

    engine.script.answers["Work"] = fail_once
    await publish(CHILD, ROOT.replace("inputMapping", "maxRetries: 1, retryDelay: 1, inputMapping"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "completed"
    first, second = await children(execution)
    assert tries == [first.id, second.id]
    assert (first.status, second.status) == ("failed", "completed")
    [failed] = [event for event in await engine.history(execution) if isinstance(event, StepFailed)]
    assert failed.failure.code == "CHILD_FAILED"
    assert failed.failure.message.startswith(f"child {first.id} is failed: TIMEOUT: ")
    [step] = await executions.steps(OPERATOR, execution=execution)
    assert (step.child, step.attempts) == (second.id, 2)


async def test_a_child_that_somebody_cancels_fails_its_step(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT.replace("inputMapping", "maxRetries: 1, inputMapping"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await began.wait()
        [child] = await children(execution)
        await executions.cancel(OPERATOR, execution=child.id, reason="enough")
        found = await engine.finished(execution)

    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", "CHILD_FAILED")
    assert found.error.message == f"child {child.id} is cancelled: CANCELLED: enough"


async def test_what_is_only_started_goes_on_alone(engine: Engine) -> None:
    engine.script.hold("Work")
    await publish(CHILD, ROOT.replace("inputMapping", "wait: false, inputMapping"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)
        [child] = await children(execution)
        before = await executions.get(OPERATOR, execution=child.id)
        engine.script.release["Work"].set()
        after = await engine.finished(child.id)

    assert found.output == {"sub": {"executionId": str(child.id)}}
    assert before.status in ("queued", "running")
    assert after.status == "completed"


async def test_a_step_that_is_not_needed_any_more_stops_its_child(engine: Engine) -> None:
    began = engine.script.hold("Work")
    engine.script.hold("Quick")
    await publish(CHILD, BESIDE)
    execution = await start()
    async with engine.working(engine.worker()):
        await began.wait()
        engine.script.release["Quick"].set()
        found = await engine.finished(execution)
        [child] = await children(execution)
        stopped = await engine.finished(child.id)

    assert (found.status, stopped.status) == ("completed", "cancelled")
    assert engine.script.stopped == ["Work"]
    assert stopped.error is not None
    assert stopped.error.message == "its parent no longer waits for it"
    assert any(isinstance(event, StepCancelled) for event in await engine.history(execution))


async def test_a_child_that_takes_too_long_is_stopped(engine: Engine) -> None:
    engine.script.hold("Work")
    await publish(CHILD, ROOT.replace("inputMapping", "timeout: 150, inputMapping"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)
        [child] = await children(execution)
        stopped = await engine.finished(child.id)

    assert found.error is not None
    assert (found.error.code, found.error.message) == ("TIMEOUT", "the child was not done within 150 ms")
    assert stopped.status == "cancelled"


async def test_a_child_that_is_done_in_time_leaves_no_timer(engine: Engine) -> None:
    await publish(CHILD, ROOT.replace("inputMapping", "timeout: 60000, inputMapping"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()), asyncio.timeout(10):
        found = await engine.finished(execution)

    assert found.status == "completed"


async def test_a_cancel_covers_the_whole_tree(engine: Engine) -> None:
    began = engine.script.hold("Work")
    middle = ROOT.replace("name: root", "name: middle")
    await publish(CHILD, middle, ROOT.replace("orchestration: child", "orchestration: middle"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.cancel(OPERATOR, execution=execution, reason="enough")
        found = await engine.finished(execution)
        [child] = await children(execution)
        [grandchild] = await children(child.id)
        for each in (child, grandchild):
            await engine.finished(each.id)

    assert found.status == "cancelled"
    statuses = await engine.database.pool.fetch("SELECT status FROM execution")
    assert {row["status"] for row in statuses} == {"cancelled"}
    assert engine.script.stopped == ["Work"]


async def test_a_parent_that_ends_takes_its_children_along_however_it_ends(engine: Engine) -> None:
    began = engine.script.hold("Work")
    await publish(CHILD, ROOT)
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await began.wait()
        await engine.until(execution, lambda found: found.status == "waiting")
        # As an administrator would, or whoever finds that a worker dies of it.
        await engine.database.pool.execute(
            "WITH ended AS (UPDATE execution SET status = 'failed', finished_at = now(), available_at = NULL"
            " WHERE id = $1 RETURNING id, epoch) INSERT INTO journal (execution_id, seq, epoch, kind, payload)"
            " SELECT id, 9, epoch, 'execution_failed', '{}' FROM ended",
            execution,
        )
        [child] = await children(execution)
        stopped = await engine.finished(child.id)

    assert stopped.error is not None
    assert (stopped.status, stopped.error.message) == ("cancelled", "its parent is failed")


async def test_messages_about_other_children_change_nothing(engine: Engine) -> None:
    engine.script.hold("Work")
    await publish(CHILD, ROOT)
    other = await start("child", {"n": 9})
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
        [child] = await children(execution)
        for sender in (str(other), str(child.id), str(execution), "anna", "0" * 36):
            await engine.database.pool.execute(
                "INSERT INTO inbox (execution_id, kind, payload, sender) VALUES ($1, 'child_finished', $2, $3)",
                execution,
                msgspec.json.encode({"execution": sender, "path": "Sub", "status": "completed"}).decode(),
                sender,
            )
        await until(engine, IDLE, execution)
        before = await engine.history(execution)
        engine.script.release["Work"].set()
        found = await engine.finished(execution)

    assert [type(event).__name__ for event in before] == ["ExecutionStarted", "ChildStarted"]
    assert found.output == {"sub": {"n": 3, "unit": "cup"}}


async def test_what_was_pinned_at_the_start_is_what_runs(engine: Engine) -> None:
    began = engine.script.hold("First")
    first = "steps:\n  - {name: First, kind: tool, tool: files.read}\n  - {name: Sub,"
    await publish(CHILD, ROOT.replace("steps: [{name: Sub,", first).replace("}}]", "}}"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        await began.wait()
        await orchestrations.update(OPERATOR, orchestration="child", changes={"output": {"new": True}}, is_active=False)
        await engine.database.pool.execute("UPDATE orchestration_version SET status = 'archived' WHERE number = 1 AND"
            " orchestration_id = (SELECT id FROM orchestration WHERE name = 'child')")  # fmt: skip
        engine.script.release["First"].set()
        found = await engine.finished(execution)

    assert found.output == {"sub": {"n": 3, "unit": "cup"}}


async def test_a_version_can_be_named(engine: Engine) -> None:
    await publish(CHILD)
    await orchestrations.update(OPERATOR, orchestration="child", changes={"output": {"new": True}})
    await publish(ROOT.replace("orchestration: child", "orchestration: child, version: 1"))
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.output == {"sub": {"n": 3, "unit": "cup"}}


async def test_nothing_starts_that_calls_what_is_inactive(engine: Engine) -> None:
    middle = ROOT.replace("name: root", "name: middle")
    await publish(CHILD, middle, ROOT.replace("orchestration: child", "orchestration: middle"))
    await orchestrations.update(OPERATOR, orchestration="child", is_active=False)

    with pytest.raises(Conflict, match="orchestration 'child' is called, and is inactive"):
        await start(input={"n": 3})


async def _chain(length: int) -> None:
    await publish(CHILD.replace("name: child", "name: c0"))
    for n in range(1, length + 1):
        await publish(
            ROOT.replace("name: root", f"name: c{n}").replace("orchestration: child", f"orchestration: c{n - 1}")
        )


async def test_children_are_nested_eight_deep_and_no_deeper(engine: Engine) -> None:
    await _chain(9)
    deep, too_deep = await start("c8", {"n": 3}), await start("c9", {"n": 3})
    async with engine.working(engine.worker()):
        found, refused = await engine.finished(deep), await engine.finished(too_deep)

    assert found.status == "completed"
    assert refused.error is not None
    assert refused.error.code == "CHILD_FAILED"
    assert refused.error.message.endswith("DEPTH_LIMIT: 'c0' would have 9 executions above it; up to 8 are allowed")
    assert await engine.database.pool.fetchval("SELECT max(depth) FROM execution") == 8
    assert await engine.database.pool.fetchval("SELECT count(*) FROM execution") == 9 + 9


async def test_a_cycle_made_by_hand_ends_at_the_depth(engine: Engine) -> None:
    await publish(CHILD, ROOT)
    await engine.database.pool.execute(
        "ALTER TABLE orchestration_step DISABLE TRIGGER USER;"
        """UPDATE orchestration_step SET config = '{"orchestration": "root"}' WHERE name = 'Sub'"""
    )
    # By somebody who forges the digest as well, or it would not be run.
    version = (await orchestrations.active("root")).version
    await engine.database.pool.execute("ALTER TABLE orchestration_version DISABLE TRIGGER USER")
    forged = digest(await orchestrations.document(version))
    await engine.database.pool.execute("UPDATE orchestration_version SET digest = $2 WHERE id = $1", version, forged)
    execution = await start(input={"n": 3})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert "DEPTH_LIMIT" in found.error.message
    assert await engine.database.pool.fetchval("SELECT count(*) FROM execution") == 9


MANY = """
name: root
steps:
  - name: Each
    kind: map
    items: "<<input>>"
    maxItems: 1000
    maxConcurrency: 100
    steps: [{name: Sub, kind: orchestration, orchestration: child, inputMapping: {n: "<<item>>"}}]
output: {all: "$.context.Each.results[*].n"}
"""


async def test_a_thousand_children_all_wake_their_parent_once(engine: Engine) -> None:
    await publish(CHILD, MANY)
    execution = await start(input=list(range(1000)))
    async with engine.working(engine.worker(), engine.worker()):
        await until(engine, "SELECT finished_at IS NOT NULL FROM execution WHERE id = $1", execution)
    found = await executions.get(OPERATOR, execution=execution)

    assert found.output == {"all": list(range(1000))}
    row = await engine.database.pool.fetchrow(
        "SELECT count(*) AS children, (SELECT wake_seq FROM execution WHERE id = $1) AS wakes,"
        " (SELECT count(*) FROM inbox) AS unread FROM execution WHERE parent_execution_id = $1",
        execution,
    )
    assert row is not None
    assert tuple(row) == (1000, 1000, 0)


async def test_a_parent_may_be_woken_for_nothing_as_often_as_it_has_stopped_children(engine: Engine) -> None:
    engine.script.hold("Work")
    text = """
    name: root
    groups: {g: {join: any}}
    steps:
      - name: Each
        kind: map
        items: "<<input>>"
        maxConcurrency: 40
        parallelGroup: g
        steps: [{name: Sub, kind: orchestration, orchestration: child, inputMapping: {n: "<<item>>"}}]
      - {name: Quick, kind: tool, tool: files.read, parallelGroup: g}
      - {name: Pause, kind: wait, forMs: 3600000}
    """
    await publish(CHILD, text)
    execution = await start(input=list(range(40)))
    engine.script.hold("Quick")
    async with engine.working(engine.worker()):
        await until(engine, "SELECT count(*) = 40 FROM execution WHERE depth = 1 AND status = 'running'")
        engine.script.release["Quick"].set()
        await until(engine, "SELECT count(*) = 40 FROM execution WHERE depth = 1 AND status = 'cancelled'")
        for _ in range(30):
            await engine.database.pool.execute(
                "INSERT INTO inbox (execution_id, kind, sender) VALUES ($1, 'child_finished', 'eve')", execution
            )
            await until(engine, IDLE, execution)
        status = (await executions.get(OPERATOR, execution=execution)).status

    assert status == "waiting"
