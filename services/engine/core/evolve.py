"""What an event makes of a state. A late answer to a settled step changes nothing."""

from decimal import Decimal
from typing import assert_never

from msgspec.structs import replace

from services.engine.core import ending, frames
from services.engine.core.carried import carried_out
from services.engine.core.edits import edited
from services.engine.core.events import (
    AnyEvent,
    BlockEntered,
    BlockFailed,
    CancelRequested,
    ChildStarted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionEnding,
    ExecutionFailed,
    ExecutionRestarted,
    ExecutionStarted,
    PauseRequested,
    ResumeRequested,
    SignalReceived,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepNoted,
    StepOverridden,
    StepSkipped,
    StepStarted,
    StepWaiting,
    TimeExpired,
    Usage,
)
from services.engine.core.paths import MAIN, frame_of, name_of
from services.engine.core.plan import Plan, handler_slot
from services.engine.core.retries import delay_before, is_tried_again
from services.engine.core.state import FINISHED, Frame, State, StepState, Undo, growth, is_open
from services.failure import Failure
from services.json import Json

_PENDING = StepState(status="pending")


def evolve(plan: Plan, state: State, event: AnyEvent) -> State:
    """The state after `event`."""
    match event:
        case ExecutionStarted():
            return _started(state, event)
        case StepStarted(path=path):
            return _attempted(state, event) if is_open(plan, state, path) else state
        case StepNoted(path=path, note=note):
            step = state.steps.get(path, _PENDING)
            noted = replace(step, notes=(*step.notes, note))
            return frames.with_step(state, path, noted) if is_open(plan, state, path) else state
        case StepWaiting(path=path):
            return frames.with_step(state, path, _waiting(event)) if is_open(plan, state, path) else state
        case StepCompleted(path=path):
            return _completed(plan, _with_usage(state, event.usage), event) if is_open(plan, state, path) else state
        case StepFailed(path=path):
            return _failed(plan, _with_usage(state, event.usage), event) if is_open(plan, state, path) else state
        case ChildStarted(path=path):
            return _with_child(state, event) if is_open(plan, state, path) else state
        case StepSkipped(path=path):
            return (
                frames.settled(plan, state, path, StepState(status="skipped")) if is_open(plan, state, path) else state
            )
        case StepCancelled(path=path):
            cancelled = StepState(
                status="cancelled", attempt=event.attempt, failure=state.steps.get(path, _PENDING).failure
            )
            return frames.settled(plan, state, path, cancelled) if is_open(plan, state, path) else state
        case BlockEntered(path=path, slot=slot):
            is_part = state.ending is not None and (path, slot) in state.ending.left
            return ending.enter_part(state, event) if is_part else frames.entered(plan, state, event)
        case BlockFailed(path=path):
            is_part = state.ending is not None and state.ending.under_way == path
            return ending.leave_part(state) if is_part else frames.item_failed(state, event)
        case CancelRequested(reason=reason):
            return state if state.phase in FINISHED else _cancelling(replace(state, reason=reason))
        case PauseRequested():
            return replace(state, is_paused=True) if state.phase in ("running", "ending") else state
        case ResumeRequested():
            return replace(state, is_paused=False)
        case TimeExpired():
            return _expired(plan, state) if state.phase in ("running", "stopping") else state
        case ExecutionEnding():
            return ending.begin(plan, state, event)
        case ExecutionCompleted():
            return replace(state, phase="completed", output=event.output)
        case ExecutionFailed():
            return replace(state, phase="failed", failure=event.failure)
        case ExecutionCancelled():
            return replace(state, phase="cancelled")
        case ExecutionRestarted():
            return edited(state, event)
        case SignalReceived(id=id):
            return state if state.phase in FINISHED else replace(state, signals={**state.signals, id: event})
        case StepOverridden():
            return state
        case _:
            assert_never(event)


def _started(state: State, event: ExecutionStarted) -> State:
    context: dict[str, Json] = {"input": event.input}
    return replace(
        state,
        phase="running",
        execution={"id": str(event.execution), "startedAt": event.at.isoformat()},
        input=event.input,
        roles=event.roles,
        role_assignments=event.role_assignments,
        calls=event.calls,
        depth=event.depth,
        frames={MAIN: Frame(slot="main", context=context, context_bytes=growth({}, context) + 1)},
    )


