"""The durable engine on a real database: claims, checkpoints, retries, cancels and deaths."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from asyncpg import Record

from services import executions
from services.caller import OPERATOR
from services.engine.core.events import (
    CancelRequested,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepNoted,
)
from services.engine.performer import Attempt
from services.engine.sql import statement
from services.engine.worker import WorkerSettings
from services.errors import Conflict, Unavailable
from services.failure import failed
from services.json import Json
from tests.engine.conftest import FAST, Engine
from tests.engine.plans import document_of, tool, transform
from tests.engine.play import document


async def test_an_execution_runs_to_its_end_and_its_journal_tells_how(engine: Engine) -> None:
    document = document_of(
        tool("A", parallel_group="g", order=1),
        tool("B", parallel_group="g", order=1),
        transform("C", {"both": "<<context.A>> and <<context.B>>"}, order=2),
        output={"said": "<<context.C.both>>"},
    )

    execution = await engine.start(document, {"topic": "x"})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (found.status, found.output) == ("completed", {"said": "A done and B done"})
    assert found.context["A"] == "A done"
    assert (found.steps_settled, found.steps_total) == (3, 3)
    kinds = [type(event) for event in await engine.history(execution)]
    assert kinds == [ExecutionStarted, StepCompleted, StepCompleted, StepCompleted, ExecutionCompleted]


async def test_a_failed_attempt_is_tried_again_and_holds_no_worker_meanwhile(engine: Engine) -> None:
    async def second_time(attempt: Attempt) -> Json:
        if attempt.number == 1:
            raise failed("TOOL_ERROR", "not yet")
        return "at last"

    engine.script.answers["A"] = second_time
    execution = await engine.start(document_of(tool("A", max_retries=1, retry_delay=300)))
    async with engine.working(engine.worker()):
        parked = await engine.until(execution, lambda found: found.status == "waiting")
        found = await engine.finished(execution)

    assert parked.steps_settled == 0
    assert found.output == {"input": {}, "A": "at last"}
    assert engine.script.attempts == [("A", 1), ("A", 2)]
    (log,) = await executions.steps(OPERATOR, execution=execution)
    assert (log.status, log.attempts, log.error) == ("completed", 2, None)


async def test_an_attempt_that_takes_too_long_is_stopped(engine: Engine) -> None:
    engine.script.hold("A")
    execution = await engine.start(document_of(tool("A", timeout=50)))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "failed"
    assert found.error is not None
    assert found.error.code == "TIMEOUT"
    assert engine.script.stopped == ["A"]


async def test_what_nobody_foresaw_fails_the_step_and_nothing_else(engine: Engine) -> None:
    async def explode(attempt: Attempt) -> Json:
        raise ZeroDivisionError("secret detail")

    engine.script.answers["A"] = explode
    bad = await engine.start(document_of(tool("A")))
    good = await executions.start(OPERATOR, orchestration="flow", input={})
    engine.script.answers["A"] = lambda attempt: explode(attempt) if attempt.execution == bad else _said("fine")
    async with engine.working(engine.worker()):
        found = await engine.finished(bad)
        other = await engine.finished(good.id)

    assert found.error is not None
    assert (found.error.code, "secret" in found.error.message) == ("INTERNAL", False)
    assert other.status == "completed"


async def _said(text: str) -> Json:
    return text


async def test_a_performer_that_cancels_itself_fails_its_step(engine: Engine) -> None:
    async def cancel_itself(attempt: Attempt) -> Json:
        raise asyncio.CancelledError

    engine.script.answers["A"] = cancel_itself
    execution = await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert found.error.code == "INTERNAL"


@pytest.mark.parametrize(
    ("output", "code"),
    [("nul \0 in it", "OUTPUT_INVALID"), ("x" * 1_100_000, "CONTEXT_TOO_LARGE"), ("\ud800", "OUTPUT_INVALID")],
)
async def test_an_output_that_the_database_cannot_keep_fails_the_step(engine: Engine, output: str, code: str) -> None:
    engine.script.answers["A"] = lambda _: _said(output)
    execution = await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert found.error.code == code


async def test_a_cancel_stops_what_runs_and_starts_nothing_more(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    async with engine.working(engine.worker()):
        await began.wait()
        await executions.cancel(OPERATOR, execution=execution, reason="enough")
        found = await engine.finished(execution)

    assert found.status == "cancelled"
    assert found.error is not None
    assert (found.error.code, found.error.message) == ("CANCELLED", "enough")
    assert engine.script.attempts == [("A", 1)]
    assert engine.script.stopped == ["A"]
    assert (await engine.history(execution))[1:] == [
        CancelRequested(by="operator", reason="enough"),
        StepCancelled(path="A", attempt=1),
        ExecutionCancelled(reason="enough"),
    ]


async def test_an_execution_that_nobody_has_claimed_is_cancelled_without_starting(engine: Engine) -> None:
    execution = await engine.start(document_of(tool("A")))
    await executions.cancel(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "cancelled"
    assert engine.script.attempts == []


async def test_an_execution_that_waits_for_its_retry_is_cancelled_at_once(engine: Engine) -> None:
    async def never(attempt: Attempt) -> Json:
        raise failed("TOOL_ERROR", "no")

    engine.script.answers["A"] = never
    execution = await engine.start(document_of(tool("A", max_retries=3, retry_delay=3_600_000)))
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
        await executions.cancel(OPERATOR, execution=execution)
        found = await engine.finished(execution)

    assert found.status == "cancelled"
    assert engine.script.attempts == [("A", 1)]


async def test_an_execution_whose_worker_died_is_finished_by_another(engine: Engine) -> None:
    began = engine.script.hold("B")
    execution = await engine.start(document_of(tool("A"), tool("B"), tool("C")))
    dying = asyncio.create_task(engine.worker().run())
    await began.wait()
    dying.cancel()  # as if killed: nothing is handed back, its connections just close
    await asyncio.gather(dying, return_exceptions=True)
    engine.script.release.clear()

    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.status == "completed"
    assert engine.script.attempts == [("A", 1), ("B", 1), ("B", 1), ("C", 1)]


async def test_a_stopped_worker_hands_back_what_it_cannot_finish(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    first = engine.worker()
    working = asyncio.create_task(first.run())
    await began.wait()
    first.stop()
    engine.script.release["A"].set()
    await working

    handed_back = await executions.get(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert (handed_back.status, handed_back.steps_settled) == ("queued", 1)
    assert found.status == "completed"
    assert engine.script.attempts == [("A", 1), ("B", 1)]
    assert await engine.database.pool.fetchval("SELECT count(*) FROM worker") == 0


async def test_a_worker_that_was_taken_for_dead_writes_nothing_more(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    stale = asyncio.create_task(engine.worker(settings=WorkerSettings(heartbeat_seconds=3600, poll_seconds=3600)).run())
    await began.wait()
    # Its heartbeat is too old now, though its process lives.
    await engine.database.pool.execute("UPDATE worker SET heartbeat_at = now() - interval '1 hour'")
    other: list[tuple[str, UUID]] = []

    async def perform(attempt: Attempt) -> Json:
        other.append((attempt.step.name, attempt.execution))
        return f"{attempt.step.name} by the other"

    async with engine.working(engine.worker(perform)):
        found = await engine.finished(execution)
        before = await engine.history(execution)
        engine.script.release["A"].set()
        stale_answered = asyncio.create_task(_until_reaped(engine))
        await stale_answered

    stale.cancel()
    await asyncio.gather(stale, return_exceptions=True)
    assert found.output == {"input": {}, "A": "A by the other", "B": "B by the other"}
    assert other == [("A", execution), ("B", execution)]
    assert await engine.history(execution) == before
    assert engine.script.attempts == [("A", 1)]


async def _until_reaped(engine: Engine) -> None:
    """Until the stale worker has noticed: it registers again, so there are two workers."""
    async with asyncio.timeout(10):
        while await engine.database.pool.fetchval("SELECT count(*) FROM worker") < 2:
            pass


async def test_notes_survive_the_death_of_a_worker(engine: Engine) -> None:
    seen: list[list[Json]] = []
    died = asyncio.Event()

    async def perform(attempt: Attempt) -> Json:
        seen.append(list(attempt.notes))
        if not attempt.notes:
            await attempt.keep({"call": 1})
            died.set()
            await asyncio.Event().wait()
        return "done"

    execution = await engine.start(document_of(tool("A")))
    dying = asyncio.create_task(engine.worker(perform).run())
    await died.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    async with engine.working(engine.worker(perform)):
        await engine.finished(execution)

    assert seen == [[], [{"call": 1}]]
    assert (await engine.history(execution))[1] == StepNoted(path="A", attempt=1, note={"call": 1})


async def test_the_database_may_go_away_in_between(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A"), tool("B")))
    async with engine.working(engine.worker()):
        await began.wait()
        await engine.database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        engine.script.release["A"].set()
        found = await engine.finished(execution)

    assert found.status == "completed"


async def test_two_workers_share_the_work_and_do_nothing_twice(engine: Engine) -> None:
    document = document_of(tool("A"), tool("B"), tool("C"))
    first = await engine.start(document)
    more = [(await executions.start(OPERATOR, orchestration="flow", input={"n": n})).id for n in range(40)]
    settings = WorkerSettings(poll_seconds=0.1, claim_at_once=3)
    async with engine.working(engine.worker(settings=settings), engine.worker(settings=settings)):
        for execution in [first, *more]:
            assert (await engine.finished(execution)).status == "completed"

    assert len(engine.script.attempts) == 41 * 3


async def test_thousands_of_events_leave_nothing_owned_and_nothing_due(engine: Engine) -> None:
    first = await engine.start(document_of(*(tool(f"S{n}") for n in range(30))))
    async with engine.working(engine.worker(settings=FAST)):
        await asyncio.gather(
            *(executions.start(OPERATOR, orchestration="flow", input={"n": n}) for n in range(50)),
        )
        async with asyncio.timeout(60):
            while await engine.database.pool.fetchval("SELECT count(*) FROM execution WHERE finished_at IS NULL"):
                pass

    rows = await engine.database.pool.fetchrow(
        "SELECT count(*) FILTER (WHERE status = 'completed') AS done, count(owner) AS owned, count(available_at) AS due"
        " FROM execution"
    )
    assert dict(rows) == {"done": 51, "owned": 0, "due": 0}
    assert await engine.database.pool.fetchval("SELECT count(*) FROM journal") == 51 * 32
    assert len(await engine.history(first)) == 32


async def test_a_step_that_failed_says_why_in_its_log(engine: Engine) -> None:
    async def refuse(attempt: Attempt) -> Json:
        raise failed("TOOL_ERROR", "the folder is closed")

    engine.script.answers["B"] = refuse
    execution = await engine.start(document_of(tool("A"), tool("B"), tool("C")))
    async with engine.working(engine.worker()):
        await engine.finished(execution)

    logs = await executions.steps(OPERATOR, execution=execution)
    assert [(log.name, log.status) for log in logs] == [("A", "completed"), ("B", "failed"), ("C", "pending")]
    assert logs[1].error is not None
    assert logs[1].error.message == "the folder is closed"
    assert [type(event) for event in await engine.history(execution)][2] is StepFailed


async def test_what_a_failure_quotes_is_made_storable(engine: Engine) -> None:
    async def quote(attempt: Attempt) -> Json:
        raise failed("TOOL_ERROR", "they said \0 and \ud800", retryable=False)

    engine.script.answers["A"] = quote
    execution = await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.error is not None
    assert found.error.message == "they said \N{REPLACEMENT CHARACTER} and ?"


async def test_text_that_only_speaks_of_a_nul_is_kept(engine: Engine) -> None:
    engine.script.answers["A"] = lambda _: _said(r"write \u0000 for NUL")
    execution = await engine.start(document_of(tool("A"), output={"said": "<<context.A>>"}))
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.output == {"said": r"write \u0000 for NUL"}


async def test_an_attempt_that_meets_a_lost_database_goes_on_from_its_notes(engine: Engine) -> None:
    seen: list[tuple[int, list[Json]]] = []

    async def perform(attempt: Attempt) -> Json:
        seen.append((attempt.number, list(attempt.notes)))
        if len(seen) == 1:
            await attempt.keep("first half")
            raise Unavailable("the database is restarting")
        return "done"

    execution = await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker(perform)):
        found = await engine.finished(execution)

    assert found.status == "completed"
    assert seen == [(1, []), (1, ["first half"])]


async def test_a_journal_that_cannot_be_read_stops_its_own_execution_only(engine: Engine) -> None:
    bad = await engine.start(document_of(tool("A")))
    good = (await executions.start(OPERATOR, orchestration="flow", input={"n": 1})).id
    await engine.database.pool.execute(
        "WITH touched AS (UPDATE execution SET wake_seq = wake_seq + 1 WHERE id = $1 RETURNING id)"
        " INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'x', $2 FROM touched",
        bad,
        '{"event": "from_the_future"}',
    )
    settings = replace(FAST, put_off_seconds=3600)
    async with engine.working(engine.worker(settings=settings)):
        assert (await engine.finished(good)).status == "completed"
        with pytest.raises(Conflict, match="cannot read"):
            await executions.get(OPERATOR, execution=bad)

    status = await engine.database.pool.fetchval("SELECT status FROM execution WHERE id = $1", bad)
    assert status == "queued"


async def test_whatever_stands_in_the_inbox_a_cancel_counts_and_the_rest_is_passed_over(engine: Engine) -> None:
    began = engine.script.hold("A")
    execution = await engine.start(document_of(tool("A")))
    async with engine.working(engine.worker()):
        await began.wait()
        for kind, payload in (("nonsense", "[1]"), ("cancel", '"no object"')):
            await engine.database.pool.execute(statement("post"), execution, kind, payload, "anna")
        found = await engine.finished(execution)

    assert found.status == "cancelled"
    assert await engine.database.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_an_execution_that_nobody_can_go_on_with_can_be_cancelled(engine: Engine) -> None:
    execution = await engine.start(document_of(tool("A")))
    await engine.database.pool.execute(
        "WITH touched AS (UPDATE execution SET wake_seq = wake_seq + 1 WHERE id = $1 RETURNING id)"
        " INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'x', $2 FROM touched",
        execution,
        '{"event": "from_the_future"}',
    )
    await executions.cancel(OPERATOR, execution=execution)
    async with engine.working(engine.worker()):
        async with asyncio.timeout(10):
            while (row := await _row(engine, execution))["finished_at"] is None:
                pass

    assert row["status"] == "cancelled"


async def _row(engine: Engine, execution: UUID) -> Record:
    row = await engine.database.pool.fetchrow("SELECT status, finished_at FROM execution WHERE id = $1", execution)
    assert row is not None
    return row


async def test_a_long_turn_is_committed_in_parts(engine: Engine) -> None:
    text = """
    output: {total: "<<context.Each.total>>"}
    steps:
      - name: Each
        kind: map
        items: "<<input.items>>"
        maxItems: 400
        onItemError: drop
        steps:
          - {name: Copy, kind: transform, inputMapping: {text: "<<input.text>>"}}
          - {name: Small, kind: transform, inputMapping: {n: 1}}
    """
    execution = await engine.start(document(text), input={"items": list(range(400)), "text": "x" * 100_000})
    async with engine.working(engine.worker()):
        found = await engine.finished(execution)

    assert found.output == {"total": 400}
    commits = await engine.database.pool.fetch(
        "SELECT sum(length(payload)) AS bytes FROM journal WHERE execution_id = $1 GROUP BY xmin::text", execution
    )
    assert len(commits) > 10
    assert max(row["bytes"] for row in commits) < 4 * 1024 * 1024
