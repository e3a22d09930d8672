"""Lists stay cheap in every order, and those of executions also where what is asked for is rare and old."""

import re
from uuid import UUID

import pytest

from db.connection import Database
from services.executions import listing, selecting
from services.executions.records import OPEN
from services.paging import Order, Place, where

# Two versions and two statuses; the rare ones are the oldest.
_ROWS = """
SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, max_step_runs,
    published_at)
  SELECT id, number, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now()
  FROM orchestration, generate_series(1, 2) AS number;
INSERT INTO execution (id, version_id, input, started_by)
  SELECT lpad(to_hex(n), 32, '0')::uuid, version.id, '{}', '{"kind": "human", "name": "anna"}'
  FROM generate_series(1, 5000) AS n
  JOIN orchestration_version AS version ON version.number = CASE WHEN n <= 20 THEN 1 ELSE 2 END;
INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, depth)
  SELECT lpad(to_hex(n + 5000), 32, '0')::uuid, version_id, '{}', started_by, id, n::text, 1, 1
  FROM generate_series(1, 40) AS n, execution WHERE id = '00000000-0000-0000-0000-000000001000';
UPDATE execution SET status = 'paused', available_at = NULL WHERE id < '00000000-0000-0000-0000-000000000010';
ANALYZE execution;
"""


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("true", "execution_pkey"),
        ("status = 'queued'", "execution_pkey"),
        ("status = 'paused'", "execution__by_status"),
        ("version_id = ANY($1)", "execution__by_version"),
        ("parent_execution_id = '00000000-0000-0000-0000-000000001000'", "execution__by_parent"),
        ("forked_from = '00000000-0000-0000-0000-000000000010'", "execution__by_origin"),
    ],
)
async def test_a_list_walks_an_index(database: Database, condition: str, index: str) -> None:
    await database.pool.execute(_ROWS)
    rare = await database.pool.fetch("SELECT id FROM orchestration_version WHERE number = 1")
    arguments = [[row["id"] for row in rare]] if "$1" in condition else []

    plan = await database.pool.fetchval(
        f"EXPLAIN (FORMAT JSON) SELECT id FROM execution WHERE {condition} ORDER BY id DESC LIMIT 10", *arguments
    )

    assert re.findall(r'"Index Name": "(\w+)"', plan) == [index]
    assert "Seq Scan" not in plan


# Nearly all have finished, which the statistics do not know yet: they count most of them as queued.
_HISTORY = """
ALTER TABLE execution DISABLE TRIGGER USER;
UPDATE execution SET status = 'completed', available_at = NULL, finished_at = now()
  WHERE id < '00000000-0000-0000-0000-000000001380';
ALTER TABLE execution ENABLE TRIGGER USER;
"""


@pytest.mark.parametrize("condition", ["true", "started_by ->> 'name' = 'anna'"])
async def test_the_few_that_are_open_are_found_without_walking_over_history(database: Database, condition: str) -> None:
    await database.pool.execute(_ROWS)
    await database.pool.execute(_HISTORY)
    newest = await database.pool.fetchval("SELECT id FROM execution ORDER BY id DESC LIMIT 1")
    query = selecting._BATCH.format(where=condition)

    plan = await database.pool.fetchval(f"EXPLAIN (FORMAT JSON) {query}", list(OPEN), UUID(int=0), newest, 1_000)

    assert re.findall(r'"Index Name": "(\w+)"', plan) == ["execution__by_status"]
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(("column", "value"), [("version_id", "uuid"), ("status", "text")])
@pytest.mark.parametrize("way", ["ASC", "DESC"])
async def test_of_each_status_or_version_only_a_page_is_read(
    database: Database, column: str, value: str, way: str
) -> None:
    await database.pool.execute(_ROWS)
    wanted = await database.pool.fetchval(f"SELECT array_agg(DISTINCT {column}) FROM execution")
    query = listing._OF_EACH.format(
        select="SELECT execution.id FROM execution", column=column, type=value, way=way, limit=11, where="true"
    )

    plan = await database.pool.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", wanted, listing._FIRST, listing._LAST
    )

    index = {"version_id": "execution__by_version", "status": "execution__by_status"}[column]
    assert set(re.findall(r'"Index Name": "(\w+)"', plan)) == {index, "execution_pkey"}
    assert "Seq Scan" not in plan
    assert max(float(rows) for rows in re.findall(r'"Actual Rows": ([\d.]+)', plan)) <= 11 * len(wanted)


# Names, creations and changes each in an order of their own.
_NAMED = """
INSERT INTO role (name, base_prompt, created_by, created_at, updated_at)
  SELECT 'R' || md5(n::text), '', 'anna', now() - make_interval(secs => n * 7 % 5000), now() - make_interval(secs => n)
  FROM generate_series(1, 5000) AS n;
INSERT INTO orchestration (name, created_by, created_at, updated_at)
  SELECT name, created_by, created_at, updated_at FROM role;
ANALYZE role, orchestration;
"""


@pytest.mark.parametrize("table", ["role", "orchestration"])
@pytest.mark.parametrize(
    ("by", "index"), [("name", "name"), ("created_at", "by_creation"), ("updated_at", "by_change")]
)
@pytest.mark.parametrize("way", ["ASC", "DESC"])
async def test_every_order_of_a_list_is_that_of_an_index(
    database: Database, table: str, by: str, index: str, way: str
) -> None:
    await database.pool.execute(_NAMED)
    order = Order(f"{table}.{by}", f"{table}.id", by, str, descending=way == "DESC")
    middle = await database.pool.fetchrow(f"SELECT {by}, id FROM {table} ORDER BY {by} LIMIT 1 OFFSET 2500")
    text, values = where([order.behind(Place(key=middle[0], id=middle[1], list=""))])
    query = f"SELECT * FROM {table} WHERE {text} ORDER BY {order} LIMIT 21"

    plan = await database.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values)

    assert re.findall(r'"Index Name": "(\w+)"', plan) == [f"{table}__{index}"]
    assert "Seq Scan" not in plan
    assert max(float(rows) for rows in re.findall(r'"Actual Rows": ([\d.]+)', plan)) <= 33
