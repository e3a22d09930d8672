"""Claim: what an event costs the core does not depend on how many steps the execution has.

Measures microseconds of `advance` for each event that completes a step: sequences of 10 to 10,000 steps and single
stages of up to 100 members; the best of 3 runs through the whole plan, in memory. Expect flat lines; a slope means that
a turn looks at steps that are settled already, or copies them.
"""

import time

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
    steps = (
        Step(
            name=f"S{n:05}",
            kind="tool",
            tool="files.read",
            order=0 if is_stage else n,
            parallel_group="all" if is_stage else None,
            input_mapping={"path": "<<input.path>>"},
        )
        for n in range(count)
    )
    return plan_of(Document(name="bench", steps=tuple(steps)))


def seconds_per_event(plan: Plan) -> float:
    """Seconds of `advance` for each completed step, from the first to the last."""
    turn = advance(plan, NEW, ExecutionStarted(input={"path": "a.txt"}))
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
    for count, shape in [*((n, "steps in a row") for n in STEPS), *((n, "steps in one stage") for n in MEMBERS)]:
        plan = plan_with(count, is_stage=shape == "steps in one stage")
        best = min(seconds_per_event(plan) for _ in range(ROUNDS))
        print(f"{count:>6} {shape:<20}{best * 1_000_000:8.1f} µs per event", flush=True)


if __name__ == "__main__":
    main()
