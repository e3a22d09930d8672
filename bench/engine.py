"""Claim: a durable step costs little more than the journal row that it leaves.

Runs 500 executions of 10 sequential steps on one worker and inserts as many journal rows, in batches, over one
connection of the same Postgres in the same run; median of 3 rounds, interleaved. Expect a tenth of the batched inserts
or better; far less means that the worker computes, or waits, too much between a step and its successor.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from db import embedded
from db.connection import Database
from db.migrate import migrate
from services import connections, executions, orchestrations, plans
from services.caller import OPERATOR
from services.engine.performer import Attempt
from services.engine.worker import Worker, WorkerSettings
from services.json import Json, JsonObject
from services.tools import files, registry

EXECUTIONS = 500
STEPS = 10
ROUNDS = 3
BATCH = 500

DOCUMENT: JsonObject = {
    "name": "bench",
    "steps": [{"name": f"S{n}", "kind": "tool", "tool": "files.read", "inputMapping": {}} for n in range(STEPS)],
}


async def perform(attempt: Attempt) -> Json:
    """A step that does nothing, so that the engine alone is measured."""
    return attempt.number


async def steps_per_second(database: Database) -> float:
    """Durable sequential steps per second of one worker, from its start until the last execution has finished."""
    for n in range(EXECUTIONS):
        await executions.start(OPERATOR, orchestration="bench", input={"n": n})
    settings = WorkerSettings(executions=EXECUTIONS, claim_at_once=EXECUTIONS)
    worker = Worker(database.connect, plans.of_version, {"tool": perform}, settings)
    began = time.perf_counter()
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(120):
        # Only the database knows the end.
        while await database.pool.fetchval("SELECT count(*) FROM execution WHERE finished_at IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    spent = time.perf_counter() - began
    worker.stop()
    await working
    return EXECUTIONS * STEPS / spent


async def rows_per_second(connection: asyncpg.Connection) -> float:
    """Journal rows per second, inserted in batches that each commit."""
    payload = '{"event":"step_completed","path":"S0","attempt":1,"output":1}'
    began = time.perf_counter()
    for _ in range(EXECUTIONS * STEPS // BATCH):
        execution: UUID = uuid7()
        await connection.execute(
            "INSERT INTO journal (execution_id, seq, kind, payload)"
            " SELECT $1, seq, 'step_completed', $2 FROM generate_series(1, $3) AS seq",
            execution,
            payload,
            BATCH,
        )
    return EXECUTIONS * STEPS / (time.perf_counter() - began)


async def measure(url: str) -> None:
    """Print a line for each round and the medians."""
    await migrate(url)
    registry.register(*files.tools(None))
    async with await Database.open(url) as database:
        connections.use(database, None)
        await orchestrations.create(OPERATOR, document=DOCUMENT)
        connection = await database.connect()
        rounds = [(await steps_per_second(database), await rows_per_second(connection)) for _ in range(ROUNDS)]
        await connection.close()
        connections.use(None, None)
    for steps, rows in rounds:
        print(f"{steps:>10,.0f} steps/s {rows:>12,.0f} rows/s   ratio {steps / rows:.3f}")
    ratio = statistics.median(steps / rows for steps, rows in rounds)
    print(f"median {statistics.median(steps for steps, _ in rounds):,.0f} steps/s, ratio {ratio:.3f}")


def main() -> None:
    """Measure on an embedded Postgres of its own."""
    with tempfile.TemporaryDirectory(prefix="rolecall-bench-") as directory:
        Path(directory).chmod(0o755)
        with embedded.start(Path(directory) / "data") as server:
            asyncio.run(measure(server.url))


if __name__ == "__main__":
    main()
