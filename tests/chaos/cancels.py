"""R6: cancels at random instants."""

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from services import executions
from services.caller import OPERATOR
from services.errors import Conflict
from services.executions import ExecutionFilter
from tests.chaos import checker, flows
from tests.chaos.arena import Arena

STOPS_WITHIN_SECONDS = 5.0
_AT_ONCE = 50


@dataclass
class Report:
    """What was seen. `while_ending` had been settled otherwise before; `passed_over` never read their cancel."""

    violations: list[str] = field(default_factory=list[str])
    cancelled: int = 0
    children: int = 0
    too_late: int = 0
    while_ending: int = 0
    passed_over: int = 0
    slowest_stop_seconds: float = 0.0
    begun_after_seconds: list[float] = field(default_factory=list[float])

    def __str__(self) -> str:
        return (
            f"{self.cancelled} cancelled, with {self.children} children, {self.too_late} over before,"
            f" {self.while_ending} while they ended, {self.passed_over} passed over at their end;"
            f" the slowest stop took {self.slowest_stop_seconds:.2f} s\n"
            f"{len(self.begun_after_seconds)} attempts begun after the cancel was posted and before it was read,"
            f" the last {max(self.begun_after_seconds, default=0):.3f} s after\n{len(self.violations)} violations\n"
            + "\n".join(self.violations[:20])
        )


async def run(arena: Arena, cancels: int, seed: int = 1) -> Report:
    """Start executions, cancel each at some instant of its life, and check."""
    random, report = Random(seed), Report()
    document = await flows.save(flows.MIXED)
    for _ in range(2):
        arena.fleet.start()
    posted: dict[UUID, float] = {}
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(n: int, input: dict[str, Any], delay: float) -> None:
        async with room:
            execution = await flows.start("mixed", input, str(n))
            await asyncio.sleep(delay)
            try:
                await executions.cancel(OPERATOR, execution=execution, reason="enough")
                posted[execution] = time.time()
            except Conflict:
                report.too_late += 1
            except asyncpg.PostgresError as error:
                report.violations.append(f"{execution}: could not be cancelled: {error}")

    async with asyncio.TaskGroup() as group:
        for n in range(cancels):
            # Some have an attempt that would take far longer than a cancel may.
            input = {**flows.mixed_input(random, n), "ms": random.choice((0, 5, 20, 60, 30_000))}
            group.create_task(one(n, input, random.uniform(0.0, 2.0)))
    if not await arena.all_finished(STOPS_WITHIN_SECONDS + 5.0):
        report.violations.append("not everything was over soon after the last cancel")
    await _judge(arena, document, posted, report)
    return report


async def run_at_once(arena: Arena, cancels: int, seed: int = 1) -> Report:
    """Start executions, cancel all that use the tool at one instant, twice at the same time, and check."""
    random, report = Random(seed), Report()
    document = await flows.save(flows.MIXED)
    for _ in range(2):
        arena.fleet.start()
    for n in range(cancels):
        await flows.start("mixed", {**flows.mixed_input(random, n), "ms": random.choice((20, 60, 30_000))}, str(n))
    await arena.has_begun(cancels)
    using = ExecutionFilter(tool="files.read")
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(executions.cancel_many(OPERATOR, filter=using)) for _ in range(2)]
    at = time.time()
    if not await arena.all_finished(STOPS_WITHIN_SECONDS):
        report.violations.append("not everything was over soon after the cancels")
    meant = max((call.result() for call in calls), key=lambda done: done.matched)
    report.too_late = cancels - meant.asked
    await _judge(arena, document, dict.fromkeys(meant.first_ids, at), report)
    return report


async def _judge(arena: Arena, document: Any, posted: dict[UUID, float], report: Report) -> None:
    rows, events = await arena.rows()
    effects, layout = arena.effects(), checker.layout_of(document)
    report.violations += await arena.violations(document)
    heard = {event.execution for event in events if event.kind == "cancel_requested"}
    poll = arena.fleet.settings["poll_seconds"]
    for row in rows:
        if (at := posted.get(row.parent or row.id)) is None:
            continue
        took = (row.finished_at or time.time()) - at
        report.slowest_stop_seconds = max(report.slowest_stop_seconds, took)
        if took > STOPS_WITHIN_SECONDS:
            report.violations.append(f"{row.id}: ended {took:.1f} s after its cancel")
        if row.parent is not None:
            report.children += 1
            continue
        report.cancelled += row.status == "cancelled"
        report.while_ending += row.status != "cancelled" and row.id in heard
        if row.id not in heard:
            report.passed_over += 1
            if took > poll + 1.0:
                report.violations.append(f"{row.id}: went on for {took:.1f} s and never read its cancel")
    for effect in effects:
        at = posted.get(effect.execution)
        is_late = at is not None and effect.what == "began" and effect.at > at
        if is_late and checker.layout_slot(layout, effect.path) == "main":
            report.begun_after_seconds.append(effect.at - (at or 0.0))
