"""How the stage under way in a frame goes on: its members begin, the join is judged, the rest is stopped."""

from itertools import islice

from msgspec.structs import replace

from services.engine.core.begin import begin
from services.engine.core.commands import Command, Record, StopStep
from services.engine.core.ending import ending_with
from services.engine.core.events import AnyEvent, BlockFailed, ExecutionFailed, Origin, StepFailed
from services.engine.core.frames import is_item
from services.engine.core.join import judge
from services.engine.core.paths import MAIN, owner_of
from services.engine.core.plan import Plan, PlannedStep, Stage
from services.engine.core.state import OPEN, Frame, State, block_of, under_way
from services.failure import Failure, OtherFailure


def settle_stage(plan: Plan, state: State, key: str) -> tuple[Command, ...]:
    """What can be settled at once: members that need nobody, a join that is decided."""
    frame = state.frames[key]
    stage = under_way(plan, state, key, frame)
    if stage is None:
        return ()
    match judge(stage, frame):
        case "open":
            # One after another: what one writes counts for the size of the context that the next may add to.
            if stage.is_performed:
                return ()
            ready = (member for member in _next(state, key, frame, stage) if not member.needs_performer)
            return tuple(begin(plan, state, key + member.name) for member in islice(ready, 1))
        case "won":
            unsettled = (member for member in stage.members if not _is_settled(state, key + member.name))
            return tuple(StopStep(path=key + member.name) for member in unsettled)
        case "lost" | "lost early":
            return stops_of(plan, state, key) or (Record(_lost(plan, state, key, frame, stage)),)


def start_stage(plan: Plan, state: State, key: str) -> tuple[Command, ...]:
    """The members that are next and need somebody to perform them."""
    frame = state.frames[key]
    stage = under_way(plan, state, key, frame)
    if stage is None or judge(stage, frame) != "open":
        return ()
    return tuple(
        [begin(plan, state, key + member.name) for member in _next(state, key, frame, stage) if member.needs_performer]
    )


def stops_of(plan: Plan, state: State, key: str) -> tuple[StopStep, ...]:
    """What is under way in a frame and still to be stopped."""
    frame = state.frames[key]
    stages = block_of(plan, key, frame).stages
    members = stages[frame.stage].members if frame.stage < len(stages) else ()
    paths = (key + member.name for member in members)
    return tuple(StopStep(path=path) for path in paths if path in state.steps and state.steps[path].status in OPEN)


def _next(state: State, key: str, frame: Frame, stage: Stage) -> tuple[PlannedStep, ...]:
    """The members that may begin now."""
    if frame.begun == len(stage.members):
        return ()
    waiting = tuple([member for member in stage.members if key + member.name not in state.steps])
    most = stage.group.max_concurrency
    return waiting if most is None else waiting[: most - (frame.begun - frame.settled)]


def _is_settled(state: State, path: str) -> bool:
    step = state.steps.get(path)
    return step is not None and step.status not in OPEN


def _lost(plan: Plan, state: State, key: str, frame: Frame, stage: Stage) -> AnyEvent:
    """What the failure of a stage makes of what it belongs to."""
    failure, origin = _failure(state, key, frame, stage)
    if state.ending is not None and state.ending.under_way == key:
        return BlockFailed(path=key, failure=failure, origin=origin)
    if key == MAIN:
        return ending_with(plan, state, ExecutionFailed(failure=failure, path=origin.path, attempt=origin.attempt))
    if is_item(plan, key, frame):
        return BlockFailed(path=key, failure=failure, origin=origin)
    owner = owner_of(key)
    step = state.steps[owner]
    # The failure of its handler is no attempt of the step.
    attempt = step.attempt if step.handler is None else 0
    return StepFailed(path=owner, attempt=attempt, failure=failure, origin=origin)


def _failure(state: State, key: str, frame: Frame, stage: Stage) -> tuple[Failure, Origin]:
    """The failure of a stage: that of the member that failed first; when all were waited for, of the first by name."""
    names = [member.name for member in stage.members]
    failed = [
        name
        for name in names
        if (step := state.steps.get(key + name)) is not None and step.failure is not None and step.status != "retrying"
    ]
    failed = [name for name in failed if name in frame.failed] or failed
    waits_for_all = stage.group.on_member_failure == "wait_all" or stage.group.join == "all_settled"
    first = frame.failed[0] if frame.failed and not waits_for_all else failed[0]
    step = state.steps[key + first]
    assert step.failure is not None
    others = tuple(_other(state, key, name) for name in failed if name != first) if waits_for_all else ()
    return replace(step.failure, others=others), step.origin or Origin(key + first, step.attempt)


def _other(state: State, key: str, name: str) -> OtherFailure:
    failure = state.steps[key + name].failure
    assert failure is not None
    return OtherFailure(step=name, code=failure.code, message=failure.message)
