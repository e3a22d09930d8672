"""Retrying what a filter means, through the durable engine."""

import asyncio
from uuid import UUID

import asyncpg
import msgspec
import pytest

from db.connection import connect
from services import executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.definitions.document import as_json
from services.engine.performer import Attempt
from services.errors import Forbidden, Invalid, NotFound
from services.executions import ExecutionFilter, NotRetried
from services.failure import failed
from services.json import Json
from services.principal import Principal
from tests.engine.conftest import Engine
from tests.engine.play import document

FLOWS = ExecutionFilter(orchestration="flow")
TWO = document("steps: [{name: A, kind: tool, tool: files.read}, {name: B, kind: tool, tool: files.read}]")
RESTARTS = "SELECT forked_from FROM execution WHERE forked_from IS NOT NULL ORDER BY id"
# An event that nobody can have written: inside a frame that was never entered.
STRANGE = """
UPDATE journal SET payload = '{"event": "step_failed", "path": "[/[/", "attempt": 1,
  "failure": {"code": "X", "message": "", "retryable": false}}' WHERE execution_id = $1 AND seq = 2
"""
# As many as there are, each cancelled before it began.
BULK = """
WITH begun AS (
  INSERT INTO execution (id, version_id, input, started_by)
  SELECT lpad(to_hex(n), 32, '0')::uuid, version_id, input, started_by
  FROM execution, generate_series(1, $2::int) AS n WHERE execution.id = $1
  RETURNING id
)
INSERT INTO journal (execution_id, seq, kind, payload)
SELECT begun.id, 1, kind, payload FROM begun, journal WHERE execution_id = $1
"""
END = """
WITH done AS (
  UPDATE execution SET status = 'cancelled', available_at = NULL, finished_at = clock_timestamp()
  WHERE finished_at IS NULL RETURNING id
)
INSERT INTO journal (execution_id, seq, kind, payload)
SELECT id, 2, 'execution_cancelled', '{"event": "execution_cancelled"}' FROM done
"""


async def no(attempt: Attempt) -> Json:
    raise failed("TOOL_ERROR", "no", retryable=False)


async def another() -> UUID:
    return (await executions.start(OPERATOR, orchestration="flow")).id


async def ended(engine: Engine, *ids: UUID) -> list[str]:
    """How they end, worked off."""
    async with engine.working(engine.worker()):
        return [(await engine.finished(id)).status for id in ids]


async def broken(engine: Engine, count: int) -> list[UUID]:
    """Executions of TWO that have failed at B, the oldest first. From now on B works."""
    engine.script.answers["B"] = no
    ids = [await engine.start(TWO), *[await another() for _ in range(count - 1)]]
    assert set(await ended(engine, *ids)) == {"failed"}
    engine.script.answers.clear()
    engine.script.attempts.clear()
    return ids


async def restarted(engine: Engine) -> list[UUID]:
    """What was restarted, in the order of the new executions."""
    return [row[0] for row in await engine.database.pool.fetch(RESTARTS)]


async def ends_of_restarts(engine: Engine, *origins: UUID) -> list[str]:
    news = [one.id for origin in origins for one in (await executions.list_(OPERATOR, restart_of=origin)).items]
    return await ended(engine, *news)


def counts(done: executions.Retried) -> tuple[int, int, int, int]:
    return done.matched, done.skipped, done.restarted, done.refused


async def test_what_did_not_complete_is_retried_and_a_second_call_does_nothing(engine: Engine) -> None:
    failures = await broken(engine, 2)
    completed = await another()
    assert await ended(engine, completed) == ["completed"]
    cancelled = await another()
    await executions.cancel(OPERATOR, execution=cancelled)
    assert await ended(engine, cancelled) == ["cancelled"]
    open_ = await another()
    engine.script.attempts.clear()

    first = await executions.retry_many(OPERATOR, filter=FLOWS)
    second = await executions.retry_many(OPERATOR, filter=FLOWS)

    assert (counts(first), first.dry_run, first.first_refused) == ((3, 0, 3, 0), False, ())
    assert first.first_ids == (*failures, cancelled)
    assert (counts(second), second.first_ids) == ((3, 3, 0, 0), ())
    assert sorted(await restarted(engine)) == [*failures, cancelled]
    assert await ends_of_restarts(engine, *failures, cancelled) == ["completed"] * 3
    # Of those that failed only B is done; the cancelled one had not begun, and neither had the last.
    assert await ended(engine, open_) == ["completed"]
    assert sorted(engine.script.attempts) == [("A", 1)] * 2 + [("B", 1)] * 4


