"""R7: many timers at once, of which none is lost, early or fired twice, while workers die."""

import time
from dataclasses import dataclass, field
from random import Random

from tests.chaos import checker, flows
from tests.chaos.arena import Arena

_EACH = 20
_AT_ONCE = 250
_THERE_IS_ROOM = "SELECT count(*) < $1 FROM execution WHERE finished_at IS NULL"
_LONGEST_MS = 1_500


@dataclass
class Report:
    """What was seen; `late_seconds` is how long after its time each timer fired."""

    violations: list[str] = field(default_factory=list[str])
    fired: int = 0
    kills: int = 0
    seconds: float = 0.0
    late_seconds: list[float] = field(default_factory=list[float])

    @property
    def late_p99_seconds(self) -> float:
        """The 99th percentile of `late_seconds`."""
        ordered = sorted(self.late_seconds) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def __str__(self) -> str:
        return (
            f"{self.fired} timers fired in {self.seconds:.0f} s under {self.kills} kill -9;"
            f" p99 {self.late_p99_seconds:.3f} s late\n{len(self.violations)} violations\n"
            + "\n".join(self.violations[:20])
        )


async def run(arena: Arena, timers: int, kills: int, seed: int = 1) -> Report:
    """Start executions with twenty timers each, kill workers now and then, and check."""
    began, random, report = time.monotonic(), Random(seed), Report()
    document = await flows.save(flows.TIMERS)
    for _ in range(2):
        arena.fleet.start()
    count = timers // _EACH
    kills_at = {count * (number + 1) // (kills + 1) for number in range(kills)}
    for n in range(count):
        assert await arena.becomes_true(_THERE_IS_ROOM, 60.0, _AT_ONCE)
        await flows.start("timers", {"naps": [random.randrange(_LONGEST_MS) for _ in range(_EACH)]}, str(n))
        if n in kills_at:
            arena.fleet.kill(random.choice(arena.fleet.workers))
            arena.fleet.start()
            report.kills += 1
    if not await arena.all_finished(60.0):
        report.violations.append("not everything was over within a minute of the last start")
    report.seconds = time.monotonic() - began
    rows, events = await arena.rows()
    report.violations += await arena.violations(document)
    report.violations += [
        f"{row.id}: is {row.status} with {row.output}" for row in rows if row.output != {"fired": _EACH}
    ]
    _measure(events, report)
    return report


def _measure(events: list[checker.Event], report: Report) -> None:
    set_ = {(event.execution, event.path): event for event in events if event.kind == "step_waiting"}
    for event in events:
        timer = set_.get((event.execution, event.path))
        if event.kind == "step_completed" and timer is not None:
            report.fired += 1
            report.late_seconds.append(event.recorded_at - timer.recorded_at - timer.payload["forMs"] / 1000)
