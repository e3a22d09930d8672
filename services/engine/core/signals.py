"""Signals: which of them the steps that wait for an event take."""

from msgspec.structs import replace

from services.engine.core.commands import Record
from services.engine.core.events import SignalReceived, StepCompleted, StepFailed
from services.engine.core.paths import frame_of, name_of
from services.engine.core.plan import Plan, Wait
from services.engine.core.settle import complete, failure_of
from services.engine.core.state import State, scope
from services.expressions import EvaluationError
from services.json import Json


def take(plan: Plan, state: State, path: str, event: str) -> tuple[Record, ...]:
    """What settles the step at `path`, which waits for `event`: the earliest signal that is kept and matches."""
    for signal in state.signals.values():
        if signal.name == event and (settled := _settled_by(plan, state, path, signal)) is not None:
            return (Record(settled),)
    return ()


def offer(plan: Plan, state: State, id: int) -> tuple[Record, ...]:
    """What a signal that is kept settles: of the steps that it matches, the one that has waited longest."""
    signal = state.signals.get(id)
    if signal is None:
        return ()
    for path, step in state.steps.items():
        is_meant = step.event == signal.name and step.status == "waiting"
        if is_meant and (settled := _settled_by(plan, state, path, signal)) is not None:
            return (Record(settled),)
    return ()


def _settled_by(plan: Plan, state: State, path: str, signal: SignalReceived) -> StepCompleted | StepFailed | None:
    """The event of a step that takes the signal; None where it does not match."""
    wait = plan.steps[name_of(path)].control
    assert isinstance(wait, Wait), "only a wait waits for an event"
    if wait.match is not None:
        own: dict[str, Json] = {"output": signal.data, "step": {"input": None}}
        data = {**scope(state, state.frames[frame_of(path)]), **own}
        try:
            if not wait.match.test(data):
                return None
        except EvaluationError as error:
            return StepFailed(path=path, attempt=1, failure=failure_of(error))
    return replace(complete(plan, state, path, attempt=1, output=signal.data), signal=signal.id)