def _waiting(event: StepWaiting) -> StepState:
    if event.for_event is not None:
        return StepState(status="waiting", attempt=1, event=event.for_event)
    return StepState(status="waiting", input=event.for_ms if event.until is None else event.until)


def _attempted(state: State, event: StepStarted) -> State:
    step = state.steps.get(event.path, _PENDING)
    if step.status == "waiting":
        return frames.with_step(state, event.path, replace(step, attempt=event.attempt, has_timer=True))
    running = replace(step, status="running", attempt=event.attempt, input=event.input)
    return frames.with_step(state, event.path, running)


def _with_child(state: State, event: ChildStarted) -> State:
    step = state.steps.get(event.path, _PENDING)
    waiting = replace(step, status="waiting", attempt=event.attempt, input=None, child=event.execution)
    return frames.with_step(state, event.path, waiting)


def _completed(plan: Plan, state: State, event: StepCompleted) -> State:
    path, name = event.path, name_of(event.path)
    if event.signal is not None:
        state = _with_signal_taken(state, event.signal)
    before = state.steps.get(path, _PENDING)
    writes, results = carried_out(plan, state, path)
    own = {name: event.output} if event.writes is None else event.writes
    step = StepState(
        status="completed",
        attempt=event.attempt,
        output=event.output,
        writes={**writes, **own} if writes else own,
        results=results,
    )
    definition = plan.steps[name].definition
    if definition.compensate and before.handler is None and state.ending is None:
        roots = state.frames[frame_of(path)].roots
        state = replace(state, undo=(*state.undo, Undo(path=path, output=event.output, roots=roots)))
    if definition.kind == "stop" and state.phase == "running":
        return replace(state, phase="stopping", output=event.output, steps={**state.steps, path: step})
    return frames.settled(plan, state, path, step)


def _failed(plan: Plan, state: State, event: StepFailed) -> State:
    path, failure = event.path, event.failure
    if event.signal is not None:
        state = _with_signal_taken(state, event.signal)
    definition = plan.steps[name_of(path)].definition
    before = state.steps.get(path, _PENDING)
    delay = delay_before(definition, failure, event.attempt, event.fraction)
    spent = before.spent_ms + event.duration_ms
    step = replace(
        before,
        attempt=event.attempt if before.handler is None else before.attempt,
        failure=failure,
        origin=event.origin,
        spent_ms=spent,
        accounted=len(before.notes),
        inside=None,
        child=None,
        event=None,
        has_timer=False,
    )
    has_time = definition.total_timeout is None or spent + delay < definition.total_timeout
    if before.handler is None and has_time and is_tried_again(definition, failure, event.attempt):
        retrying = replace(step, status="retrying", delay_ms=delay, spent_ms=spent + delay)
        return frames.with_step(state, path, retrying)
    state, step = frames.without_inside(state, path), replace(step, input=None)
    match None if before.handler is not None else handler_slot(definition, failure.code):
        case None:
            return frames.settled(plan, state, path, replace(step, status="failed"))
        case "continue":
            excused = replace(step, status="completed", is_excused=True, writes={definition.name: None})
            return frames.settled(plan, state, path, excused)
        case slot:
            return frames.with_step(state, path, replace(step, status="running", handler=slot))


def _with_signal_taken(state: State, id: int) -> State:
    return replace(state, signals={other: signal for other, signal in state.signals.items() if other != id})


def _with_usage(state: State, usage: Usage | None) -> State:
    if usage is None:
        return state
    tokens = state.tokens + usage.input_tokens + usage.output_tokens
    return replace(state, tokens=tokens, cost_usd=state.cost_usd + (usage.cost_usd or Decimal(0)))


def _expired(plan: Plan, state: State) -> State:
    message = f"the execution has worked longer than its `timeoutMs` of {plan.timeout_ms} ms"
    failure = Failure(code="TIMEOUT", message=message, retryable=False)
    return replace(state, phase="stopping", failure=failure, has_timed_out=True, is_paused=False)


def _cancelling(state: State) -> State:
    state = replace(state, is_paused=False)
    match state.phase:
        case "running" | "stopping":
            return replace(state, phase="cancelling")
        case "ending":
            return ending.cut_short(state)
        case _:
            return state
