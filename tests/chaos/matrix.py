"""R2: a worker that ends before or after each of its SQL statements and external calls."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from tests.chaos import checker, flows
from tests.chaos.arena import Arena, becomes_true
from tests.chaos.crash import EXIT_CODE, VARIABLE

PATIENCE_SECONDS = 20.0
# What differs from run to run, whatever happens.
_OWN = ("execution", "at", "durationMs")


@dataclass
class Report:
    """What was seen. Timers and heartbeats are not counted alike in every run, so a few points are not reached."""

    points: list[str] = field(default_factory=list[str])
    reached: int = 0
    passed: int = 0
    violations: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return (
            f"{len(self.points)} statements and calls; {self.reached} crashes, {self.passed} points not reached;"
            f" {len(self.violations)} violations\n" + "\n".join(self.violations[:20])
        )


class Matrix:
    """One reference execution, and the same again with a crash at some point."""

    def __init__(self, arena: Arena, *, breaks: bool) -> None:
        self.report = Report()
        self._arena = arena
        self._input = {"breaks": breaks}
        self._crashed: dict[UUID, str] = {}
        self._document: Any = None

    async def count(self) -> int:
        """How many points there are, in a run without a crash."""
        self._document = await flows.save(flows.TWELVE)
        self._crashed[await self._start("0")] = "0"
        worker = self._arena.fleet.start(**{VARIABLE: "0"})
        assert await self._arena.all_finished(PATIENCE_SECONDS)
        note = self._arena.fleet.directory / f"{worker.pid}.points"
        self._arena.fleet.kill(worker)
        self.report.points = note.read_text().splitlines()
        return len(self.report.points)

    async def crash_at(self, point: str) -> None:
        """An execution whose worker ends there; another one takes over."""
        self._crashed[await self._start(point)] = point
        worker = self._arena.fleet.start(**{VARIABLE: point})

        async def is_settled() -> bool:
            return worker.exitcode is not None or await self._arena.all_finished(0.0)

        await becomes_true(is_settled, PATIENCE_SECONDS)
        if worker.exitcode == EXIT_CODE:
            self.report.reached += 1
        elif worker.exitcode is None:
            self.report.passed += 1
        else:
            self.report.violations.append(f"at {point} the worker ended with {worker.exitcode}")
        self._arena.fleet.kill(worker)
        rescuer = self._arena.fleet.start()
        if not await self._arena.all_finished(PATIENCE_SECONDS):
            self.report.violations.append(f"at {point} nobody finished it")
        self._arena.fleet.kill(rescuer)

    async def judge(self) -> Report:
        """The report, once every execution has been compared with the first."""
        rows, events = await self._arena.rows()
        report = self.report
        report.violations += await self._arena.violations(self._document)
        kept = {row.id: self._kept(row, [event for event in events if event.execution == row.id]) for row in rows}
        reference = next(kept[id] for id, point in self._crashed.items() if point == "0")
        for id, point in self._crashed.items():
            if kept[id] != reference:
                report.violations.append(f"at {point} it ended otherwise than without a crash")
        return report

    async def _start(self, key: str) -> UUID:
        return await flows.start("twelve", self._input, key)

    def _kept(self, row: checker.Execution, events: list[checker.Event]) -> tuple[str, Any, Any, Counter[bytes]]:
        """All that an execution leaves; members of a group may come in any order."""
        said = Counter(
            msgspec.json.encode(
                {name: value for name, value in event.payload.items() if name not in _OWN}, order="sorted"
            )
            for event in events
        )
        return row.status, row.output, row.error, said
