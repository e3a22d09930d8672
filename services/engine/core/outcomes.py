"""What became of each step in a history."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.engine.core.events import AnyEvent, StepCancelled, StepCompleted, StepFailed, StepSkipped
from services.engine.core.evolve import evolve
from services.engine.core.join import judge
from services.engine.core.paths import frame_of, name_of
from services.engine.core.plan import Plan, handler_slot
from services.engine.core.state import NEW, State, block_of, is_open


@dataclass(slots=True)
class Outcomes:
    """Steps by path: `well` are those that worked, were skipped, or whose failure `onError` lets pass; `broken` those
    that failed for good by themselves, not by something inside them; `joined` those whose stage was finished.

    `has_come` says whether the turn of the step that was asked about came, `last_open` is the last place in the history
    at which it was not settled.
    """

    well: set[str] = field(default_factory=set[str])
    broken: set[str] = field(default_factory=set[str])
    joined: set[str] = field(default_factory=set[str])
    has_come: bool = False
    last_open: int = 0


def outcomes_of(plan: Plan, history: Iterable[AnyEvent], path: str) -> Outcomes:
    """What became of each step, and how long the one at `path` was open or still to come."""
    outcomes, state = Outcomes(), NEW
    for place, event in enumerate(history):
        before, state = state, evolve(plan, state, event)
        is_now = is_open(plan, state, path)
        outcomes.has_come = outcomes.has_come or is_now
        if is_now or not outcomes.has_come:
            outcomes.last_open = place
        if state is not before and isinstance(event, StepCompleted | StepFailed | StepSkipped | StepCancelled):
            _note(outcomes, plan, before, state, event)
    return outcomes


def _note(
    outcomes: Outcomes,
    plan: Plan,
    before: State,
    state: State,
    event: StepCompleted | StepFailed | StepSkipped | StepCancelled,
) -> None:
    path = event.path
    if isinstance(event, StepCompleted | StepSkipped):
        outcomes.well.add(path)
    elif isinstance(event, StepFailed):
        now = state.steps.get(path)
        # A step whose stage is finished has no state any more.
        has_failed = now is None or now.status != "retrying"
        is_excused = handler_slot(plan.steps[name_of(path)].definition, event.failure.code) == "continue"
        if has_failed and is_excused:
            outcomes.well.add(path)
        elif has_failed and event.origin is None:
            outcomes.broken.add(path)
    key = frame_of(path)
    frame, after = before.frames[key], state.frames.get(key)
    stage = block_of(plan, key, frame).stages[frame.stage]
    # What is stopped from outside finishes its stage too, on the way; but then that had not yet what it needed.
    was_stopped = isinstance(event, StepCancelled) and judge(stage, frame) != "won"
    if not was_stopped and (after is None or after.stage > frame.stage):
        outcomes.joined |= {key + name for name in stage.names}
