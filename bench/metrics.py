"""Claim: what steps have taken is told at once, however much history there is, and costs the engine nothing.

Measures seconds over 1,000,000 steps of 100,000 executions that finished within a day, half of them with a model call:
to read all of it from the journal, to read it into `step_metric` hour by hour, and `metrics.summary` after that.

Expect some five seconds for each million steps that are read, once, and a summary of some milliseconds.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db import embedded
from db.connection import Database, connect
from db.migrate import migrate
from services import connections, metrics
from services.caller import OPERATOR

EXECUTIONS = 100_000
# As the engine would leave it; with the guards of rows it would take ten times as long.
FILL = """
SET session_replication_role = replica;
INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'anna'), ('Critic', '', 'anna');
INSERT INTO orchestration (name, created_by) VALUES ('flow', 'anna');
INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, max_step_runs,
    published_at)
  SELECT id, 1, '{}', 'anna', 'published', 'sha256:' || repeat('0', 64), 1, now() FROM orchestration;
INSERT INTO orchestration_step (version_id, name, "order", kind, role_name)
  SELECT version.id, 'S' || n, n, CASE n % 2 WHEN 0 THEN 'llm' ELSE 'transform' END,
    CASE n % 4 WHEN 0 THEN 'Coder' WHEN 2 THEN 'Critic' END
  FROM orchestration_version AS version, generate_series(1, 10) AS n;
INSERT INTO execution (id, version_id, input, started_by, status, available_at, finished_at, output)
  SELECT uuid7(), version.id, '{}', '{"kind": "human", "name": "anna"}', 'completed', NULL,
    now() - n % 24 * interval '1 hour' - interval '70 minutes', '{}'
  FROM orchestration_version AS version, generate_series(1, $EXECUTIONS) AS n;
INSERT INTO journal (execution_id, seq, kind, payload)
  SELECT id, 1, 'execution_started', '{"event":"execution_started"}' FROM execution;
INSERT INTO journal (execution_id, seq, kind, path, attempt, payload)
  SELECT id, n + 1, 'step_completed', 'S' || n, 1, CASE n % 2 WHEN 0 THEN
    '{"event":"step_completed","path":"S","attempt":1,"output":"' || repeat('tea is a drink ', 20) || '","usage":'
    '{"model":"openai/gpt-6-luna","inputTokens":100,"outputTokens":50,"costUsd":"0.000035"},"durationMs":'
    || (random() * 2000)::int || ',"calls":[{"model":"openai/gpt-6-luna","outcome":"answered","reason":"the default '
    'model","inputTokens":100,"outputTokens":50,"costUsd":"0.000035","durationMs":812}]}'
    ELSE '{"event":"step_completed","path":"S","attempt":1,"output":{"a":1}}' END
  FROM execution, generate_series(1, 10) AS n;
ANALYZE;
"""


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory, embedded.start(Path(directory) / "data") as server:
        await migrate(server.url)
        connection = await connect(server.url, command_timeout_seconds=None)
        await connection.execute("SET statement_timeout = 0")
        await connection.execute(FILL.replace("$EXECUTIONS", str(EXECUTIONS)))
        began = time.perf_counter()
        await connection.fetch("SELECT * FROM step_metrics(now() - interval '2 days', now())")
        print(f"read from the journal  {time.perf_counter() - began:8.3f} s", flush=True)
        began, hours = time.perf_counter(), 0
        while await connection.fetchval("SELECT step_metrics_keep()"):
            hours += 1
        print(f"kept, {hours} hours         {time.perf_counter() - began:8.3f} s", flush=True)
        await connection.close()
        async with await Database.open(server.url) as database:
            connections.use(database, None)
            until = datetime.now(UTC)
            for by in ("kind", "role", "model"):
                spent: list[float] = []
                for _ in range(20):
                    began = time.perf_counter()
                    summary = await metrics.summary(OPERATOR, by=by, since=until - timedelta(days=2), until=until)
                    spent.append(time.perf_counter() - began)
                rows = ", ".join(f"{row.name}: {row.count:,}" for row in summary.rows)
                print(f"summary by {by:<6}      {sorted(spent)[10]:8.3f} s   {rows}", flush=True)
            connections.use(None, None)


asyncio.run(main())