async def test_a_dry_run_says_which_would_be_retried(engine: Engine) -> None:
    first, second, third = await broken(engine, 3)
    await executions.retry(OPERATOR, execution=second)

    done = await executions.retry_many(OPERATOR, filter=ExecutionFilter(status="failed"), dry_run=True)

    assert (counts(done), done.dry_run, done.first_ids) == ((3, 1, 0, 0), True, (first, third))
    assert await restarted(engine) == [second]


async def test_of_a_chain_of_retries_the_last_goes_on_and_again_means_every_one(engine: Engine) -> None:
    (origin,) = await broken(engine, 1)
    engine.script.answers["B"] = no
    retried = await executions.retry(OPERATOR, execution=origin)
    await ended(engine, retried.id)

    done = await executions.retry_many(OPERATOR, filter=FLOWS)
    every = await executions.retry_many(OPERATOR, filter=FLOWS, again=True)

    assert (counts(done), done.first_ids) == ((2, 1, 1, 0), (retried.id,))
    assert (counts(every), every.first_ids) == ((2, 0, 2, 0), (origin, retried.id))
    assert sorted(await restarted(engine)) == [origin, origin, retried.id, retried.id]


async def test_children_are_left_to_their_parents_but_for_those_that_go_on_alone(engine: Engine) -> None:
    await engine.start(TWO)
    sub: Json = {"name": "Sub", "kind": "orchestration", "orchestration": "flow"}
    steps: Json = [{**sub, "name": "Alone", "wait": False}, sub]
    await orchestrations.create(OPERATOR, document={"name": "family", "steps": steps})
    engine.script.answers["B"] = no
    parent = (await executions.start(OPERATOR, orchestration="family")).id
    await ended(engine, parent)
    waited, detached = (await executions.list_(OPERATOR, parent=parent)).items
    await ended(engine, detached.id)
    engine.script.answers.clear()

    done = await executions.retry_many(OPERATOR, filter=ExecutionFilter(ids=(parent, waited.id, detached.id)))

    assert (counts(done), done.first_ids) == ((2, 0, 2, 0), (parent, detached.id))
    assert await ends_of_restarts(engine, parent, detached.id) == ["completed", "completed"]
    (retried,) = (await executions.list_(OPERATOR, restart_of=parent)).items
    (new,) = (await executions.list_(OPERATOR, parent=retried.id)).items
    assert (new.status, new.restart_of) == ("completed", None)


async def test_what_cannot_be_retried_is_told_and_keeps_none_of_the_others_from_it(engine: Engine) -> None:
    await roles.create(OPERATOR, name="Other", base_prompt="")
    await roles.create(OPERATOR, name="Writer", base_prompt="")
    undone = msgspec.structs.replace(
        document("output: {n: {$expr: input.a + 1}}\nsteps: [{name: C, kind: tool, tool: files.read}]"), name="undone"
    )
    nothing_left = await engine.start(undone, {"a": "text"})
    await ended(engine, nothing_left)
    writing = document("steps: [{name: A, kind: llm, roleName: Writer}]")
    await orchestrations.create(OPERATOR, document=as_json(msgspec.structs.replace(writing, name="writing")))
    roleless = await executions.start(OPERATOR, orchestration="writing", role_assignments={"A": "Other"})
    await executions.cancel(OPERATOR, execution=roleless.id)
    await ended(engine, roleless.id)
    await roles.delete(OPERATOR, role="Other")
    strange, held, good = await broken(engine, 3)
    await engine.database.pool.execute("ALTER TABLE journal DISABLE TRIGGER USER")
    await engine.database.pool.execute(STRANGE, strange)

    async with engine.database.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", held)
        await lose_patience(engine)
        done = await executions.retry_many(OPERATOR, filter=ExecutionFilter(all=True))

    assert counts(done) == (5, 0, 1, 4)
    assert await restarted(engine) == [good]
    told = {it.execution: it for it in done.first_refused}
    assert [it.execution for it in done.first_refused] == [nothing_left, roleless.id, strange, held]
    assert (told[nothing_left].code, told[roleless.id].code) == ("CONFLICT", "CONFLICT")
    assert "has no step to retry" in told[nothing_left].message
    assert "was started with roles that are deleted: Other" in told[roleless.id].message
    assert told[strange] == NotRetried(
        execution=strange,
        code="INTERNAL",
        message="something unforeseen is wrong with it; the log of the server says what",
    )
    assert told[held] == NotRetried(
        execution=held, code="UNAVAILABLE", message="somebody holds its row; try it again later"
    )


