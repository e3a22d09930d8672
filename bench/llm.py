"""Claim: a durable llm step takes no more than 3 ms longer than the bare call of the SDK, and leaves no memory behind.

Measures, in the same rounds and against the same endpoint (a process of its own that answers at once), calls of the
SDK one after another, a row inserted and committed, and a loop of llm steps, from one journal row to the next; p50 of
each round, the median of the rounds and the best. The worker, in this process, goes through all there is: role, choice,
turn, breaker, record, and the commit that makes the step durable, which is in the overhead.

Then 2,000 executions of an agent that calls a tool and answers, fifty at once on a provider that takes five; what this
process holds after each 500. Expect the last three figures to be alike; a slope means that calls are never let go.
"""

import argparse
import asyncio
import gc
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import openai
import uvloop
from harness.endpoint import endpoint
from harness.meters import resident_bytes
from harness.moments import commit_latencies
from harness.server import Product, product, server
from harness.workloads import register_tools

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.models.catalog import Models
from services.models.limits import Limits
from services.models.presets import provider_of
from services.models.selection import Offer
from services.roles import RoleChanges
from services.runtime import opened
from services.settings import Settings

STEP = {"name": "Ask", "kind": "llm", "roleName": "Asker", "inputMapping": {"question": "Why?"}}
ASKING = {"name": "asking", "steps": [{"name": "Often", "kind": "loop", "maxIterations": 200, "steps": [STEP]}]}
AGENT = {"name": "agent", "steps": [{"name": "Do", "kind": "agent", "roleName": "Doer", "inputMapping": {"a": 1}}]}
_GAPS = """
SELECT extract(epoch FROM recorded_at - lag(recorded_at) OVER (ORDER BY seq))::float8 FROM journal
WHERE execution_id = $1 AND kind = 'step_completed' AND path LIKE '%/Ask' ORDER BY seq OFFSET 1
"""


async def overhead(bench: Product, url: str, rounds: int) -> None:
    """How much longer a step takes than a call."""
    client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
    taken: dict[str, list[float]] = {name: [] for name in ("bare call", "commit", "llm step", "overhead")}
    for _ in range(rounds):
        call = await bare_call(client)
        commit = statistics.median(await commit_latencies(bench, commits=100))
        step = await llm_step(bench)
        for name, seconds in zip(taken, (call, commit, step, step - call), strict=True):
            taken[name].append(seconds)
    await client.close()
    for name, seconds in taken.items():
        print(f"{name:12}{statistics.median(seconds) * 1e3:8.2f} ms p50, best {min(seconds) * 1e3:.2f}", flush=True)


async def bare_call(client: openai.AsyncOpenAI) -> float:
    """Seconds of a call, p50 of 200."""
    took: list[float] = []
    for _ in range(200):
        began = time.perf_counter()
        await client.chat.completions.create(
            model="m", messages=[{"role": "system", "content": "Answer."}, {"role": "user", "content": "Why?"}]
        )
        took.append(time.perf_counter() - began)
    return statistics.median(took)


async def llm_step(bench: Product) -> float:
    """Seconds of a step, p50 of 199: from the row of the one before to its own."""
    execution = (await executions.start(OPERATOR, orchestration="asking", input={})).id
    await until_done(bench, [execution])
    return statistics.median([row[0] for row in await bench.watching.fetch(_GAPS, execution)])


async def memory(bench: Product, count: int) -> None:
    """What this process holds after ever more executions."""
    print(f"\n{'executions':>12}{'MiB':>8}")
    for done in range(500, count + 1, 500):
        for _ in range(10):
            started = [await executions.start(OPERATOR, orchestration="agent", input={}) for _ in range(50)]
            await until_done(bench, [execution.id for execution in started])
        gc.collect()
        print(f"{done:12,}{resident_bytes(os.getpid()) / 2**20:8.1f}", flush=True)


async def until_done(bench: Product, ids: list[UUID]) -> None:
    """Return when all of these have completed."""
    await bench.until("SELECT bool_and(status = 'completed') FROM execution WHERE id = ANY($1)", ids)


@asynccontextmanager
async def working(url: str, models: Models) -> AsyncIterator[None]:
    """A worker in this process."""
    async with opened(Settings(), url, models) as runtime:
        register_tools()
        worker = runtime.worker()
        task = asyncio.create_task(worker.run())
        try:
            await worker.until_live()
            yield
        finally:
            worker.stop()
            await task


async def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--executions", type=int, default=2_000)
    arguments = parser.parse_args()
    with server() as postgres:
        async with product(postgres, "llm") as bench, endpoint() as url:
            provider = provider_of("compatible", name="peer", base_url=url)
            offer = Offer("peer", "m", ("tools", "json"))
            limits = Limits(max_concurrent=5, requests_per_minute=1_000_000)
            async with working(bench.url, Models({"peer": provider}, [offer], {"peer": limits})):
                await roles.create(OPERATOR, name="Asker", base_prompt="Answer.")
                tools = RoleChanges(tools=("bench.nothing",))
                await roles.create(OPERATOR, name="Doer", base_prompt="Do it.", changes=tools)
                for document in (ASKING, AGENT):
                    await orchestrations.create(OPERATOR, document=document)
                await overhead(bench, url, arguments.rounds)
                await memory(bench, arguments.executions)


if __name__ == "__main__":
    uvloop.run(main())
