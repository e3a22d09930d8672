"""Claim: a durable step costs little more than the journal row that it leaves.

Measures what one and two workers, each a process of its own, make of work that was started before (in bulk, through
`executions.start`): from the moment they are let go to the last `finished_at`. The steps call a tool that does nothing.
Commits are synchronous. Also: how soon a start is seen at low load, what a step costs in long executions, what an
execution holds in memory, how soon a killed worker's work is claimed again, what a million finished executions change.
`--peer` runs the same work on another engine in the same rounds on the same Postgres. Medians of the rounds; ratios are
taken within a round.

Expect, on one worker: 20,000 steps in a row per second, 0.10 of the bare inserts of the same Postgres, 60 µs of worker
and 20 µs of Postgres for a step, 0.05 commits and 500 bytes of WAL. bench/README.md has the last figures.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence

from harness import history as past
from harness import moments, peers, throughput
from harness.gated import worker
from harness.server import Product, Server, product, server
from harness.throughput import Sample
from harness.workloads import FAN, SEQUENCE, SINGLE, Workload, looping, one, publish, start

WORKLOADS = {workload.name: workload for workload in (SINGLE, SEQUENCE, FAN)}
PARTS = (*WORKLOADS, "latency", "length", "memory", "reclaim", "history")
LENGTHS = ((10, 1_000), (100, 100), (1_000, 10), (10_000, 10))
LONG_IN_FLIGHT = 10
RATES = (5, 25)


async def compare(product: Product, workload: Workload, names: Sequence[str], arguments: argparse.Namespace) -> None:
    """A table of ourselves with one worker and with two, and of the peers that know such work."""
    urls = {name: await product.server.database(f"{name}_{workload.name}") for name in names}
    samples: dict[str, list[Sample]] = {}
    ceilings: list[float] = []
    for _ in range(arguments.rounds):
        for workers in (1, 2):
            ours = await throughput.of_ours(product, workload, workers=workers, in_flight=arguments.in_flight)
            samples.setdefault(f"rolecall, {workers} worker{'s' * (workers - 1)}", []).append(ours)
        for name, url in urls.items():
            work = workload.times(arguments.peer_share)
            sample = await throughput.of_peer(product, work, peers.command(name), url)
            samples.setdefault(f"{name} {peers.version(name)}", []).append(sample)
        ceilings.append(await throughput.rows_per_second(product, 20_000))
    print(f"\n{workload.name}: {workload.executions:,} executions of {workload.title}")
    print(
        f"{'':24}{'exec/s':>9}{'steps/s':>9}{'ours is':>9}{'CPU µs':>8}{'PG µs':>7}{'WAL B':>8}{'commits':>9}{'MiB':>6}"
    )
    baseline = next(iter(samples.values()))
    for name, taken in samples.items():
        print(f"{name:24}{_costs(taken, baseline)}", flush=True)
    ratios = [ours.steps_per_second / ceiling for ours, ceiling in zip(baseline, ceilings, strict=True)]
    print(
        f"{'bare inserts, rows':24}{'':9}{statistics.median(ceilings):9,.0f}{statistics.median(ratios):8.3f}×",
        flush=True,
    )


def _costs(taken: list[Sample], baseline: list[Sample]) -> str:
    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    ratios = [ours.steps_per_second / theirs.steps_per_second for ours, theirs in zip(baseline, taken, strict=True)]
    return (
        f"{median([it.executions_per_second for it in taken]):9,.0f}"
        f"{median([it.steps_per_second for it in taken]):9,.0f}"
        f"{median(ratios):8.2f}×"
        f"{median([it.per_step(it.spent.process_seconds) for it in taken]) * 1e6:8,.0f}"
        f"{median([it.per_step(it.spent.server_seconds) for it in taken]) * 1e6:7,.0f}"
        f"{median([it.per_step(it.spent.wal_bytes) for it in taken]):8,.0f}"
        f"{median([it.per_step(it.spent.commits) for it in taken]):9.4f}"
        f"{median([it.resident_bytes for it in taken]) / 2**20:6.0f}"
    )


async def latency(product: Product) -> None:
    """How soon an idle worker claims what is started, and has done its one step."""
    print("\nlatency: 200 starts, so many a second; a commit is a row of its own, inserted by one connection")
    for rate in RATES:
        claimed, finished = await moments.start_latencies(product, starts=200, every=1 / rate)
        _quantiles(f"start to claim, {rate}/s", claimed)
        _quantiles(f"start to end, {rate}/s", finished)
    _quantiles("a commit", await moments.commit_latencies(product, commits=200))


def _quantiles(name: str, seconds: Sequence[float]) -> None:
    cuts = statistics.quantiles(seconds, n=100)
    print(f"{name:24} p50 {cuts[49] * 1000:6.2f} ms   p99 {cuts[98] * 1000:6.2f} ms", flush=True)


async def length(product: Product) -> None:
    """What a step costs in executions of ever more of them; as many are in flight each time."""
    print(f"\nlength: loops of ten steps, {LONG_IN_FLIGHT} executions in flight")
    for steps, executions in LENGTHS:
        workload = looping(steps, executions)
        await publish(workload.document)
        taken = await throughput.of_ours(product, workload, workers=1, in_flight=LONG_IN_FLIGHT)
        worker, postgres = taken.per_step(taken.spent.process_seconds), taken.per_step(taken.spent.server_seconds)
        print(
            f"{workload.title:>14}{taken.steps_per_second:9,.0f} steps/s"
            f"{worker * 1e6:7.0f} µs worker{postgres * 1e6:7.0f} µs Postgres"
            f"{taken.per_step(taken.spent.wal_bytes):7.0f} B WAL",
            flush=True,
        )


async def memory(server: Server, count: int) -> None:
    """What an execution holds of a worker's memory while its step is under way, and while it is parked."""
    print("\nmemory of a worker for each execution")
    for name, status in (("hold", "running"), ("park", "waiting")):
        async with product(server, name) as held:
            await publish(*DOCUMENTS)
            size = await moments.bytes_per_execution(held, name, status, count=count)
            print(f"{status:24}{size / 1024:9.1f} KiB", flush=True)


