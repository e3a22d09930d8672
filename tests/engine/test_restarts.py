"""Restarting and retrying finished executions, through the durable engine."""

import asyncio
import time
from uuid import UUID, uuid4

import pytest

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.definitions.document import as_json
from services.engine.core.events import ExecutionRestarted, StepCancelled, StepCompleted
from services.engine.performer import Attempt
from services.errors import Conflict, Invalid, NotFound
from services.failure import failed
from services.json import Json
from tests.engine.conftest import Engine
from tests.engine.play import document

FLOW = """
input: {type: object, properties: {topic: {type: string}, tone: {default: kind}}, required: [topic]}
steps:
  - {name: Fetch, kind: tool, tool: files.read}
  - {name: Check, kind: tool, tool: files.read, inputMapping: {text: "<<context.Fetch>>"}}
  - {name: Publish, kind: tool, tool: files.read, inputMapping: {about: "<<input.topic>>", tone: "<<input.tone>>"}}
output: {checked: "<<context.Check>>", published: "<<context.Publish>>"}
"""
GROUP = """
steps:
  - {name: A, kind: tool, tool: files.read, parallelGroup: g}
  - {name: B, kind: tool, tool: files.read, parallelGroup: g}
  - {name: C, kind: tool, tool: files.read, parallelGroup: g}
  - {name: D, kind: tool, tool: files.read}
"""


async def no(attempt: Attempt) -> Json:
    raise failed("TOOL_ERROR", "no", retryable=False)


async def echo(attempt: Attempt) -> Json:
    return attempt.input


async def ended(engine: Engine, execution: UUID) -> executions.ExecutionDetail:
    """The execution, worked off to its end."""
    async with engine.working(engine.worker()):
        return await engine.finished(execution)


async def test_a_retry_does_what_failed_and_what_follows_and_nothing_else(engine: Engine) -> None:
    engine.script.answers["Check"] = no
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    failure = await ended(engine, origin)
    engine.script.answers["Check"] = echo
    engine.script.attempts.clear()

    retried = await executions.retry(OPERATOR, execution=origin)
    found = await ended(engine, retried.id)

    assert (failure.status, failure.restart_of) == ("failed", None)
    assert (retried.status, retried.restart_of, retried.input) == ("queued", origin, {"topic": "tea", "tone": "kind"})
    assert (found.status, found.output) == (
        "completed",
        {"checked": {"text": "Fetch done"}, "published": "Publish done"},
    )
    assert engine.script.attempts == [("Check", 1), ("Publish", 1)]
    assert (await executions.get(OPERATOR, execution=origin)).status == "failed"
    assert [one.id for one in (await executions.list_(OPERATOR, restart_of=origin)).items] == [retried.id]
    logs = await executions.steps(OPERATOR, execution=retried.id)
    assert [(log.path, log.status, log.attempts) for log in logs] == [
        (name, "completed", 1) for name in ("Fetch", "Check", "Publish")
    ]


async def test_a_restart_sees_its_own_id_input_and_context(engine: Engine) -> None:
    text = FLOW.replace("{text: ", "{id: <<execution.id>>, text: ")
    engine.script.answers |= {"Check": echo, "Publish": echo}
    origin = await engine.start(document(text), {"topic": "tea"})
    await ended(engine, origin)

    restarted = await executions.restart(
        OPERATOR, execution=origin, from_="Check", input={"topic": "coffee"}, context={"Fetch": "read by hand"}
    )
    before = await executions.steps(OPERATOR, execution=restarted.id)
    found = await ended(engine, restarted.id)

    assert restarted.input == found.input == {"topic": "coffee", "tone": "kind"}
    assert found.output == {
        "checked": {"id": str(restarted.id), "text": "read by hand"},
        "published": {"about": "coffee", "tone": "kind"},
    }
    assert before[1].input == {"id": str(restarted.id), "text": "read by hand"}
    event = (await engine.history(restarted.id))[2]
    assert isinstance(event, ExecutionRestarted)
    assert (event.restart_of, event.path, event.by) == (origin, "Check", "operator")


async def test_a_restart_from_the_beginning_does_everything_anew(engine: Engine) -> None:
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, origin)
    engine.script.attempts.clear()

    restarted = await executions.restart(OPERATOR, execution=origin)
    found = await ended(engine, restarted.id)

    assert (found.status, found.input) == ("completed", {"topic": "tea", "tone": "kind"})
    assert engine.script.attempts == [("Fetch", 1), ("Check", 1), ("Publish", 1)]