async def lose_patience(engine: Engine) -> None:
    """Let every other connection of the pool wait for a lock no longer than a moment."""
    pool = engine.database.pool
    others = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]
    for connection in others:
        await connection.execute("SET lock_timeout = '100ms'")
        await pool.release(connection)


async def test_of_calls_at_the_same_time_one_restarts_each(engine: Engine) -> None:
    failures = await broken(engine, 12)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(executions.retry_many(OPERATOR, filter=FLOWS)) for _ in range(4)]

    done = [call.result() for call in calls]
    assert sorted(await restarted(engine)) == failures
    assert sum(it.restarted for it in done) == 12
    assert [it.skipped + it.restarted for it in done] == [12] * 4


async def test_a_rule_of_the_database_is_told_by_what_it_says(engine: Engine) -> None:
    refused, *_ = await broken(engine, 2)
    rule = f"ALTER TABLE execution ADD CONSTRAINT ours CHECK (forked_from <> '{refused}')"
    await engine.database.pool.execute(rule)

    done = await executions.retry_many(OPERATOR, filter=FLOWS)

    assert counts(done) == (2, 0, 1, 1)
    (told,) = done.first_refused
    assert (told.execution, told.code) == (refused, "CONFLICT")
    assert 'violates check constraint "ours"' in told.message


async def test_a_database_that_is_away_ends_the_call_and_the_next_one_goes_on(engine: Engine) -> None:
    failures = await broken(engine, 9)
    pool = engine.database.pool
    every = [await pool.acquire() for _ in range(pool.get_max_size())]
    for connection in every:
        await connection.execute("SET default_transaction_read_only = on")
        await pool.release(connection)

    # One error, not a group of them: it is told to whoever calls.
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await executions.retry_many(OPERATOR, filter=FLOWS)
    assert await restarted(engine) == []
    await pool.expire_connections()
    done = await executions.retry_many(OPERATOR, filter=FLOWS)

    assert (counts(done), sorted(await restarted(engine))) == ((9, 0, 9, 0), failures)


@pytest.mark.parametrize("is_kept", [True, False])
async def test_who_restarts_one_right_now_is_waited_for(engine: Engine, is_kept: bool) -> None:
    (origin,) = await broken(engine, 1)
    other = await connect(engine.database.url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(
        "INSERT INTO execution (id, version_id, input, started_by, forked_from)"
        " SELECT gen_random_uuid(), version_id, input, started_by, id FROM execution WHERE id = $1",
        origin,
    )

    asking = asyncio.create_task(executions.retry_many(OPERATOR, filter=FLOWS))
    await engine.waiting_for_a_lock()
    await (transaction.commit() if is_kept else transaction.rollback())
    await other.close()

    assert counts(await asking) == ((1, 1, 0, 0) if is_kept else (1, 0, 1, 0))


async def test_a_retry_keeps_the_priority(engine: Engine) -> None:
    await engine.start(TWO)
    low = await executions.start(OPERATOR, orchestration="flow", priority=-9)
    await executions.cancel(OPERATOR, execution=low.id)
    await ended(engine, low.id)

    await executions.retry_many(OPERATOR, filter=ExecutionFilter(ids=(low.id,)))

    (retried,) = (await executions.list_(OPERATOR, restart_of=low.id)).items
    assert retried.priority == -9


async def test_more_than_fit_into_a_batch_are_all_retried(engine: Engine) -> None:
    origin = await engine.start(TWO)
    await engine.database.pool.execute(BULK, origin, 1_100)
    await engine.database.pool.execute(END)

    done = await executions.retry_many(OPERATOR, filter=FLOWS)

    assert counts(done) == (1_101, 0, 1_101, 0)
    assert done.first_ids == tuple(UUID(int=n) for n in range(1, 101))
    assert len(set(await restarted(engine))) == 1_101


async def test_what_is_not_meant_is_refused(engine: Engine) -> None:
    reader = Caller(Principal(kind="agent", name="scout", scopes=("executions.read",)))
    with pytest.raises(Forbidden, match=r"this needs executions\.run"):
        await executions.retry_many(reader, filter=FLOWS)
    with pytest.raises(Invalid, match="give a field of it, or `all: true`"):
        await executions.retry_many(OPERATOR, filter=ExecutionFilter())
    with pytest.raises(Invalid, match="completed are not meant here; give one of failed, timed_out, cancelled"):
        await executions.retry_many(OPERATOR, filter=ExecutionFilter(status="completed"))
    with pytest.raises(NotFound):
        await executions.retry_many(OPERATOR, filter=FLOWS)
