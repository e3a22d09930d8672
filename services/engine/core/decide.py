"""The engine's core: what follows from what happened. No clock, no randomness, no I/O.

A turn is *evolve, then decide until quiet*. The laws that the tests hold it to: a turn leaves nothing to decide; an
unfinished execution always waits for something; the journal replays to the same state from any cut; the order of
independent answers does not change the output.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.engine.core.commands import Command, Record, StartStep, StopStep
from services.engine.core.events import (
    AnyEvent,
    ExecutionCancelled,
    ExecutionFailed,
    StepCancelled,
    StepFailed,
    StepStarted,
)
from services.engine.core.evolve import evolve
from services.engine.core.plan import Plan, PlannedStep
from services.engine.core.settle import complete, complete_execution, failure_of, input_of, skipped
from services.engine.core.state import FINISHED, NEW, OPEN, State, StepState
from services.expressions import EvaluationError
from services.json import Json


@dataclass(frozen=True, slots=True)
class Turn:
    """What one event led to: the new state, the events to journal (the given one first), what to do after that."""

    state: State
    events: tuple[AnyEvent, ...]
    commands: tuple[StartStep | StopStep, ...]


def advance(plan: Plan, state: State, *events: AnyEvent) -> Turn:
    """Let `events` happen, then decide until nothing is left to decide."""
    happened: list[AnyEvent] = []
    for event in events:
        state = evolve(plan, state, event)
        happened.append(event)
    wanted: dict[str, StartStep | StopStep] = {}
    while commands := decide(plan, state):
        for command in commands:
            match command:
                case Record(event):
                    state = evolve(plan, state, event)
                    happened.append(event)
                case StartStep():
                    started = StepStarted(path=command.path, attempt=command.attempt, input=command.input)
                    state = evolve(plan, state, started)
                    wanted[command.path] = command
                case StopStep():
                    stopped = StepCancelled(path=command.path, attempt=state.steps[command.path].attempt)
                    state = evolve(plan, state, stopped)
                    happened.append(stopped)
                    # A start of this very turn has not reached anybody yet: it is enough to forget it.
                    if wanted.pop(command.path, None) is None:
                        wanted[command.path] = command
    return Turn(state, tuple(happened), tuple(wanted.values()))


def resume(plan: Plan, state: State) -> Turn:
    """What is wanted by an execution that was just replayed: everything that was under way, once more."""
    return advance(plan, state)


def replay(plan: Plan, history: Iterable[AnyEvent], state: State = NEW) -> State:
    """The state after `history`."""
    for event in history:
        state = evolve(plan, state, event)
    return state


def decide(plan: Plan, state: State) -> tuple[Command, ...]:
    """What is wanted and not yet asked for. What can be settled at once comes alone, before anything is started."""
    if state.phase == "new" or state.phase in FINISHED:
        return ()
    if state.phase == "cancelling":
        return _stops(plan, state) or (Record(ExecutionCancelled(reason=state.reason)),)
    if state.stage == len(plan.stages):
        return (Record(complete_execution(plan, state)),)
    if failed := _first_failed(plan, state):
        failure = state.steps[failed.name].failure
        assert failure is not None, "a failed step says why"
        return _stops(plan, state) or (Record(ExecutionFailed(failure=failure, path=failed.name)),)
    wanted = [command for member in plan.stages[state.stage] if (command := _next(state, member)) is not None]
    return tuple(command for command in wanted if isinstance(command, Record)) or tuple(wanted)


def _stops(plan: Plan, state: State) -> tuple[StopStep, ...]:
    """What is still to be stopped. Only the stage under way has steps that are not settled."""
    members = plan.stages[state.stage] if state.stage < len(plan.stages) else ()
    steps = ((member.name, state.steps.get(member.name)) for member in members)
    return tuple(StopStep(path=name) for name, step in steps if step is not None and step.status in OPEN)


def _next(state: State, member: PlannedStep) -> Command | None:
    step = state.steps.get(member.name)
    if step is None or step.status == "pending":
        return _begin(state, member, notes=step.notes if step else ())
    return _retry(state, member, step) if step.status == "retrying" else None


def _begin(state: State, member: PlannedStep, notes: tuple[Json, ...]) -> Command:
    try:
        if (event := skipped(member, state)) is not None:
            return Record(event)
        data = input_of(member, state)
    except EvaluationError as error:
        return Record(StepFailed(path=member.name, attempt=0, failure=failure_of(error)))
    if member.definition.kind == "transform":
        return Record(complete(member, state, attempt=1, input=data, output=data))
    return StartStep(path=member.name, attempt=1, input=data, notes=notes)


def _retry(state: State, member: PlannedStep, step: StepState) -> Command:
    # A replayed step has lost its input; it is resolved again from the same context, so it is the same.
    data = input_of(member, state) if step.input is None else step.input
    after = step.failure.retry_after_seconds if step.failure else None
    delay_ms = max(member.definition.retry_delay, int((after or 0) * 1000))
    return StartStep(path=member.name, attempt=step.attempt + 1, input=data, delay_ms=delay_ms, notes=step.notes)


def _first_failed(plan: Plan, state: State) -> PlannedStep | None:
    for member in plan.stages[state.stage]:
        step = state.steps.get(member.name)
        if step is not None and step.status == "failed":
            return member
    return None