async def test_a_retry_keeps_what_worked_beside_the_failure_and_tries_the_rest_again(engine: Engine) -> None:
    engine.script.answers["B"] = no
    engine.script.hold("C")
    engine.script.hold("B")
    origin = await engine.start(document(GROUP))
    async with engine.working(engine.worker()):
        await engine.until(origin, lambda found: "A" in dict(engine.script.attempts) and bool(found.started_at))
        async with asyncio.timeout(10):
            while StepCompleted not in {type(event) for event in await engine.history(origin)}:
                pass
        engine.script.release["B"].set()
        assert (await engine.finished(origin)).status == "failed"
    assert StepCancelled(path="C", attempt=1) in await engine.history(origin)
    del engine.script.answers["B"]
    engine.script.release.clear()
    engine.script.attempts.clear()

    found = await ended(engine, (await executions.retry(OPERATOR, execution=origin)).id)

    assert found.status == "completed"
    assert sorted(engine.script.attempts) == [("B", 1), ("C", 1), ("D", 1)]


async def test_a_cancelled_execution_is_retried_from_what_was_under_way(engine: Engine) -> None:
    began = engine.script.hold("Check")
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.cancel(OPERATOR, execution=origin)
        await engine.finished(origin)
    engine.script.release.clear()
    engine.script.attempts.clear()

    found = await ended(engine, (await executions.retry(OPERATOR, execution=origin)).id)

    assert found.status == "completed"
    assert engine.script.attempts == [("Check", 1), ("Publish", 1)]


async def test_a_timed_out_execution_is_retried_with_its_time_before_it_again(engine: Engine) -> None:
    engine.script.hold("Check")
    origin = await engine.start(document("limits: {timeoutMs: 200}\n" + FLOW), {"topic": "tea"})
    timed_out = await ended(engine, origin)
    engine.script.release.clear()
    engine.script.attempts.clear()

    found = await ended(engine, (await executions.retry(OPERATOR, execution=origin)).id)

    assert (timed_out.status, found.status) == ("timed_out", "completed")
    assert engine.script.attempts == [("Check", 1), ("Publish", 1)]


async def test_a_restart_is_restarted_and_what_the_first_has_changed_stays_changed(engine: Engine) -> None:
    engine.script.answers |= {"Check": echo, "Publish": no}
    first = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, first)
    second = await executions.restart(
        OPERATOR, execution=first, from_="Check", input={"topic": "coffee"}, context={"Fetch": "by hand"}
    )
    await ended(engine, second.id)
    engine.script.answers["Publish"] = echo

    third = await executions.retry(OPERATOR, execution=second.id)
    fourth = await executions.restart(OPERATOR, execution=second.id, from_="Fetch")

    assert (await ended(engine, third.id)).output == {
        "checked": {"text": "by hand"},
        "published": {"about": "coffee", "tone": "kind"},
    }
    # Fetch is done anew, so it is not by hand any more; the input is that of the restarted execution.
    assert (await ended(engine, fourth.id)).output == {
        "checked": {"text": "Fetch done"},
        "published": {"about": "coffee", "tone": "kind"},
    }
    assert third.input == fourth.input == {"topic": "coffee", "tone": "kind"}


async def test_a_restart_whose_worker_is_killed_goes_on_from_its_own_history(engine: Engine) -> None:
    engine.script.answers["Check"] = no
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, origin)
    del engine.script.answers["Check"]
    engine.script.attempts.clear()
    began = engine.script.hold("Publish")
    retried = await executions.retry(OPERATOR, execution=origin)
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    dying.cancel()  # as if killed: its connections just close
    await asyncio.gather(dying, return_exceptions=True)
    engine.script.release.clear()

    found = await ended(engine, retried.id)

    assert found.status == "completed"
    assert engine.script.attempts == [("Check", 1), ("Publish", 1), ("Publish", 1)]


async def test_the_same_key_restarts_once_also_at_the_same_time(engine: Engine) -> None:
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, origin)

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(executions.restart(OPERATOR, execution=origin, from_="Check", idempotency_key="k"))
            for _ in range(8)
        ]

    assert len({task.result().id for task in tasks}) == 1
    with pytest.raises(Conflict, match="idempotency key 'k' was used for another request"):
        await executions.restart(OPERATOR, execution=origin, from_="Publish", idempotency_key="k")


