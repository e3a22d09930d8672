"""Claims: in the order of priority, along the index, and not for ever."""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from db.connection import Database
from services.engine import claim, journal
from services.engine.sql import statement

_ROWS = """
SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, max_step_runs,
    published_at)
  SELECT id, 1, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now() FROM orchestration;
WITH started AS (
  INSERT INTO execution (id, version_id, input, started_by, priority, available_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, version.id, '{}', '{"kind": "human", "name": "anna"}',
      n % 3 - 1, now() + interval '1 second' * (CASE WHEN n <= 6 THEN -n ELSE 3600 END)
    FROM orchestration_version AS version, generate_series(1, 3000) AS n
  RETURNING id
) INSERT INTO journal (execution_id, seq, kind, payload)
  SELECT id, 1, 'execution_started', '{}' FROM started;
ANALYZE execution;
"""


@pytest.fixture
async def worker(database: Database) -> UUID:
    """A worker over 3,000 executions of three priorities, six of which are due: the sixth the longest."""
    await database.pool.execute(_ROWS)
    id = uuid7()
    await database.pool.execute("INSERT INTO worker (id, name) VALUES ($1, 'first')", id)
    return id


async def test_the_highest_priority_comes_first_and_of_it_the_longest_due(database: Database, worker: UUID) -> None:
    claims = [{it.id.int for it in await _take(database, worker, limit=limit)} for limit in (1, 2, 2, 10)]

    # Of priority 1 are 2 and 5, of 0 are 1 and 4, of -1 are 3 and 6.
    assert claims == [{5}, {2, 4}, {1, 6}, {3}]


async def test_when_the_next_one_is_due_is_known_over_all_priorities(database: Database, worker: UUID) -> None:
    async with database.pool.acquire() as connection:
        due = await claim.next_due(connection)
        await claim.take(connection, worker, 6)
        later = await claim.next_due(connection)

    assert due is not None and due < -5
    assert later is not None and 3500 < later <= 3600


@pytest.mark.parametrize("name", ["claim", "next_due"])
async def test_what_waits_for_later_is_not_looked_at(database: Database, worker: UUID, name: str) -> None:
    arguments = [worker, 2] if name == "claim" else []

    plan = await database.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement(name)}", *arguments)

    assert set(re.findall(r'"Index Name": "(execution\w+)"', plan)) <= {"execution__due", "execution_pkey"}
    assert max(int(rows) for rows in re.findall(r'"Actual Rows": (\d+)', plan)) <= 4


async def test_what_is_claimed_again_and_again_to_no_purpose_fails(database: Database, worker: UUID) -> None:
    given_back = "UPDATE execution SET owner = NULL, status = 'queued', available_at = now() - interval '1 day'"
    for _ in range(30):  # the tenth sees that the journal has grown
        await _take(database, worker, limit=1, max_claims=20)
        await database.pool.execute(f"{given_back} WHERE owner = $1", worker)

    claimed = await _take(database, worker, limit=1, max_claims=20)

    assert claimed == []
    row = await database.pool.fetchrow("SELECT id, status, owner, error FROM execution WHERE finished_at IS NOT NULL")
    assert row is not None
    assert (row["id"].int, row["status"], row["owner"]) == (5, "failed", None)
    [*_, last] = await database.pool.fetch(
        "SELECT payload FROM journal WHERE execution_id = $1 ORDER BY seq", row["id"]
    )
    failure = journal.decode(last["payload"]).failure  # type: ignore[union-attr]
    assert (failure.code, failure.message) == ("WORKER_LOST", "claimed 21 times without getting any further")


async def test_a_history_is_read_from_the_partition_it_is_in(database: Database, worker: UUID) -> None:
    ids = [row["id"] for row in await database.pool.fetch("SELECT id FROM execution LIMIT 3")]

    plan = await database.pool.fetch(f"EXPLAIN (ANALYZE) {statement('history')}", ids)

    scans = [row[0] for row in plan if re.search(r"Scan .*on journal_", row[0])]
    assert [scan for scan in scans if "never executed" not in scan and "on journal_default" not in scan] == []
    assert any("on journal_default" in scan for scan in scans)


async def _take(database: Database, worker: UUID, *, limit: int, max_claims: int = 100) -> list[claim.Claimed]:
    connection: asyncpg.Connection
    async with database.pool.acquire() as connection:
        return await claim.take(connection, worker, limit, max_claims=max_claims)
