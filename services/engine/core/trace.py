"""What happened to each step: the history, seen step by step."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.engine.core.commands import StartStep
from services.engine.core.decide import decide
from services.engine.core.events import (
    AnyEvent,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
    Usage,
)
from services.engine.core.evolve import evolve
from services.engine.core.plan import Plan
from services.engine.core.state import FINISHED, NEW, State
from services.failure import Failure
from services.json import Json


@dataclass(slots=True)
class StepTrace:
    """One step so far. `started_at` is when its first attempt was wanted; `spent` is what each attempt cost."""

    attempts: int = 0
    input: Json = None
    output: Json = None
    failure: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int = 0
    spent: list[Usage] = field(default_factory=list[Usage])

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output tokens of all attempts."""
        return sum(usage.input_tokens for usage in self.spent), sum(usage.output_tokens for usage in self.spent)

    @property
    def cost_usd(self) -> Decimal | None:
        """The price of all attempts; None when that of any is not known."""
        costs = [usage.cost_usd for usage in self.spent]
        return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))


def trace(plan: Plan, history: Iterable[tuple[AnyEvent, datetime]]) -> tuple[State, dict[str, StepTrace]]:
    """The state after `history`, with what is under way marked as running, and what happened to each step.

    An input is not in the journal: it follows from the plan and what came before, so it is resolved again here.
    """
    state, steps = NEW, {name: StepTrace() for name in plan.steps}
    for event, at in history:
        state = evolve(plan, state, event)
        _note(steps, event, at)
        # What the core settles by itself stands next in the history; only what it wants started is taken from here.
        wanted = [command for command in decide(plan, state) if isinstance(command, StartStep)]
        for command in wanted if state.phase not in FINISHED else ():
            started = StepStarted(path=command.path, attempt=command.attempt, input=command.input)
            if command.delay_ms == 0:
                state = evolve(plan, state, started)
            step = steps[command.path]
            step.attempts, step.input = command.attempt, command.input
            step.started_at = step.started_at or at
    return state, steps


def _note(steps: dict[str, StepTrace], event: AnyEvent, at: datetime) -> None:
    match event:
        case StepCompleted() | StepFailed():
            step = steps[event.path]
            step.attempts = max(step.attempts, event.attempt)
            step.started_at, step.finished_at = step.started_at or at, at
            step.duration_ms += event.duration_ms
            if event.usage is not None:
                step.spent.append(event.usage)
            if isinstance(event, StepCompleted):
                step.output, step.failure = event.output, None
            else:
                step.failure = event.failure
        case StepSkipped() | StepCancelled():
            steps[event.path].finished_at = at
        case _:
            pass
