"""What an event makes of a state. A late answer to a settled step changes nothing."""

from typing import assert_never

from msgspec.structs import replace

from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepNoted,
    StepSkipped,
    StepStarted,
)
from services.engine.core.plan import Plan, PlannedStep
from services.engine.core.state import FINISHED, OPEN, State, StepState, size_of
from services.json import Json

_PENDING = StepState(status="pending")


def evolve(plan: Plan, state: State, event: AnyEvent) -> State:
    """The state after `event`."""
    match event:
        case ExecutionStarted():
            return _started(state, event)
        case StepStarted(path=path, attempt=attempt):
            step = state.steps.get(path, _PENDING)
            return _with(state, path, replace(step, status="running", attempt=attempt, input=event.input))
        case StepNoted(path=path, note=note):
            step = state.steps.get(path, _PENDING)
            return _with(state, path, replace(step, notes=(*step.notes, note))) if _is_open(state, path) else state
        case StepCompleted(path=path):
            return _completed(plan, state, event) if _is_open(state, path) else state
        case StepFailed(path=path):
            return _failed(plan, state, event) if _is_open(state, path) else state
        case StepSkipped(path=path):
            return _settled(plan, state, path, StepState(status="skipped")) if _is_open(state, path) else state
        case StepCancelled(path=path):
            failure = state.steps.get(path, _PENDING).failure
            return _with(state, path, StepState(status="cancelled", attempt=event.attempt, failure=failure))
        case CancelRequested():
            return replace(state, phase="cancelling", reason=event.reason) if state.phase == "running" else state
        case ExecutionCompleted():
            return replace(state, phase="completed", output=event.output)
        case ExecutionFailed():
            return replace(state, phase="failed", failure=event.failure)
        case ExecutionCancelled():
            return replace(state, phase="cancelled")
        case _:
            assert_never(event)


def _is_open(state: State, path: str) -> bool:
    step = state.steps.get(path)
    return state.phase not in FINISHED and (step is None or step.status in OPEN)


def _started(state: State, event: ExecutionStarted) -> State:
    context: dict[str, Json] = {"input": event.input}
    return replace(
        state, phase="running", input=event.input, roles=event.roles, context=context, context_bytes=size_of(context)
    )


def _completed(plan: Plan, state: State, event: StepCompleted) -> State:
    writes = {event.path: event.output} if event.writes is None else event.writes
    step = StepState(status="completed", attempt=event.attempt, output=event.output, writes=writes)
    return _settled(plan, replace(state, context_bytes=state.context_bytes + size_of(writes)), event.path, step)


def _failed(plan: Plan, state: State, event: StepFailed) -> State:
    step = state.steps.get(event.path, _PENDING)
    again = event.failure.retryable and event.attempt <= plan.steps[event.path].definition.max_retries
    after = replace(step, status="retrying", attempt=event.attempt, failure=event.failure)
    return _with(state, event.path, after if again else replace(after, status="failed", input=None))


def _settled(plan: Plan, state: State, path: str, step: StepState) -> State:
    state = _with(state, path, step)
    members = plan.stages[state.stage]
    if all(_is_done(state, member) for member in members):
        return _finish_stage(state, members)
    return state


def _is_done(state: State, member: PlannedStep) -> bool:
    step = state.steps.get(member.name)
    return step is not None and step.status in ("completed", "skipped")


def _finish_stage(state: State, members: tuple[PlannedStep, ...]) -> State:
    """The state once every member has its result: their writes are applied in (order, name) order."""
    context, results = dict(state.context), dict(state.results)
    for member in members:
        step = state.steps[member.name]
        results[member.name] = {"status": step.status, "output": step.output, "error": None, "attempts": step.attempt}
        if step.status == "skipped":
            context.setdefault(member.name, None)
        context.update(step.writes)
    outputs: dict[str, Json] = {member.name: state.steps[member.name].output for member in members}
    previous = outputs if len(members) > 1 else next(iter(outputs.values()))
    return replace(state, stage=state.stage + 1, context=context, results=results, previous=previous)


def _with(state: State, path: str, step: StepState) -> State:
    return replace(state, steps={**state.steps, path: step})
