"""What a restart keeps of a finished execution's history, and which step a retry restarts from."""

from collections.abc import Iterator, Sequence

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
    StepOverridden,
    TimeExpired,
)
from services.engine.core.evolve import evolve
from services.engine.core.outcomes import Outcomes, outcomes_of
from services.engine.core.paths import MAIN, frame_of, is_numbered, name_of, owner_of
from services.engine.core.plan import Plan
from services.engine.core.state import NEW, State, is_open, under_way

_STEERING = (CancelRequested, PauseRequested, ResumeRequested, TimeExpired)
_ENDS = (ExecutionEnding, ExecutionCompleted, ExecutionFailed, ExecutionCancelled)
# What is left out of a step that is to be tried again, so that it can be.
_SETBACKS = (StepFailed, StepCancelled, BlockFailed)


def kept(plan: Plan, history: Sequence[AnyEvent], path: str) -> tuple[int, ...] | None:
    """The places in `history` of what a restart from the step at `path` keeps; None when its turn never came.

    These events replay to a state in which that step is next. What happened before its turn is kept, and what worked
    beside it: in the other members of its stage and of the stages around it, and in the other items of a map. What
    failed or was stopped there is tried again. Of the signals those are kept that no step has taken, or one that is
    kept itself: what a step was told that is done anew belonged to what it did then.
    """
    fork = _Fork(plan, history, path)
    if not fork.has_come:
        return None
    places: list[int] = []
    state = NEW
    for place, event in enumerate(before_the_end(history)):
        if not fork.keeps(state, place, event):
            continue
        following = evolve(plan, state, event)
        # What ends everything (a `stop` beside) is left out as well, and what changes nothing is no history.
        if following.phase == "running" and (following is not state or isinstance(event, StepOverridden)):
            places.append(place)
            state = following
    return tuple(sorted([*places, *_signals(history, places)]))


def retried(plan: Plan, history: Sequence[AnyEvent]) -> str | None:
    """The path that a retry restarts from: the step that failed or, where none did, one that was under way.

    What was under way beside it is tried again with it. None when nothing was left to be done.
    """
    for event in history:
        if isinstance(event, ExecutionEnding | ExecutionFailed) and event.path is not None:
            return event.path
    state = NEW
    for event in before_the_end(history):
        if isinstance(event, CancelRequested | TimeExpired):
            break
        state = evolve(plan, state, event)
    open_ = [
        key + member.name
        for key, frame in state.frames.items()
        if (stage := under_way(plan, state, key, frame)) is not None
        for member in stage.members
        if is_open(plan, state, key + member.name)
    ]
    holders = {owner_of(frame_of(path)) for path in open_ if frame_of(path) != MAIN}
    return next((path for path in open_ if path not in holders), None)


def before_the_end(history: Sequence[AnyEvent]) -> Iterator[AnyEvent]:
    """The events up to where the execution's outcome is settled."""
    for event in history:
        if isinstance(event, _ENDS):
            return
        yield event


def _signals(history: Sequence[AnyEvent], places: Sequence[int]) -> Iterator[int]:
    """The places of the signals that are kept along with `places`."""
    kept_places = set(places)
    gone = {
        event.signal
        for place, event in enumerate(history)
        if isinstance(event, StepCompleted | StepFailed) and event.signal is not None and place not in kept_places
    }
    for place, event in enumerate(history):
        if isinstance(event, SignalReceived) and event.id not in gone:
            yield place


