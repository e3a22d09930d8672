"""Retention: what finished long ago goes with its history, and nothing else does."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from db.connection import Database
from db.refusal import refusal_of
from services import connections, retention

# Five that finished two days ago, one that finished an hour ago, and one that runs on.
_ROWS = """
SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, max_step_runs,
    published_at)
  SELECT id, 1, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now() FROM orchestration;
WITH started AS (
  INSERT INTO execution (id, version_id, input, started_by)
    SELECT lpad(to_hex(n), 32, '0')::uuid, version.id, '{}', '{"kind": "human", "name": "anna"}'
    FROM orchestration_version AS version, generate_series(1, 7) AS n
  RETURNING id
) INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 1, 'execution_started', '{}' FROM started;
INSERT INTO inbox (execution_id, kind, sender) SELECT id, 'cancel', 'anna' FROM execution;
WITH ended AS (
  UPDATE execution SET status = 'cancelled', available_at = NULL,
    finished_at = clock_timestamp() - CASE right(id::text, 1) WHEN '6' THEN interval '1 hour' ELSE interval '2 days' END
  WHERE right(id::text, 1) <> '7' RETURNING id
) INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 2, 'execution_cancelled', '{}' FROM ended;
"""


async def test_what_finished_long_ago_goes_in_batches_with_its_history(opened: Database) -> None:
    await opened.pool.execute(_ROWS)

    pruned = await retention.prune(older_than=timedelta(days=1), batch=2)

    assert pruned == 5
    left = await opened.pool.fetch(
        "SELECT right(id::text, 1)::int AS id, (SELECT count(*) FROM journal WHERE execution_id = execution.id),"
        " (SELECT count(*) FROM inbox WHERE execution_id = execution.id) FROM execution ORDER BY id"
    )
    assert [tuple(row) for row in left] == [(6, 2, 1), (7, 1, 1)]
    assert await opened.pool.fetchval("SELECT count(*) FROM journal") == 3
    assert await retention.prune(older_than=timedelta(days=1)) == 0


async def test_after_a_pruning_history_is_guarded_as_before(opened: Database) -> None:
    await opened.pool.execute(_ROWS)
    await retention.prune(older_than=timedelta(days=1))

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await opened.pool.execute("DELETE FROM execution WHERE finished_at IS NOT NULL")

    assert refusal_of(refusal.value).rule == "execution__history_is_kept"


async def test_two_that_prune_at_once_share_the_work(opened: Database) -> None:
    await opened.pool.execute(_ROWS)

    async with asyncio.TaskGroup() as tasks:
        pruned = [tasks.create_task(retention.prune(older_than=timedelta(days=1), batch=1)) for _ in range(2)]

    assert sum(task.result() for task in pruned) == 5


async def test_a_process_makes_the_partitions_that_are_missing(opened: Database) -> None:
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'journal'::regclass"
    before = await opened.pool.fetchval(partitions)
    await opened.pool.execute("DO $$ BEGIN EXECUTE 'DROP TABLE journal_' || to_char(now(), 'YYYY_MM'); END $$")

    upkeep = asyncio.create_task(retention.tidy_daily())
    async with asyncio.timeout(10):
        while await connections.pool().fetchval(partitions) != before:
            assert not upkeep.done()
    upkeep.cancel()


async def test_keys_of_more_than_a_day_ago_are_forgotten(opened: Database) -> None:
    await opened.pool.execute(
        "INSERT INTO idempotency_key (principal, key, procedure, request_digest, answer, created_at)"
        " SELECT 'human anna', hours || ' hours', 'role.create', 'd', 'null', now() - make_interval(hours => hours)"
        " FROM unnest(ARRAY[0, 23, 25, 100]) AS hours"
    )

    await retention.prune(older_than=timedelta(days=365))

    left = await opened.pool.fetch("SELECT key FROM idempotency_key ORDER BY created_at DESC")
    assert [row["key"] for row in left] == ["0 hours", "23 hours"]