async def test_what_cannot_be_restarted_says_why_and_what_can_be_done(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await executions.restart(OPERATOR, execution=uuid4())
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    with pytest.raises(Conflict, match="is queued; this needs one that has finished"):
        await executions.restart(OPERATOR, execution=origin)
    await ended(engine, origin)

    with pytest.raises(Conflict, match=r"is completed; .*`execution\.restart` runs a completed one again"):
        await executions.retry(OPERATOR, execution=origin)
    with pytest.raises(Invalid) as refusal:
        await executions.restart(OPERATOR, execution=origin, from_="Chek")
    (problem,) = refusal.value.problems
    assert (problem.code, problem.path, problem.suggestion) == ("UNKNOWN_PATH", "/from", "Check")
    assert problem.allowed == ("Fetch", "Check", "Publish")
    with pytest.raises(Invalid) as refusal:
        await executions.restart(OPERATOR, execution=origin, from_="Check", input={"topic": 3})
    assert [problem.path for problem in refusal.value.problems] == ["/input/topic"]


@pytest.mark.parametrize(
    ("from_", "context", "path", "said"),
    [
        ("Check", {"Fetsch": 1}, "/context/Fetsch", "by then there is no 'Fetsch'"),
        ("Check", {"Publish": 1}, "/context/Publish", "by then there is no 'Publish'"),
        ("Check", {"input": {}}, "/context/input", "the input is given as `input`"),
        ("Check", {"Fetch": "nul \0 in it"}, "/context", "NUL"),
        ("Check", {"Fetch": "x" * 2_000}, "/context", "up to 1,024 are kept"),
        (None, {"Fetch": 1}, "/context/Fetch", "by then there is no 'Fetch'"),
    ],
)
async def test_a_context_that_cannot_be_is_refused_at_its_place(
    engine: Engine, from_: str | None, context: dict[str, Json], path: str, said: str
) -> None:
    origin = await engine.start(document("limits: {maxContextBytes: 1024}\n" + FLOW), {"topic": "tea"})
    await ended(engine, origin)

    with pytest.raises(Invalid) as refusal:
        await executions.restart(OPERATOR, execution=origin, from_=from_, context=context)

    (problem,) = refusal.value.problems
    assert problem.path == path
    assert said in problem.message


async def test_when_every_step_was_done_there_is_nothing_to_retry(engine: Engine) -> None:
    text = "output: {n: {$expr: input.a + 1}}\nsteps: [{name: A, kind: tool, tool: files.read}]"
    origin = await engine.start(document(text), {"a": "text"})
    assert (await ended(engine, origin)).status == "failed"

    with pytest.raises(Conflict, match=r"has no step to retry.*`execution\.restart`"):
        await executions.retry(OPERATOR, execution=origin)
    restarted = await executions.restart(OPERATOR, execution=origin, from_="A", input={"a": 1})
    assert (await ended(engine, restarted.id)).output == {"n": 2}


async def test_what_belongs_to_the_end_is_not_restarted_from(engine: Engine) -> None:
    text = FLOW + "finally: [{name: Close, kind: tool, tool: files.read}]"
    engine.script.answers["Check"] = no
    origin = await engine.start(document(text), {"topic": "tea"})
    await ended(engine, origin)

    with pytest.raises(Invalid, match="what belongs to the end is done anew"):
        await executions.restart(OPERATOR, execution=origin, from_="Close")
    del engine.script.answers["Check"]
    found = await ended(engine, (await executions.retry(OPERATOR, execution=origin)).id)
    assert found.status == "completed"
    assert engine.script.attempts.count(("Close", 1)) == 2


async def test_a_version_that_cannot_be_started_cannot_be_restarted(engine: Engine) -> None:
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, origin)
    await orchestrations.update(OPERATOR, orchestration="flow", changes={"description": "newer"})

    older = await executions.restart(OPERATOR, execution=origin, from_="Check")
    await orchestrations.update(OPERATOR, orchestration="flow", is_active=False)
    with pytest.raises(Conflict, match="orchestration 'flow' is inactive; this needs an active one"):
        await executions.restart(OPERATOR, execution=origin)
    await orchestrations.update(OPERATOR, orchestration="flow", is_active=True)
    await engine.database.pool.execute("UPDATE orchestration_version SET status = 'archived' WHERE number = 1")
    with pytest.raises(Conflict, match="version 1 of orchestration 'flow' is archived; this needs a published one"):
        await executions.restart(OPERATOR, execution=origin)

    assert older.version == 1