class _Fork:
    """A history seen from the step that it is to be restarted from."""

    def __init__(self, plan: Plan, history: Sequence[AnyEvent], path: str) -> None:
        self._plan = plan
        self._path = path
        self._line = _line_to(path)
        self._outcomes: Outcomes = outcomes_of(plan, before_the_end(history), path)

    @property
    def has_come(self) -> bool:
        """Whether the step's turn came."""
        return self._outcomes.has_come

    def keeps(self, state: State, place: int, event: AnyEvent) -> bool:
        """Whether `event`, at that place in the history, is kept when what was kept so far has led to `state`."""
        match event:
            case ExecutionStarted():
                return True
            case ExecutionRestarted():
                # An earlier restart's changes hold as long as the step that this one restarts from had not been done.
                return place <= self._outcomes.last_open
            case _ if isinstance(event, _STEERING):
                return False
            case SignalReceived():
                return False  # they are picked out at the end, when it is known who has taken them
            case ChildStarted(path=step):
                # A child that is still waited for, or was stopped, is the origin's.
                return step in self._outcomes.well and self._is_wanted(state, event, step)
            case BlockEntered(path=frame):
                return self._is_wanted(state, event, frame) and is_open(self._plan, state, owner_of(frame))
            case BlockFailed(path=frame):
                return self._is_wanted(state, event, frame) and frame in state.frames
            case _:
                return self._is_wanted(state, event, getattr(event, "path", MAIN))

    def _is_wanted(self, state: State, event: AnyEvent, place: str) -> bool:
        line = _line_to(place)
        shared = next((n for n, (one, own) in enumerate(zip(line, self._line, strict=False)) if one != own), None)
        if shared is None and len(line) >= len(self._line):
            return False  # at the step itself, or inside it
        if shared is None:
            shared = len(line)
            if place.endswith("/") and self._is_other_item(place, self._line[shared]):
                return not isinstance(event, BlockFailed)
        elif self._is_beside(line[shared], self._line[shared]):
            return self._has_worked(line[shared:], event, is_member=True)
        elif self._is_other_item(frame_of(line[shared]), self._line[shared]):
            return self._has_worked(line[shared:], event, is_member=False)
        # What comes before the step, or is around it: it can only have happened before the step's turn came.
        return not is_open(self._plan, state, self._path)

    def _is_beside(self, path: str, own: str) -> bool:
        """Whether two steps of one frame are members of one stage."""
        frame = frame_of(own)
        if frame_of(path) != frame:
            return False
        blocks = self._plan.blocks if frame == MAIN else self._plan.steps[name_of(owner_of(frame))].blocks
        return any({name_of(path), name_of(own)} <= stage.names for block in blocks.values() for stage in block.stages)

    def _is_other_item(self, frame: str, own: str) -> bool:
        """Whether a frame is that of another item of the map that the step at `own` stands in."""
        mine = frame_of(own)
        if frame == mine or not (is_numbered(frame) and is_numbered(mine)):
            return False
        return owner_of(frame) == owner_of(mine) and self._plan.steps[name_of(owner_of(mine))].definition.kind == "map"

    def _has_worked(self, line: Sequence[str], event: AnyEvent, *, is_member: bool) -> bool:
        """Whether what happened at the end of a line of steps, each inside the one before, belongs to what worked.

        A step whose stage was finished needs not be tried again, whatever became of it, but for a member of the very
        stage that is done anew.
        """
        outcomes = self._outcomes
        for depth, step in enumerate(line):
            if step in outcomes.well or (step in outcomes.joined and not (is_member and depth == 0)):
                return True
            if step in outcomes.broken:
                return False
        return not isinstance(event, _SETBACKS) and not _is_handler(event)


def _is_handler(event: AnyEvent) -> bool:
    return isinstance(event, BlockEntered) and event.slot.startswith("catch:")


def _line_to(place: str) -> tuple[str, ...]:
    """The steps that a place is inside of, outer ones first, and the step itself where it is one.

    >>> _line_to("Each[3]/Route/Pay"), _line_to("Each[3]/")
    (('Each', 'Each[3]/Route', 'Each[3]/Route/Pay'), ('Each',))
    """
    around = [owner_of(place[: at + 1]) for at, sign in enumerate(place) if sign == "/"]
    return tuple(around) if place.endswith("/") else (*around, place)
