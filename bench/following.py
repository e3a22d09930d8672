"""Claim: an event reaches whoever follows in another process soon after its commit, and a follower costs little.

Measures milliseconds from the moment an event was written (by its row, so the commit is in it) until it was read by a
follower, p50 and p99, while a worker of its own process works on followed executions whose steps come one after
another, with pauses of 100 ms between them: one of them and ten at once, and without any notification. Then the memory
and the processor time of 2,000 followers of as many executions in which nothing happens.

Expect 5 and 60 ms for one, 30 and 60 ms for ten (notifications go out twenty times a second at most), 500 and 1,000 ms
without (a look each second); 20 KiB and 10 µs of each second for a follower.
"""

import asyncio
import gc
import os
import statistics
import time
from contextlib import suppress
from uuid import UUID

from harness import meters
from harness.gated import worker
from harness.server import Product, product, server
from harness.workloads import publish, start

from services import connections, executions
from services.caller import OPERATOR
from services.engine.exchange import Exchange
from services.engine.feed import Feed
from services.engine.notifier import Notifier
from services.executions import Recorded
from services.json import Json

RUNS = (("one, with notifications", 1, True), ("ten, with notifications", 10, True), ("ten, without", 10, False))
ROUNDS = 80
FOLLOWERS = 1_000
IDLE_SECONDS = 10
# What a new follower reads at first is old, and the worker does not know of it yet.
WARM_SECONDS = 2.0

PAUSE: Json = {"name": "Pause", "kind": "wait", "forMs": 100}
PACED = {
    "name": "paced",
    "steps": [{"name": "Loop", "kind": "loop", "maxIterations": ROUNDS, "steps": [PAUSE]}],
}
PARKED = {"name": "parked", "steps": [{"name": "Park", "kind": "wait", "forMs": 3_600_000}]}


async def latencies(product: Product, followed: int, *, with_hints: bool) -> list[float]:
    """Seconds from the writing of each event to its follower."""
    notifier = Notifier(connections.database().connect)
    hints = asyncio.create_task(notifier.run() if with_hints else asyncio.sleep(0))
    connections.use(connections.database(), notifier, Feed(connections.pool(), Exchange(notifier)))
    seconds: list[float] = []
    async with worker(product.url, in_flight=followed) as process, asyncio.TaskGroup() as group:
        for execution in await start("paced", followed):
            group.create_task(_time(execution, seconds))
        process.go()
    hints.cancel()
    await asyncio.gather(hints, return_exceptions=True)
    return seconds


async def _time(execution: UUID, seconds: list[float]) -> None:
    warm_at = time.time() + WARM_SECONDS
    async for item in executions.follow(OPERATOR, execution=execution):
        now = time.time()
        if isinstance(item, Recorded) and now > warm_at:
            seconds.append(now - item.at.timestamp())


async def cost_of_idle_followers() -> tuple[float, float]:
    """Bytes of memory, and seconds of processor time in a second, for each follower."""
    ids = await start("parked", 2 * FOLLOWERS)
    tasks = [asyncio.create_task(_read(execution)) for execution in ids[:FOLLOWERS]]
    # The first ones fill what is kept for all.
    await asyncio.sleep(IDLE_SECONDS / 2)
    before = _memory()
    tasks += [asyncio.create_task(_read(execution)) for execution in ids[FOLLOWERS:]]
    await asyncio.sleep(IDLE_SECONDS / 2)
    grown = _memory() - before
    spent = meters.cpu_seconds(os.getpid())
    await asyncio.sleep(IDLE_SECONDS)
    spent = meters.cpu_seconds(os.getpid()) - spent
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return grown / FOLLOWERS, spent / IDLE_SECONDS / len(tasks)


def _memory() -> int:
    gc.collect()
    return meters.resident_bytes(os.getpid())


async def _read(execution: UUID) -> None:
    with suppress(asyncio.CancelledError):
        async for _ in executions.follow(OPERATOR, execution=execution):
            pass


async def main() -> None:
    with server() as running:
        async with product(running, "following") as ours:
            await publish(PACED, PARKED)
            for name, followed, with_hints in RUNS:
                seconds = await latencies(ours, followed, with_hints=with_hints)
                cuts = statistics.quantiles(seconds, n=100)
                found = f"p50 {cuts[49] * 1000:6.1f} ms   p99 {cuts[98] * 1000:6.1f} ms   of {len(seconds):,} events"
                print(f"commit to follower, {name:24} {found}", flush=True)
            size, busy = await cost_of_idle_followers()
            print(f"a follower with nothing to read {size / 1024:8.1f} KiB   {busy * 1e6:6.1f} µs of each second")


if __name__ == "__main__":
    asyncio.run(main())
