"""Claim: what an event costs the core does not depend on how many steps the execution has run.

Measures microseconds of `advance` for each event that completes a step: loops of ten steps that make 10 to 10,000 runs,
sequences of 10 to 10,000 steps, and single stages of up to 100 members; the best of 3 runs through the whole plan, in
memory. Expect flat lines for loops and stages, and 50 µs at most for 1,000 steps. The context of a sequence has a key
for each step and is copied as each ends, which shows from 1,000 on; a document holds 200 steps at most.
"""

import time
from datetime import datetime
from uuid import UUID

from services.definitions.document import Document, Step
from services.engine.core.commands import StartStep
from services.engine.core.decide import advance
from services.engine.core.events import ExecutionStarted, StepCompleted
from services.engine.core.plan import Plan, plan_of
from services.engine.core.state import NEW

STEPS = (10, 100, 1_000, 10_000)
MEMBERS = (2, 10, 50, 100)
ROUNDS = 3


def plan_with(count: int, *, is_stage: bool) -> Plan:
    """So many steps, one after another or all in one stage; each reads one value of the input."""
    return plan_of(Document(name="bench", steps=tuple(_step(n, is_stage=is_stage) for n in range(count))))


def plan_with_loop(count: int) -> Plan:
    """A loop of ten steps that makes so many runs of them."""
    body = tuple(_step(n, is_stage=False) for n in range(10))
    return plan_of(
        Document(name="bench", steps=(Step(name="Loop", kind="loop", max_iterations=count // 10, steps=body),))
    )


def _step(n: int, *, is_stage: bool) -> Step:
    return Step(
        name=f"S{n:05}",
        kind="tool",
        tool="files.read",
        order=0 if is_stage else n,
        parallel_group="all" if is_stage else None,
        input_mapping={"path": "<<input.path>>"},
    )


def seconds_per_event(plan: Plan) -> float:
    """Seconds of `advance` for each completed step, from the first to the last."""
    turn = advance(plan, NEW, ExecutionStarted(execution=UUID(int=1), at=datetime.min, input={"path": "a.txt"}))
    asked = [command for command in turn.commands if isinstance(command, StartStep)]
    spent, events = 0.0, 0
    while asked:
        command = asked.pop(0)
        event = StepCompleted(path=command.path, attempt=command.attempt, output={"text": "done"})
        began = time.perf_counter()
        turn = advance(plan, turn.state, event)
        spent += time.perf_counter() - began
        events += 1
        asked += [command for command in turn.commands if isinstance(command, StartStep)]
    assert turn.state.phase == "completed"
    return spent / events


def main() -> None:
    """Print a line for each size."""
    plans = [
        *((count, "runs in a loop", plan_with_loop(count)) for count in STEPS),
        *((count, "steps in a row", plan_with(count, is_stage=False)) for count in STEPS),
        *((count, "steps in one stage", plan_with(count, is_stage=True)) for count in MEMBERS),
    ]
    for count, shape, plan in plans:
        best = min(seconds_per_event(plan) for _ in range(ROUNDS))
        print(f"{count:>6} {shape:<20}{best * 1_000_000:8.1f} µs per event", flush=True)


if __name__ == "__main__":
    main()
