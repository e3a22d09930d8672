"""Restarting executions that have children, and settling steps that wait for one."""

from uuid import UUID

import pytest

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.definitions import yaml12
from services.engine.core.events import ChildStarted, StepOverridden
from services.engine.performer import Attempt
from services.errors import Conflict
from services.failure import failed
from services.json import Json
from tests.engine.conftest import Engine

CHILD = """
name: child
steps: [{name: Work, kind: tool, tool: files.read}]
output: {by: "<<execution.id>>"}
"""
BESIDE = """
name: root
steps:
  - {name: Sub, kind: orchestration, orchestration: child, parallelGroup: g}
  - {name: Check, kind: tool, tool: files.read, parallelGroup: g}
"""
ALONE = """
name: root
steps:
  - {name: Sub, kind: orchestration, orchestration: child}
  - {name: Check, kind: tool, tool: files.read}
"""


async def no(attempt: Attempt) -> Json:
    raise failed("TOOL_ERROR", "no", retryable=False)


async def start(*texts: str) -> UUID:
    """An execution of the last of these orchestrations."""
    names = [(await orchestrations.create(OPERATOR, document=yaml12.read(text))).name for text in texts]
    return (await executions.start(OPERATOR, orchestration=names[-1])).id


async def ended(engine: Engine, execution: UUID) -> executions.ExecutionDetail:
    async with engine.working(engine.worker()):
        return await engine.finished(execution)


async def children(parent: UUID) -> list[executions.Execution]:
    """The oldest first."""
    return (await executions.list_(OPERATOR, parent=parent)).items[::-1]


async def step(execution: UUID, path: str) -> executions.StepLog:
    return next(log for log in await executions.steps(OPERATOR, execution=execution) if log.path == path)


async def test_a_child_that_was_stopped_beside_a_failure_is_started_anew_and_not_waited_for(engine: Engine) -> None:
    began = engine.script.hold("Work")
    engine.script.hold("Check")
    engine.script.answers["Check"] = no
    origin = await start(CHILD, BESIDE)
    async with engine.working(engine.worker()):
        await began.wait()
        engine.script.release["Check"].set()
        assert (await engine.finished(origin)).status == "failed"
        (old,) = await children(origin)
        assert (await engine.finished(old.id)).status == "cancelled"
    engine.script.answers.clear()
    engine.script.release.clear()

    retried = await executions.retry(OPERATOR, execution=origin)
    found = await ended(engine, retried.id)

    assert found.status == "completed"
    (new,) = await children(retried.id)
    assert found.context["Sub"] == {"by": str(new.id)}
    assert new.id != old.id
    assert [one.id for one in await children(origin)] == [old.id]
    assert [event.execution for event in await engine.history(retried.id) if isinstance(event, ChildStarted)] == [
        new.id
    ]


async def test_a_child_that_had_completed_beside_a_failure_is_kept_and_still_shown(engine: Engine) -> None:
    engine.script.hold("Check")
    engine.script.answers["Check"] = no
    origin = await start(CHILD, BESIDE)
    async with engine.working(engine.worker()):
        await engine.until(origin, lambda found: "Sub" in found.context or found.steps_settled == 1)
        engine.script.release["Check"].set()
        assert (await engine.finished(origin)).status == "failed"
    (old,) = await children(origin)
    engine.script.answers.clear()

    retried = await executions.retry(OPERATOR, execution=origin)
    found = await ended(engine, retried.id)

    assert (found.status, found.context["Sub"]) == ("completed", {"by": str(old.id)})
    assert await children(retried.id) == []
    log = await step(retried.id, "Sub")
    assert (log.status, log.child) == ("completed", old.id)
    assert engine.script.attempts.count(("Work", 1)) == 1