async def reclaim(server: Server, rounds: int) -> None:
    """How soon another worker owns what a killed one had under way."""
    seconds: list[float] = []
    for number in range(rounds):
        async with product(server, f"reclaim{number}") as held:
            await publish(*DOCUMENTS)
            seconds.append(await moments.seconds_to_reclaim(held, executions=100))
    print(f"\nreclaim: kill -9 to re-claim of 100 executions, median {statistics.median(seconds):.2f} s", end="")
    print(f" ({min(seconds):.2f} to {max(seconds):.2f})", flush=True)


async def history(server: Server, arguments: argparse.Namespace) -> None:
    """The same work and the same questions in an empty database, and again when much has finished there."""
    print(f"\nhistory: before and after {arguments.history:,} finished executions")
    async with product(server, "history") as held:
        await publish(*DOCUMENTS)
        before = await _with_history(held, arguments)
        await past.fill(held, SINGLE.name, arguments.history)
        after = await _with_history(held, arguments)
    for name, empty in before.items():
        is_rate = name.endswith("/s")
        ratio = after[name] / empty if is_rate else empty / after[name]
        shown = (f"{value:9,.0f}" if is_rate else f"{value * 1000:9.2f}" for value in (empty, after[name]))
        print(f"{name:24}{''.join(shown)}{ratio:8.2f}×", flush=True)


async def _with_history(held: Product, arguments: argparse.Namespace) -> dict[str, float]:
    found: dict[str, float] = {}
    for workload, unit in ((SINGLE, "executions/s"), (SEQUENCE, "steps/s")):
        rates = [
            await throughput.of_ours(held, workload, workers=1, in_flight=arguments.in_flight)
            for _ in range(arguments.rounds)
        ]
        each = [it.executions_per_second if unit == "executions/s" else it.steps_per_second for it in rates]
        found[f"{workload.name}, {unit}"] = statistics.median(each)
    claimed, _ = await moments.start_latencies(held, starts=100, every=0.2)
    (execution,) = await start(SINGLE.name, 1)
    found["start to claim, ms"] = statistics.median(claimed)
    found["list, ms"] = await past.seconds_to_list(200)
    found["get, ms"] = await past.seconds_to_get(execution, 200)
    async with worker(held.url, in_flight=1) as process:
        process.go()
        await held.until_finished()
    return found


DOCUMENTS = (
    *(workload.document for workload in WORKLOADS.values()),
    one("hold", kind="tool", tool="bench.hold", inputMapping={}, timeout=600_000),
    one("park", kind="wait", forMs=3_600_000),
)


async def measure(server: Server, arguments: argparse.Namespace) -> None:
    """Print a table for each part."""
    wanted = arguments.only or PARTS
    installed = [name for name in arguments.peer if _is_installed(name)]
    async with product(server, "ours") as ours:
        await publish(*DOCUMENTS)
        for name, workload in WORKLOADS.items():
            if name in wanted:
                able = [peer for peer in installed if workload.shape in peers.SHAPES[peer]]
                await compare(ours, workload, able, arguments)
        if "latency" in wanted:
            await latency(ours)
        if "length" in wanted:
            await length(ours)
    if "reclaim" in wanted:
        await reclaim(server, arguments.rounds)
    if "memory" in wanted:
        await memory(server, count=1_000)
    if "history" in wanted:
        await history(server, arguments)


def _is_installed(name: str) -> bool:
    try:
        peers.command(name)
    except peers.NotInstalled as error:
        print(error)
        return False
    return True


def main() -> None:
    """Measure on an embedded Postgres of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], choices=PARTS, help="measure this part, not all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=500, help="executions and attempts of a worker, each")
    parser.add_argument("--peer", action="append", default=[], choices=sorted(peers.SHAPES), help="compare with it")
    parser.add_argument("--peer-share", type=float, default=0.2, help="of the executions, since peers take longer")
    parser.add_argument("--history", type=int, default=1_000_000, help="finished executions, for the part of that name")
    arguments = parser.parse_args()
    with server() as running:
        asyncio.run(measure(running, arguments))


if __name__ == "__main__":
    main()