async def test_a_role_that_was_assigned_and_is_deleted_since_is_named(engine: Engine) -> None:
    for name in ("Writer", "Other"):
        await roles.create(OPERATOR, name=name, base_prompt="Write.")
    text = "steps: [{name: A, kind: llm, roleName: Writer}]"
    await orchestrations.create(OPERATOR, document=as_json(document(text)))
    origin = await executions.start(OPERATOR, orchestration="flow", role_assignments={"A": "Other"})
    await executions.cancel(OPERATOR, execution=origin.id)
    await ended(engine, origin.id)
    again = await executions.retry(OPERATOR, execution=origin.id)
    await executions.cancel(OPERATOR, execution=again.id)
    await ended(engine, again.id)
    await roles.delete(OPERATOR, role="Other")

    with pytest.raises(Conflict, match="was started with roles that are deleted: Other"):
        await executions.retry(OPERATOR, execution=origin.id)


async def test_a_journal_that_cannot_be_read_cannot_be_restarted(engine: Engine) -> None:
    origin = await engine.start(document(FLOW), {"topic": "tea"})
    await ended(engine, origin)
    async with engine.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE journal DISABLE TRIGGER USER")
        await connection.execute(
            'UPDATE journal SET payload = \'{"event": "from_the_future"}\' WHERE execution_id = $1 AND seq = 2', origin
        )

    with pytest.raises(Conflict, match="cannot read"):
        await executions.restart(OPERATOR, execution=origin, from_="Check")


async def test_an_execution_that_was_never_started_properly_cannot_be_restarted(engine: Engine) -> None:
    started = await engine.start(document(FLOW), {"topic": "tea"})
    by_hand = await engine.database.pool.fetchval(
        "INSERT INTO execution (id, version_id, input, started_by)"
        " SELECT gen_random_uuid(), version_id, input, started_by FROM execution WHERE id = $1 RETURNING id",
        started,
    )
    await engine.database.pool.execute(
        "WITH ended AS (UPDATE execution SET status = 'failed', available_at = NULL, finished_at = now()"
        " WHERE id = $1 RETURNING id) INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 1,"
        ' \'execution_failed\', \'{"event": "execution_failed", "failure": {"code": "X", "message": "",'
        ' "retryable": false}}\' FROM ended',
        by_hand,
    )

    with pytest.raises(Conflict, match="has no start in its journal"):
        await executions.restart(OPERATOR, execution=by_hand)
    with pytest.raises(Conflict, match="has no step to retry"):
        await executions.retry(OPERATOR, execution=by_hand)


async def test_a_long_execution_is_restarted_near_its_end_in_reasonable_time(engine: Engine) -> None:
    # What the core does by itself costs no commit, and is history as well.
    made = "".join(f"      - {{name: S{n}, kind: transform, inputMapping: {{n: <<loop.index>>}}}}\n" for n in range(9))
    text = (
        "steps:\n  - name: Rounds\n    kind: loop\n    maxIterations: 999\n    steps:\n"
        f"      - {{name: Ask, kind: tool, tool: files.read}}\n{made}"
    )

    async def ask(attempt: Attempt) -> Json:
        if attempt.path == "Rounds[900]/Ask" and is_failing:
            raise failed("TOOL_ERROR", "no", retryable=False)
        return 1

    is_failing = True
    engine.script.answers["Ask"] = ask
    origin = await engine.start(document(text))
    async with engine.working(engine.worker()):
        await _until_newest(engine, "failed")
    is_failing = False
    engine.script.attempts.clear()
    began = time.perf_counter()
    retried = await executions.retry(OPERATOR, execution=origin)
    took = time.perf_counter() - began
    async with engine.working(engine.worker()):
        await _until_newest(engine, "completed")

    assert took < 10
    assert engine.script.attempts == [("Ask", 1)] * 99
    assert (
        await engine.database.pool.fetchval("SELECT count(*) FROM journal WHERE execution_id = $1", retried.id) > 10_000
    )


async def _until_newest(engine: Engine, status: str) -> None:
    """Until the newest execution has that status. Its steps are too many to be traced again and again."""
    async with asyncio.timeout(100):
        while (await executions.list_(OPERATOR, limit=1)).items[0].status != status:
            pass
