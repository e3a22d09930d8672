"""Steering many executions at once."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from asyncpg import LockNotAvailableError

from db.connection import Database, connect
from services import executions, orchestrations
from services.caller import OPERATOR, Caller
from services.errors import Forbidden, Invalid
from services.executions import ExecutionFilter
from services.principal import SCOPES, Principal

PLAIN = {"name": "plain", "steps": [{"name": "A", "kind": "transform", "inputMapping": {"a": 1}}]}
PLAINS = ExecutionFilter(orchestration="plain")
BULK = """
INSERT INTO execution (id, version_id, input, started_by)
SELECT lpad(to_hex(n), 32, '0')::uuid, active_version_id, '{}', '{"kind": "human", "name": "anna"}'
FROM orchestration, generate_series(1, $1::int) AS n
"""
MESSAGES = "SELECT execution_id, kind, payload::text, sender FROM inbox ORDER BY id"
CANCELLED = "SELECT array_agg(id ORDER BY id) FROM execution WHERE cancel_requested_at IS NOT NULL"
FINISH = """
WITH done AS (UPDATE execution SET status = 'cancelled', available_at = NULL, finished_at = clock_timestamp()
  WHERE id = $1 RETURNING id)
INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'execution_cancelled', '{}' FROM done
"""


@pytest.fixture(autouse=True)
async def plain(opened: Database) -> None:
    await orchestrations.create(OPERATOR, document=PLAIN)


async def start(count: int) -> list[UUID]:
    return [(await executions.start(OPERATOR, orchestration="plain")).id for _ in range(count)]


async def test_all_that_match_are_asked_to_end_and_their_journals_will_say_by_whom(opened: Database) -> None:
    ids = await start(3)
    anna = Caller(Principal(kind="human", name="anna", scopes=SCOPES))

    done = await executions.cancel_many(anna, filter=PLAINS, reason="enough")

    assert (done.dry_run, done.matched, done.asked, done.finished_meanwhile) == (False, 3, 3, 0)
    assert done.first_ids == tuple(ids)
    rows = await opened.pool.fetch(MESSAGES)
    assert [tuple(row) for row in rows] == [(id, "cancel", '{"reason": "enough"}', "anna") for id in ids]
    assert await opened.pool.fetchval(CANCELLED) == ids


async def test_a_dry_run_says_what_would_be_asked_and_does_nothing(opened: Database) -> None:
    await opened.pool.execute(BULK, 1101)

    done = await executions.cancel_many(OPERATOR, filter=PLAINS, dry_run=True)

    assert (done.dry_run, done.matched, done.asked, done.finished_meanwhile) == (True, 1101, 0, 0)
    assert done.first_ids == tuple(UUID(int=n) for n in range(1, 101))
    assert await opened.pool.fetch(MESSAGES) == []


@pytest.mark.parametrize("steer", [executions.pause_many, executions.resume_many])
async def test_many_are_paused_and_resumed_in_the_same_way(opened: Database, steer: Any) -> None:
    ids = await start(2)

    done = await steer(OPERATOR, filter=PLAINS)

    assert (done.matched, done.asked) == (2, 2)
    kind = steer.__name__.removesuffix("_many")
    assert [tuple(row)[:2] for row in await opened.pool.fetch(MESSAGES)] == [(id, kind) for id in ids]


async def test_what_has_finished_is_not_meant(opened: Database) -> None:
    over, *going = await start(3)
    await opened.pool.execute(FINISH, over)

    done = await executions.cancel_many(OPERATOR, filter=PLAINS)

    assert (done.matched, done.asked, done.first_ids) == (2, 2, tuple(going))


async def test_what_finishes_meanwhile_is_no_error(opened: Database) -> None:
    first, second, third = await start(3)
    ending = await connect(opened.url)
    transaction = ending.transaction()
    await transaction.start()
    await ending.execute(FINISH, second)

    asking = asyncio.create_task(executions.cancel_many(OPERATOR, filter=PLAINS))
    # The others are asked while one is held by whoever ends it.
    while await opened.pool.fetchval(CANCELLED) != [first, third]:
        assert not asking.done()
    await transaction.commit()
    await ending.close()
    done = await asking

    assert (done.matched, done.asked, done.finished_meanwhile) == (3, 2, 1)


async def test_who_is_held_for_long_holds_up_none_of_the_others(opened: Database) -> None:
    await opened.pool.execute(BULK, 1500)
    async with opened.pool.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", UUID(int=7))
        await _lose_patience(opened)

        # It has not finished, and so the call has not done all that was asked of it.
        with pytest.raises(LockNotAvailableError):
            await executions.cancel_many(OPERATOR, filter=PLAINS)

    assert await opened.pool.fetchval(CANCELLED) == [UUID(int=n) for n in range(1, 1501) if n != 7]


async def _lose_patience(database: Database) -> None:
    """Let every other connection of the pool wait for a lock no longer than a moment."""
    others = [await database.pool.acquire() for _ in range(database.pool.get_max_size() - 1)]
    for connection in others:
        await connection.execute("SET lock_timeout = '100ms'")
        await database.pool.release(connection)


async def test_a_parent_is_asked_with_its_children(opened: Database) -> None:
    (parent,) = await start(1)
    await orchestrations.create(OPERATOR, document={**PLAIN, "name": "inner"})
    child = await opened.pool.fetchval(
        "INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt,"
        " depth)"
        ' SELECT gen_random_uuid(), active_version_id, \'{}\', \'{"kind": "human", "name": "anna"}\', $1, \'Sub\', 1, 1'
        " FROM orchestration WHERE name = 'inner' RETURNING id",
        parent,
    )

    done = await executions.cancel_many(OPERATOR, filter=PLAINS)

    assert (done.matched, done.asked, done.first_ids) == (1, 1, (parent,))
    assert await opened.pool.fetchval(CANCELLED) == sorted([parent, child])


async def test_calls_that_mean_the_same_executions_do_not_hold_each_other_up(opened: Database) -> None:
    await opened.pool.execute(BULK, 2000)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(executions.cancel_many(OPERATOR, filter=PLAINS)) for _ in range(4)]

    assert [(call.result().matched, call.result().asked) for call in calls] == [(2000, 2000)] * 4
    assert len(await opened.pool.fetchval(CANCELLED)) == 2000


async def test_without_the_scope_nothing_is_looked_for() -> None:
    reader = Caller(Principal(kind="agent", name="scout", scopes=("executions.read",)))
    for steer in (executions.cancel_many, executions.pause_many, executions.resume_many):
        with pytest.raises(Forbidden, match=r"this needs executions\.run"):
            await steer(reader, filter=ExecutionFilter(role="Nobody"))


async def test_nothing_is_not_everything() -> None:
    with pytest.raises(Invalid, match="give a field of it, or `all: true`"):
        await executions.cancel_many(OPERATOR, filter=ExecutionFilter())
    assert (await executions.cancel_many(OPERATOR, filter=ExecutionFilter(ids=()))).matched == 0
