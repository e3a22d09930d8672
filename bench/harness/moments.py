"""Single moments and sizes: how soon a start is seen, how soon a death is, and what an execution holds in memory."""

import asyncio
import random
import time
from contextlib import AsyncExitStack

from harness import meters
from harness.gated import worker
from harness.server import Product
from harness.workloads import start


async def start_latencies(product: Product, *, starts: int, every: float) -> tuple[list[float], list[float]]:
    """Seconds from each start, now and then beside an idle worker, to its claim and to its end; by the rows."""
    async with worker(product.url, in_flight=200) as process:
        process.go()
        await product.until("SELECT EXISTS (SELECT FROM worker)")
        for _ in range(starts):
            await start("w1", 1)
            await asyncio.sleep(random.uniform(0.5, 1.5) * every)
        await product.until_finished()
    rows = await product.watching.fetch(
        "SELECT extract(epoch FROM started_at - created_at)::float8 AS claimed,"
        " extract(epoch FROM finished_at - created_at)::float8 AS finished"
        " FROM execution ORDER BY id DESC LIMIT $1",
        starts,
    )
    return [row["claimed"] for row in rows], [row["finished"] for row in rows]


async def commit_latencies(product: Product, *, commits: int) -> list[float]:
    """Seconds for each of so many transactions that insert one row: what the disk alone takes of every start."""
    await product.watching.execute("CREATE TABLE IF NOT EXISTS bench_commit (number integer)")
    seconds: list[float] = []
    for number in range(commits):
        began = time.perf_counter()
        await product.watching.execute("INSERT INTO bench_commit VALUES ($1)", number)
        seconds.append(time.perf_counter() - began)
    return seconds


async def bytes_per_execution(product: Product, orchestration: str, status: str, *, count: int) -> float:
    """How much a worker grows by for each of the second `count` executions that it brings to a status.

    The first ones fill what is kept for all and what the allocator keeps for itself.
    """
    async with worker(product.url, in_flight=3 * count) as process:
        process.go()
        sizes: list[int] = []
        for total in (count, 2 * count):
            await start(orchestration, count)
            # An owned execution has begun its step some moments after its claim.
            await product.until("SELECT count(*) = $1 FROM execution WHERE status = $2", total, status)
            await asyncio.sleep(1)
            sizes.append(meters.resident_bytes(process.pid))
        process.kill()
    return (sizes[1] - sizes[0]) / count


async def seconds_to_reclaim(product: Product, *, executions: int) -> float:
    """From `kill -9` of a worker until another has claimed all that it had under way."""
    async with AsyncExitStack() as stack:
        victim = await stack.enter_async_context(worker(product.url, in_flight=200))
        heir = await stack.enter_async_context(worker(product.url, in_flight=200))
        victim.go()
        ids = await start("hold", executions)
        running = "SELECT count(*) = $1 FROM execution WHERE id = ANY($2) AND status = 'running' AND epoch = $3"
        await product.until(running, executions, ids, 1)
        heir.go()
        await product.until("SELECT count(*) = 2 FROM worker")
        # Wherever the heir is between two looks.
        await asyncio.sleep(random.uniform(1, 2))
        began = time.perf_counter()
        victim.kill()
        await product.until(running, executions, ids, 2, every=0.002)
        took = time.perf_counter() - began
        heir.kill()
    return took
