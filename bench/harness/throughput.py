"""How fast a workload is done, and what it costs: by workers of ours, by a peer, by bare inserts."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from harness import meters
from harness.gated import Gated, gated, worker
from harness.server import Product
from harness.workloads import Workload, start

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run took and cost."""

    workload: Workload
    seconds: float
    spent: meters.Reading
    resident_bytes: int

    @property
    def steps_per_second(self) -> float:
        return self.workload.total_steps / self.seconds

    @property
    def executions_per_second(self) -> float:
        return self.workload.executions / self.seconds

    def per_step(self, cost: float) -> float:
        return cost / self.workload.total_steps


async def of_ours(product: Product, workload: Workload, *, workers: int, in_flight: int) -> Sample:
    """Executions that were all started before; from the moment the workers are let go to the last end in the rows."""
    await start(workload.name, workload.executions)
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(worker(product.url, in_flight=in_flight)) for _ in range(workers)]
        before = await _read(product, processes)
        began = time.time()
        for process in processes:
            process.go()
        await product.until_finished()
        spent = await _read(product, processes) - before
        resident = max(meters.resident_bytes(process.pid) for process in processes)
    ended = await product.watching.fetchval("SELECT extract(epoch FROM max(finished_at))::float8 FROM execution")
    return Sample(workload=workload, seconds=ended - began, spent=spent, resident_bytes=resident)


async def of_peer(product: Product, workload: Workload, command: Sequence[str | Path], url: str) -> Sample:
    """The same work by the script of a peer, which says how long it took."""
    counts = (str(workload.executions), str(workload.steps))
    async with gated(*command, url, workload.shape, *counts) as process:
        before = await _read(product, [process])
        process.go()
        seconds = float(await process.line())
        spent = await _read(product, [process]) - before
        resident = meters.resident_bytes(process.pid)
    return Sample(workload=workload, seconds=seconds, spent=spent, resident_bytes=resident)


async def _read(product: Product, processes: Sequence[Gated]) -> meters.Reading:
    return await meters.read(product.watching, product.server.data_dir, [process.pid for process in processes])


async def rows_per_second(product: Product, rows: int) -> float:
    """The ceiling: rows such as a step leaves, made up by the server and inserted by one connection in batches."""
    await product.watching.execute(
        "CREATE TABLE IF NOT EXISTS bench_row (id uuid, seq integer, payload text NOT NULL,"
        " recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (id, seq))"
    )
    payload = '{"event":"step_completed","path":"S0","attempt":1,"output":1}'
    began = time.perf_counter()
    for _ in range(rows // _BATCH):
        await product.watching.execute(
            "INSERT INTO bench_row (id, seq, payload) SELECT $1, seq, $2 FROM generate_series(1, $3) AS seq",
            uuid4(),
            payload,
            _BATCH,
        )
    return rows / (time.perf_counter() - began)
