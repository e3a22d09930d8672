"""R1: many executions, and everything that can end a worker, a connection or the server while they run."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos import checker, flows
from tests.chaos.arena import Arena, becomes_true

_WORKERS = 3
# One in so many executions waits to be told something, and is, before it waits or while it does.
_TOLD = 3
_LONGEST_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Storm:
    """How much of it there is. Faults come one after another, `interval_seconds` apart, in an order made of `seed`."""

    executions: int = 10_000
    kills: int = 600
    stops: int = 75
    backend_kills: int = 600
    crashes: int = 12
    interval_seconds: float = 0.5
    seed: int = 1


@dataclass
class Report:
    """What was seen. `reclaimed_seconds` is how long each execution was left with a worker that died or stood still."""

    finished: int = 0
    violations: list[str] = field(default_factory=list[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    reclaimed_seconds: list[float] = field(default_factory=list[float])
    events: int = 0
    effects: int = 0
    repeated_effects: int = 0
    signals: int = 0
    seconds: float = 0.0

    @property
    def reclaimed_p99_seconds(self) -> float:
        """The 99th percentile of `reclaimed_seconds`."""
        ordered = sorted(self.reclaimed_seconds) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def __str__(self) -> str:
        return (
            f"{self.finished} executions {dict(self.statuses)} in {self.seconds:.0f} s under {dict(self.faults)}\n"
            f"{self.events} events, {self.effects} effects begun, {self.repeated_effects} of them again\n"
            f"{self.signals} signals taken\n"
            f"{len(self.reclaimed_seconds)} executions taken over, p99 {self.reclaimed_p99_seconds:.2f} s\n"
            f"{len(self.violations)} violations\n" + "\n".join(self.violations[:20])
        )


async def run(arena: Arena, storm: Storm) -> Report:
    """Start executions evenly while the faults go on, wait for their ends, and check."""
    began, random, report = time.monotonic(), Random(storm.seed), Report()
    document = await flows.save(flows.MIXED)
    await flows.save(flows.TOLD)
    for _ in range(_WORKERS):
        arena.fleet.start()
    inputs = [flows.mixed_input(random, n) for n in range(storm.executions)]
    tales = [flows.told_signals(random) for _ in range(storm.executions // _TOLD)]
    weather = _Weather(arena, random, report)
    async with asyncio.TaskGroup() as group:
        faults = group.create_task(weather.blow(storm, group))
        group.create_task(_start_evenly(arena, inputs, _seconds_of(storm)))
        group.create_task(_tell_evenly(arena, tales, _seconds_of(storm), Random(storm.seed), group))
        await faults
    weather.calm()
    is_over = await arena.all_finished(_PATIENCE_SECONDS)
    report.seconds = time.monotonic() - began
    report.violations += [] if is_over else [f"not everything was over within {_PATIENCE_SECONDS:.0f} s"]
    await _judge(arena, document, inputs, report)
    await _judge_tales(arena, len(tales), report)
    return report


def _seconds_of(storm: Storm) -> float:
    return (storm.kills + storm.stops + storm.backend_kills + storm.crashes) * storm.interval_seconds


async def _start_evenly(arena: Arena, inputs: list[dict[str, Any]], seconds: float) -> None:
    began = time.monotonic()
    for n, input in enumerate(inputs):
        await asyncio.sleep(began + seconds * n / len(inputs) - time.monotonic())
        await arena.surely(partial(flows.start, "mixed", input, str(n)))


async def _tell_evenly(
    arena: Arena, tales: list[flows.Tale], seconds: float, random: Random, group: asyncio.TaskGroup
) -> None:
    began = time.monotonic()
    for n, tale in enumerate(tales):
        await asyncio.sleep(began + seconds * n / len(tales) - time.monotonic())
        ms = random.choice((0, 20, 60))
        execution = await arena.surely(partial(flows.start, "told", {"ms": ms}, f"told {n}"))
        pauses = [random.choice((0.0, random.uniform(0, _LONGEST_PAUSE_SECONDS))) for _ in tale]
        group.create_task(_tell(arena, execution, tale, pauses))


async def _tell(arena: Arena, execution: UUID, tale: flows.Tale, pauses: list[float]) -> None:
    for (event, data), pause in zip(tale, pauses, strict=True):
        await asyncio.sleep(pause)
        await arena.surely(partial(flows.tell, execution, event, data))


async def _judge(arena: Arena, document: Any, inputs: list[dict[str, Any]], report: Report) -> None:
    executions, events = await arena.rows()
    effects = arena.effects()
    report.violations += await arena.violations(document)
    report.violations += [f"{process.pid} ended by itself" for process in arena.fleet.fallen()]
    report.finished, report.events = len(executions), len(events)
    report.effects = sum(effect.what == "began" for effect in effects)
    report.repeated_effects = checker.repetitions(effects)
    roots = [execution for execution in executions if execution.orchestration == "mixed"]
    by_key = Counter(execution.key for execution in roots)
    if by_key != Counter(str(n) for n in range(len(inputs))):
        report.violations.append(f"{len(inputs)} executions were asked for and {len(roots)} are there")
    for execution in roots:
        report.statuses[execution.status] += 1
        if (execution.status, execution.output) != (wanted := flows.expected(execution.input)):
            report.violations.append(f"{execution.id}: is {execution.status} and should be {wanted[0]}")


async def _judge_tales(arena: Arena, number: int, report: Report) -> None:
    """Each was told all, once, and went on with it: none of what was accepted is lost or taken again."""
    executions, events = await arena.rows()
    told = [execution for execution in executions if execution.orchestration == "told"]
    if Counter(execution.key for execution in told) != Counter(f"told {n}" for n in range(number)):
        report.violations.append(f"{number} executions were to be told something and {len(told)} are there")
    for execution in told:
        report.statuses[execution.status] += 1
        if (execution.status, execution.output) != ("completed", flows.TOLD_OUTPUT):
            report.violations.append(f"{execution.id}: was told all and is {execution.status}: {execution.output}")
    received = Counter(event.execution for event in events if event.kind == "signal_received")
    report.violations += [f"{id}: was told {count} times, and not 5" for id, count in received.items() if count != 5]
    report.signals = sum("signal" in event.payload for event in events)


@dataclass
class _Weather:
    """The faults, one after another."""

    arena: Arena
    random: Random
    report: Report
    crashed_at: float = 0.0

    async def blow(self, storm: Storm, group: asyncio.TaskGroup) -> None:
        numbers = ((self._kill, storm.kills), (self._stop, storm.stops), (self._end_backend, storm.backend_kills),
                   (self._crash, storm.crashes))  # fmt: skip
        faults = [fault for fault, number in numbers for _ in range(number)]
        self.random.shuffle(faults)
        for fault in faults:
            await asyncio.sleep(storm.interval_seconds)
            await fault(group)

    def calm(self) -> None:
        """Let everything that stands still go on."""
        for process in self.arena.fleet.workers:
            if process.pid in self.arena.fleet.stopped:
                self.arena.fleet.resume(process)

    async def _kill(self, group: asyncio.TaskGroup) -> None:
        fleet, process = self.arena.fleet, await self._victim()
        # It stands still for the moment in which we look at what it has.
        fleet.halt(process)
        held = await self._held_by(process)
        fleet.kill(process)
        fleet.stopped.discard(process.pid or 0)
        group.create_task(self._watch(held))
        fleet.start()
        self.report.faults["kill -9"] += 1

    async def _stop(self, group: asyncio.TaskGroup) -> None:
        process = await self._victim()
        self.arena.fleet.halt(process)
        group.create_task(self._watch(await self._held_by(process)))
        group.create_task(self._go_on_later(process))
        self.report.faults["SIGSTOP"] += 1

    async def _go_on_later(self, process: BaseProcess) -> None:
        lease = self.arena.fleet.settings["lease_seconds"]
        await asyncio.sleep(lease * self.random.uniform(1.5, 2.5))
        self.arena.fleet.resume(process)

    async def _end_backend(self, _group: asyncio.TaskGroup) -> None:
        """Of a worker or of the one who starts executions; which of its connections is a matter of luck."""
        self.arena.fleet.disturb_all()
        ended = await self.arena.surely(
            lambda: self.arena.database.pool.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
            )
        )
        self.report.faults["backend"] += len(ended)

    async def _crash(self, _group: asyncio.TaskGroup) -> None:
        self.arena.fleet.disturb_all()
        self.crashed_at = time.monotonic()
        await self.arena.server.restart_after(self.random.uniform(0.0, 0.5))
        self.crashed_at = time.monotonic()
        self.report.faults["Postgres"] += 1

    async def _victim(self) -> BaseProcess:
        """A worker that does not stand still, once there is one beside it that works."""

        async def is_there() -> bool:
            return len(self.arena.fleet.going()) > 1

        assert await becomes_true(is_there, _PATIENCE_SECONDS)
        return self.random.choice(self.arena.fleet.going())

    async def _held_by(self, process: BaseProcess) -> dict[UUID, int]:
        rows = await self._ask(
            "SELECT execution.id, epoch FROM execution JOIN worker ON worker.id = owner"
            " WHERE worker.name LIKE '%:' || $1",
            str(process.pid),
        )
        return {row["id"]: row["epoch"] for row in rows}

    async def _watch(self, held: dict[UUID, int]) -> None:
        """Until each execution has been claimed again. A crash of the server in between spoils the measurement."""
        began, left = time.monotonic(), dict(held)
        while left:
            rows = await self._ask(
                "SELECT id, epoch FROM execution WHERE id = ANY($1::uuid[]) AND finished_at IS NULL", list(left)
            )
            waiting = {row["id"] for row in rows if row["epoch"] == held[row["id"]]}
            for _ in left.keys() - waiting:
                if self.crashed_at < began:
                    self.report.reclaimed_seconds.append(time.monotonic() - began)
            left = {id: epoch for id, epoch in left.items() if id in waiting}
            await asyncio.sleep(_LOOK_SECONDS)

    async def _ask(self, query: str, *arguments: object) -> list[Any]:
        ask: Callable[[], Awaitable[list[Any]]] = partial(self.arena.database.pool.fetch, query, *arguments)
        return await self.arena.surely(ask)