async def test_what_failed_because_its_child_did_starts_a_new_one(engine: Engine) -> None:
    engine.script.answers["Work"] = no
    origin = await start(CHILD, ALONE)
    failure = await ended(engine, origin)
    engine.script.answers.clear()

    retried = await executions.retry(OPERATOR, execution=origin)
    found = await ended(engine, retried.id)

    assert failure.error is not None
    assert (failure.error.code, found.status) == ("CHILD_FAILED", "completed")
    ((old,), (new,)) = await children(origin), await children(retried.id)
    assert (old.status, new.status, new.restart_of) == ("failed", "completed", None)
    assert found.context["Sub"] == {"by": str(new.id)}


@pytest.mark.parametrize("bound", ["", "timeout: 3600000, "])
@pytest.mark.parametrize("is_given", [True, False])
async def test_a_step_that_is_settled_by_hand_stops_the_child_that_it_waits_for(
    engine: Engine, is_given: bool, bound: str
) -> None:
    began = engine.script.hold("Work")
    execution = await start(CHILD, ALONE.replace("kind: orchestration,", f"kind: orchestration, {bound}"))
    async with engine.working(engine.worker()):
        await began.wait()
        await engine.until(execution, lambda found: found.status == "waiting")
        if is_given:
            await executions.complete_step(OPERATOR, execution=execution, path="Sub", output="by hand")
        else:
            await executions.skip_step(OPERATOR, execution=execution, path="Sub")
        found = await engine.finished(execution)
        (child,) = await children(execution)
        stopped = await engine.finished(child.id)

    assert (found.status, found.context["Sub"]) == ("completed", "by hand" if is_given else None)
    assert (stopped.status, engine.script.stopped) == ("cancelled", ["Work"])
    assert StepOverridden(path="Sub", by="operator") in await engine.history(execution)


async def test_a_child_is_restarted_as_an_execution_of_its_own_that_calls_on(engine: Engine) -> None:
    engine.script.answers["Check"] = no
    middle, top = (
        ALONE.replace("name: root", "name: middle"),
        ALONE.replace("orchestration: child", "orchestration: middle"),
    )
    execution = await start(CHILD, middle, top)
    await ended(engine, execution)
    (origin,) = await children(execution)
    engine.script.answers.clear()

    whole = await executions.restart(OPERATOR, execution=origin.id)
    found = await ended(engine, whole.id)

    assert (origin.status, origin.orchestration, origin.parent) == ("failed", "middle", execution)
    assert (found.status, found.parent, found.restart_of) == ("completed", None, origin.id)
    (new,) = await children(whole.id)
    assert found.context["Sub"] == {"by": str(new.id)}
    depths = await engine.database.pool.fetch(
        "SELECT depth FROM execution WHERE id = ANY($1) ORDER BY depth", [whole.id, new.id]
    )
    assert [row["depth"] for row in depths] == [0, 1]
    # Nobody waited for it: the one that did has long failed.
    assert (await executions.get(OPERATOR, execution=execution)).status == "failed"


async def uncalled(engine: Engine) -> UUID:
    """An execution that has failed before it came to call a child, which has a role."""
    await roles.create(OPERATOR, name="Reader", base_prompt="Read.")
    reading = "name: child\nsteps: [{name: Work, kind: llm, roleName: Reader}]"
    engine.script.answers["First"] = no
    execution = await start(reading, ALONE.replace("steps:", "steps:\n  - {name: First, kind: tool, tool: files.read}"))
    await ended(engine, execution)
    return execution


async def test_what_calls_something_that_is_deleted_since_is_not_restarted(engine: Engine) -> None:
    execution = await uncalled(engine)
    await orchestrations.delete(OPERATOR, orchestration="child")
    await roles.delete(OPERATOR, role="Reader")

    with pytest.raises(Conflict, match="calls what is deleted: child; this needs a new start"):
        await executions.retry(OPERATOR, execution=execution)


async def test_a_role_of_what_is_called_has_to_be_there_too(engine: Engine) -> None:
    execution = await uncalled(engine)
    # Every guard is against it, so it takes an administrator who switches them off.
    await engine.database.pool.execute(
        "SET session_replication_role = replica; DELETE FROM role_version; RESET session_replication_role"
    )

    with pytest.raises(Conflict, match="was started with roles that are deleted: Reader"):
        await executions.retry(OPERATOR, execution=execution)
