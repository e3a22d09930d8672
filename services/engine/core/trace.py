"""What happened to each step: the history, seen step by step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.engine.core.agenda import Agenda, everything
from services.engine.core.commands import StartStep
from services.engine.core.decide import replay
from services.engine.core.events import (
    AnyEvent,
    BlockEntered,
    BlockFailed,
    ChildStarted,
    ExecutionRestarted,
    ModelCall,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOverridden,
    StepSkipped,
    StepStarted,
    StepWaiting,
    Usage,
)
from services.engine.core.evolve import evolve
from services.engine.core.paths import frame_of, is_within, owner_of
from services.engine.core.plan import Plan, PlannedStep
from services.engine.core.state import NEW, OPEN, State, StepState, StepStatus
from services.failure import Failure
from services.json import Json


@dataclass(slots=True)
class StepTrace:
    """One instance of a step so far.

    `stage` is its stage in its sequence; `started_at` is when its first attempt was wanted; `spent` is what each
    attempt cost, and `calls` are those of models, each with its attempt; `child` is the execution that it has started
    last; `overridden_by` is who settled it by hand.
    """

    path: str
    stage: int
    status: StepStatus = "pending"
    attempts: int = 0
    input: Json = None
    output: Json = None
    failure: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int = 0
    child: UUID | None = None
    spent: list[Usage] = field(default_factory=list[Usage])
    calls: list[tuple[int, ModelCall]] = field(default_factory=list[tuple[int, ModelCall]])
    overridden_by: str | None = None

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
    """The state after `history`, with what is under way marked as running, and what happened to each step, by path.

    Steps are in the order of the plan; those of a frame follow the step that they stand in. An input is not in the
    journal: it follows from the plan and what came before, so it is resolved again here.
    """
    state, agenda = NEW, Agenda()
    steps = {member.name: StepTrace(member.name, n) for n, member in _main(plan)}
    events: list[AnyEvent] = []
    for event, at in history:
        events.append(event)
        before, state = state, evolve(plan, state, event)
        agenda.touch(event)
        if isinstance(event, ExecutionRestarted):
            # What was wanted by then is wanted by the new execution, and sees what the restart has changed.
            state = replay(plan, events)
            agenda = everything(state)
        _note(steps, before, state, event, at)
        # What the core settles by itself stands next in the history; only what it wants started is taken from here.
        for command in agenda.next(plan, state):
            if isinstance(command, StartStep):
                state = _start(steps, plan, state, command, at)
    return state, dict(sorted(steps.items(), key=lambda entry: _place(plan, entry[0])))


def _place(plan: Plan, path: str) -> list[tuple[int, int]]:
    """Where a step stands among all: for each part of its path, the place of the step and the frame it goes into."""
    frames = [part.rstrip("]").partition("[") for part in path.split("/")]
    return [(plan.steps[name].place, int(index or 0)) for name, _, index in frames]


def _main(plan: Plan) -> Iterable[tuple[int, PlannedStep]]:
    return ((n, member) for n, stage in enumerate(plan.blocks["main"].stages) for member in stage.members)


def _start(steps: dict[str, StepTrace], plan: Plan, state: State, command: StartStep, at: datetime) -> State:
    step = _step(steps, state, command.path)
    step.started_at = step.started_at or at
    if command.delay_ms or command.until:
        return state
    step.status, step.attempts, step.input = "running", command.attempt, command.input
    return evolve(plan, state, StepStarted(path=command.path, attempt=command.attempt, input=command.input))


def _step(steps: dict[str, StepTrace], state: State, path: str) -> StepTrace:
    if path not in steps:
        frame = state.frames.get(frame_of(path))
        steps[path] = StepTrace(path, frame.stage if frame is not None else 0)
    return steps[path]


def _note(steps: dict[str, StepTrace], before: State, state: State, event: AnyEvent, at: datetime) -> None:
    match event:
        case StepCompleted(path=path) | StepFailed(path=path):
            _answered(_step(steps, before, path), state.steps.get(path), event, at)
            if isinstance(event, StepFailed):
                _cancel(steps, at, lambda other: is_within(other, path))
        case StepSkipped(path=path):
            step = _step(steps, before, path)
            step.status, step.finished_at = "skipped", at
        case StepCancelled(path=path):
            _step(steps, before, path)
            _cancel(steps, at, lambda other: other == path or is_within(other, path))
        case StepOverridden(path=path, by=by):
            _step(steps, before, path).overridden_by = by
            _cancel(steps, at, lambda other: is_within(other, path))
        case StepWaiting(path=path):
            step = _step(steps, before, path)
            step.status, step.attempts, step.started_at = "waiting", 1, at
        case ChildStarted(path=path, attempt=attempt, execution=child):
            step = _step(steps, before, path)
            step.status, step.attempts, step.child = "waiting", attempt, child
            step.started_at = step.started_at or at
        case BlockEntered(path=path) if path and owner_of(path) in state.steps:
            step = _step(steps, before, owner_of(path))
            step.status, step.attempts, step.started_at = "running", max(step.attempts, 1), step.started_at or at
        case BlockFailed(path=frame):
            _cancel(steps, at, lambda other: other.startswith(frame))
        case _:
            pass


def _answered(step: StepTrace, now: StepState | None, event: StepCompleted | StepFailed, at: datetime) -> None:
    step.attempts = max(step.attempts, event.attempt)
    step.started_at, step.finished_at = step.started_at or at, at
    step.duration_ms += event.duration_ms
    if event.usage is not None:
        step.spent.append(event.usage)
    step.calls += [(event.attempt, call) for call in event.calls]
    if isinstance(event, StepCompleted):
        step.status, step.output, step.failure = "completed", event.output, None
        return
    step.failure = event.failure
    # A step whose stage has finished has no state any more: it failed, and its stage could do without it.
    step.status = "failed" if now is None else now.status
    if step.status in OPEN:
        step.finished_at = None


def _cancel(steps: dict[str, StepTrace], at: datetime, is_meant: Callable[[str], bool]) -> None:
    for path, step in steps.items():
        if step.status in OPEN and is_meant(path):
            step.status, step.finished_at = "cancelled", at
