"""What summaries say, of hours that are kept, of what has come since, and of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from db.connection import Database
from services import connections, metrics
from services.caller import OPERATOR
from services.errors import Invalid
from services.metrics.keeping import keep
from services.metrics.records import By, MetricRow

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
_SET_UP = """
INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'anna'), ('Critic', '', 'anna');
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, max_step_runs,
    published_at)
  SELECT id, 1, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now() FROM orchestration;
INSERT INTO orchestration_step (version_id, name, "order", kind, role_name)
  SELECT version.id, step.*, CASE step.kind WHEN 'llm' THEN 'Coder' END
  FROM orchestration_version AS version,
    (VALUES ('Write', 0, 'llm'), ('Form', 1, 'transform')) AS step (name, place, kind);
"""


@pytest.fixture(autouse=True)
async def opened(database: Database) -> AsyncIterator[Database]:
    connections.use(database, None)
    async with database.pool.acquire() as connection, connection.transaction():
        # History as the engine leaves it; its guards are not what is tried here.
        await connection.execute("SET LOCAL session_replication_role = replica;" + _SET_UP)
    yield database
    connections.use(None, None)


async def finished(*events: dict[str, Any], at: datetime, restart_of: Any = None, **start: Any) -> Any:
    """An execution with these events, that has finished then."""
    kinds = [{"event": "execution_started", **start}, *events]
    async with connections.pool().acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        id = await connection.fetchval(
            "INSERT INTO execution (id, version_id, input, started_by, status, available_at, finished_at, forked_from)"
            ' SELECT uuid7(), id, \'{}\', \'{"kind": "human", "name": "anna"}\', \'completed\', NULL, $1, $2'
            " FROM orchestration_version RETURNING id",
            at,
            restart_of,
        )
        for seq, event in enumerate(kinds, 1):
            await connection.execute(
                "INSERT INTO journal (execution_id, seq, kind, path, attempt, payload) VALUES ($1, $2, $3, $4, $5, $6)",
                id,
                seq,
                event["event"],
                event.get("path", ""),
                event.get("attempt", 0),
                msgspec.json.encode(event).decode(),
            )
    return id


def done(path: str = "Write", *calls: dict[str, Any], kind: str = "step_completed", attempt: int = 1, ms: int = 100):
    own = {"calls": calls} if calls else {}
    return {"event": kind, "path": path, "attempt": attempt, "durationMs": ms, "output": "tea", **own}


def call(model: str = "openai/gpt-6-luna", outcome: str = "answered", **own: Any) -> dict[str, Any]:
    return {"model": model, "outcome": outcome, "durationMs": 90, **own}


PAID = call(inputTokens=100, outputTokens=10, costUsd="0.00123")


async def rows(by: By = "kind", since: datetime = NOW - 5 * HOUR, until: datetime = NOW) -> dict[str | None, MetricRow]:
    summary = await metrics.summary(OPERATOR, by=by, since=since, until=until)
    return {row.name: row for row in summary.rows}


async def some_work(at: datetime) -> None:
    await finished(
        done("Each[0]/Write", call(outcome="RATE_LIMITED", costUsd="0"), kind="step_failed", ms=2_000),
        done("Each[0]/Write", PAID, attempt=2),
        done("Form", ms=0),
        {"event": "step_failed", "path": "Form", "attempt": 0},
        at=at,
    )
    await finished(done("Write", call(isCached=True, costUsd="0"), call("ollama/qwen3", inputTokens=7)), at=at)


async def is_told() -> None:
    kinds, roles, models = [await rows(by) for by in ("kind", "role", "model")]
    llm = MetricRow(
        name="llm",
        count=3,
        succeeded=2,
        success_rate=2 / 3,
        p50_ms=108,
        p95_ms=2_048,
        input_tokens=107,
        output_tokens=10,
        cost_usd=Decimal("0.00123"),
        unpriced=1,
        cached=1,
    )
    assert kinds["llm"] == llm
    assert (kinds["transform"].count, kinds["transform"].p95_ms, kinds["transform"].cost_usd) == (1, 1, 0)
    assert roles == {
        "Coder": msgspec.structs.replace(llm, name="Coder"),
        None: msgspec.structs.replace(kinds["transform"], name=None),
    }
    luna, qwen = models["openai/gpt-6-luna"], models["ollama/qwen3"]
    assert (luna.count, luna.succeeded, luna.cost_usd, luna.cached) == (3, 2, Decimal("0.00123"), 1)
    assert (qwen.count, qwen.input_tokens, qwen.unpriced) == (1, 7, 1)


async def test_what_has_just_finished_is_read_from_the_journal() -> None:
    await some_work(NOW - timedelta(minutes=1))

    await is_told()
    assert await keep() == 0  # the hour is not over


async def test_hours_that_are_over_are_read_once() -> None:
    await some_work(NOW - 3 * HOUR)

    hours = await keep()
    async with connections.pool().acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica; TRUNCATE journal")
    await is_told()

    # That of the work, and what has followed; the last one may not be over for long enough.
    assert hours in (2, 3)
    assert await keep() == 0


async def test_what_is_kept_and_what_came_since_are_added_up() -> None:
    await some_work(NOW - 3 * HOUR)
    await keep()
    before = (await rows())["llm"].count
    await some_work(NOW - timedelta(seconds=1))

    assert (before, (await rows())["llm"].count) == (3, 6)
    assert (await rows(since=NOW - timedelta(seconds=1)))["llm"].count == 3
    assert await rows(until=NOW - 4 * HOUR) == {}


async def test_a_step_counts_for_the_role_that_was_assigned_to_it() -> None:
    await finished(done("Write", PAID), at=NOW, roleAssignments={"Write": {"role": "Critic", "version": "x"}})

    assert list(await rows("role", until=NOW + HOUR)) == ["Critic"]


async def test_what_a_restart_has_taken_over_is_not_counted_again() -> None:
    origin = await finished(done("Write", PAID), at=NOW)
    restarted = {"event": "execution_restarted"}
    await finished(done("Write", PAID), restarted, done("Form"), at=NOW, restart_of=origin)

    counted = await rows(until=NOW + HOUR)
    assert (counted["llm"].count, counted["transform"].count) == (1, 1)


@pytest.mark.parametrize("since", [NOW, NOW + HOUR, NOW - timedelta(days=367)])
async def test_a_time_that_is_none_is_refused(since: datetime) -> None:
    with pytest.raises(Invalid):
        await metrics.summary(OPERATOR, since=since, until=NOW)


async def test_two_who_keep_at_once_keep_each_hour_once() -> None:
    await some_work(NOW - 3 * HOUR)

    hours = await asyncio.gather(keep(), keep())

    assert sum(hours) in (2, 3)
    assert (await rows())["llm"].count == 3
