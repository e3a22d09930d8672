"""Where something may have to be decided, so that a turn looks only at what has changed."""

import heapq

from services.engine.core.begin import attempt, begin, expire, wake
from services.engine.core.children import is_left_alone, let_go
from services.engine.core.commands import Command, Record
from services.engine.core.ending import ending_with, last_event
from services.engine.core.events import (
    AnyEvent,
    BlockEntered,
    BlockFailed,
    ExecutionCancelled,
    ExecutionFailed,
    SignalReceived,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
)
from services.engine.core.inside import go_on, is_finished
from services.engine.core.paths import MAIN, frame_of, owner_of
from services.engine.core.plan import Plan
from services.engine.core.settle import complete_execution, failure_of, with_output
from services.engine.core.signals import offer, take
from services.engine.core.stage import settle_stage, start_stage, stops_of
from services.engine.core.state import FINISHED, State, scope
from services.expressions import EvaluationError
from services.failure import Failure

_SETTLING = (StepCompleted, StepSkipped, StepCancelled)


class Agenda:
    """The places still to be looked at: steps and frames by their paths; a frame's ends with a slash.

    Outer places come first, since what they want may put an end to inner ones. New signals come when all is settled
    that can be without them, so that no step takes one that is being stopped.
    """

    def __init__(self) -> None:
        self._to_settle: list[tuple[int, str]] = []
        self._to_start: set[str] = set()
        self._signals: list[int] = []

    def touch(self, event: AnyEvent) -> None:
        """Look again at the places that `event` may matter to: where it happened, and what that is inside of."""
        path = getattr(event, "path", None) or MAIN
        frame = frame_of(path)
        if not isinstance(event, _SETTLING):  # of a settled step nothing is wanted any more
            self.look_at(path)
            if isinstance(event, SignalReceived):
                self._signals.append(event.id)
        self.look_at(frame)
        if frame:
            owner = owner_of(frame)
            self.look_at(owner)
            self.look_at(frame_of(owner))

    def look_at(self, place: str) -> None:
        """Look at a step or a frame."""
        heapq.heappush(self._to_settle, (place.count("/"), place))

    def next(self, plan: Plan, state: State) -> tuple[Command, ...]:
        """What is wanted now; nothing when all is asked for.

        What can be settled at once comes alone, before anything is started.
        """
        if state.phase == "new" or state.phase in FINISHED or state.is_paused:
            return ()
        if commands := _of_whole(plan, state):
            return commands
        while self._to_settle:
            _, place = heapq.heappop(self._to_settle)
            self._to_start.add(place)
            if commands := _settle(plan, state, place):
                return commands
        while self._signals:
            if commands := offer(plan, state, self._signals[0]):
                return commands
            del self._signals[0]
        wanted = [command for place in sorted(self._to_start) for command in _start(plan, state, place)]
        settling = tuple(command for command in wanted if isinstance(command, Record))
        if not settling:
            self._to_start.clear()
        return settling or tuple(wanted)


def everything(state: State) -> Agenda:
    """An agenda of all places that are under way."""
    agenda = Agenda()
    for place in (*state.frames, *state.steps):
        agenda.look_at(place)
    return agenda


def _of_whole(plan: Plan, state: State) -> tuple[Command, ...]:
    """What is wanted of the execution as a whole: to end, or to do what comes before its end."""
    main = state.frames[MAIN]
    match state.phase:
        case "running":
            is_over = is_finished(plan, MAIN, main)
            return (Record(ending_with(plan, state, complete_execution(plan, state))),) if is_over else ()
        case "stopping":
            expired = None if state.failure is None else ExecutionFailed(failure=state.failure)
            last = expired or with_output(plan, state.output)
            return stops_of(plan, state, MAIN) or (Record(ending_with(plan, state, last)),)
        case "cancelling":
            cancelled = ExecutionCancelled(reason=state.reason)
            return stops_of(plan, state, MAIN) or (Record(ending_with(plan, state, cancelled)),)
        case _:
            return _before_the_end(plan, state)


def _before_the_end(plan: Plan, state: State) -> tuple[Command, ...]:
    ending = state.ending
    assert ending is not None, "an execution that is ending knows how"
    if (key := ending.under_way) is not None:
        if ending.is_cut_short:
            failure = Failure(code="CANCELLED", message=state.reason or "cancelled", retryable=False)
            return stops_of(plan, state, key) or (Record(BlockFailed(path=key, failure=failure)),)
        if not is_finished(plan, key, state.frames[key]):
            return ()
    if ending.left:
        path, slot = ending.left[0]
        return (Record(BlockEntered(path=path, slot=slot)),)
    return (Record(last_event(ending, state.reason)),)


def _settle(plan: Plan, state: State, place: str) -> tuple[Command, ...]:
    if place in state.frames and (not place or place.endswith("/")):
        return settle_stage(plan, state, place)
    step = state.steps.get(place)
    if step is None:
        return ()
    if step.status == "waiting":
        if step.child is not None and is_left_alone(plan, place):
            return (Record(let_go(plan, state, place, step.child)),)
        return take(plan, state, place, step.event) if step.event is not None else ()
    return go_on(plan, state, place) if step.status == "running" else ()


def _start(plan: Plan, state: State, place: str) -> tuple[Command, ...]:
    if place in state.frames and (not place or place.endswith("/")):
        return start_stage(plan, state, place)
    step = state.steps.get(place)
    if step is None:
        return ()
    match step.status:
        case "pending":
            return (begin(plan, state, place),)
        case "waiting" if step.attempt == 0:
            return (wake(place, step),)
        case "waiting" if not step.has_timer:
            timer = expire(plan, place, step)
            return () if timer is None else (timer,)
        case "retrying":
            try:
                return (attempt(plan, state, place, scope(state, state.frames[frame_of(place)])),)
            except EvaluationError as error:
                return (Record(StepFailed(path=place, attempt=step.attempt, failure=failure_of(error))),)
        case _:
            return ()
