"""Executions that finished long ago, as rows: what is new must not pay for them."""

import statistics
import time
from uuid import UUID

from harness.server import Product

from services import executions
from services.caller import OPERATOR

# Past the guards, which would look at each of a million. The ids are such as starts of the last ten days have made.
_FILL = """
WITH version AS (
  SELECT active_version_id AS id FROM orchestration WHERE name = $1
), made AS MATERIALIZED (
  SELECT started, (left(first_id_at(started)::text, 13) || '-7' || substr(md5(n::text), 1, 3)
    || '-8' || substr(md5(n::text), 4, 3) || '-' || substr(md5(n::text), 7, 12))::uuid AS id
  FROM generate_series(1, $2) AS n, LATERAL (SELECT now() - n * interval '10 days' / $2 AS started) AS at
), filled AS (
  INSERT INTO execution (id, version_id, status, input, output, started_by, available_at, epoch, created_at, started_at,
    finished_at)
  SELECT made.id, version.id, 'completed', '{}', '{"S0": 1}', '{"kind": "service", "name": "bench"}', NULL, 1, started,
    started, started + interval '1 second'
  FROM made, version
)
INSERT INTO journal (execution_id, seq, epoch, kind, path, attempt, payload, recorded_at)
SELECT id, seq, least(seq - 1, 1), kind, path, attempt, payload, started
FROM made CROSS JOIN (VALUES
  (1, 'execution_started', '', 0, '{"event":"execution_started","execution":"00000000-0000-0000-0000-000000000000",'
    '"at":"2026-01-01T00:00:00Z","input":{}}'),
  (2, 'step_completed', 'S0', 1, '{"event":"step_completed","path":"S0","attempt":1,"output":1}'),
  (3, 'execution_completed', '', 0, '{"event":"execution_completed","output":{"S0":1}}')
) AS event (seq, kind, path, attempt, payload)
"""


async def fill(product: Product, orchestration: str, count: int) -> None:
    """So many executions of one step that have completed, with their journals, and statistics that know of them."""
    async with product.watching.transaction():
        await product.watching.execute("SET LOCAL session_replication_role = replica")
        await product.watching.execute(_FILL, orchestration, count, timeout=1_800)
    await product.watching.execute("VACUUM ANALYZE execution, journal", timeout=1_800)


async def seconds_to_list(times: int) -> float:
    """The median of listing the newest fifty of one orchestration and status."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await executions.list_(OPERATOR, orchestration="w1", status="completed")
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


async def seconds_to_get(execution: UUID, times: int) -> float:
    """The median of getting one execution with its context."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await executions.get(OPERATOR, execution=execution)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
