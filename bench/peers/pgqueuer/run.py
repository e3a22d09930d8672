"""PgQueuer: run.py URL SHAPE EXECUTIONS STEPS. Prints `ready`, begins at a line of input, prints the seconds it took.

Jobs that do nothing, enqueued before, taken in batches of one hundred until the queue is empty. A job is one step.
"""

import asyncio
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.types import QueueExecutionMode

BATCH = 100


async def main(url: str, executions: int) -> None:
    """Get ready, wait for the word, run."""
    connection = await asyncpg.connect(url)
    pgq = PgQueuer(AsyncpgDriver(connection))
    if not await pgq.qm.queries.schema_is_installed():
        await pgq.qm.queries.install()

    @pgq.entrypoint("nothing")
    async def nothing(_job: Job) -> None:
        """Do nothing."""

    await pgq.qm.queries.enqueue(["nothing"] * executions, [None] * executions, [0] * executions)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.perf_counter()
    await pgq.qm.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
    print(time.perf_counter() - began, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    assert (sys.argv[2], sys.argv[4]) == ("single", "1"), "a job is one step"
    uvloop.run(main(sys.argv[1], int(sys.argv[3])))
