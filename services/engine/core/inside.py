"""How a step goes on that has frames inside: a branch, a loop, a map, a group, or a handler at work."""

import msgspec
from msgspec.structs import replace

from services.definitions.document import DEFAULT_CONCURRENCY, Fallback
from services.engine.core.commands import Command, Record, StopStep
from services.engine.core.events import BlockEntered, StepCompleted, StepFailed
from services.engine.core.frames import left
from services.engine.core.outputs import loop_output, map_output, tolerates
from services.engine.core.paths import frame_of, name_of, numbered, owner_of
from services.engine.core.plan import Loop, Plan, PlannedStep
from services.engine.core.settle import complete, failure_of
from services.engine.core.state import OPEN, Frame, Inside, State, StepState, block_of, scope
from services.expressions import EvaluationError
from services.failure import Failure
from services.json import Json


def go_on(plan: Plan, state: State, path: str) -> tuple[Command, ...]:
    """What is wanted next of an open step that is not performed by anybody."""
    member, step = plan.steps[name_of(path)], state.steps[path]
    if step.handler is not None:
        return _handle(plan, state, path, member, step)
    inside = step.inside
    if inside is None:
        return ()
    match member.definition.kind:
        case "loop":
            return _loop(plan, state, path, member, inside)
        case "map":
            return _map(plan, state, path, member, step, inside)
        case _:
            return _block(plan, state, path, inside)


def stops_inside(state: State, path: str) -> tuple[StopStep, ...]:
    """What is under way inside a step and still to be stopped."""
    return tuple(
        StopStep(path=other)
        for other, step in state.steps.items()
        if step.status in OPEN and frame_of(other) and owner_of(frame_of(other)) == path
    )


def is_finished(plan: Plan, key: str, frame: Frame) -> bool:
    """Whether a frame has no stage left."""
    return frame.stage == len(block_of(plan, key, frame).stages)


def _handle(plan: Plan, state: State, path: str, member: PlannedStep, step: StepState) -> tuple[Command, ...]:
    if step.handler == "default":
        assert isinstance(member.definition.on_error, Fallback)
        default: Json = member.definition.on_error.default  # type: ignore[assignment]  # it is set, or no handler
        return (Record(_completed(plan, state, path, default)),)
    if step.inside is None:
        assert step.handler is not None
        return (Record(BlockEntered(path=path + "/", slot=step.handler)),)
    return _block(plan, state, path, step.inside)


def _block(plan: Plan, state: State, path: str, inside: Inside) -> tuple[Command, ...]:
    key = path + "/"
    frame = state.frames[key]
    if not is_finished(plan, key, frame):
        return ()
    output: Json = frame.previous
    if inside.slot.startswith("case:") or inside.slot == "else":
        output = {"case": inside.slot.removeprefix("case:"), "output": output}
    return (Record(_completed(plan, state, path, output)),)


def _completed(plan: Plan, state: State, path: str, output: Json) -> StepCompleted | StepFailed:
    """The event of a step that gets its output from inside. When a handler's does not fit, no attempt has failed."""
    step = state.steps[path]
    event = complete(plan, state, path, attempt=step.attempt, output=output)
    return replace(event, attempt=0) if isinstance(event, StepFailed) and step.handler is not None else event


def _loop(plan: Plan, state: State, path: str, member: PlannedStep, inside: Inside) -> tuple[Command, ...]:
    """After an iteration: collect, then see whether that was the last one."""
    key = numbered(path, inside.entered - 1)
    frame = state.frames[key]
    if not is_finished(plan, key, frame):
        return ()
    try:
        return (Record(_after_iteration(plan, state, path, member, inside, frame)),)
    except EvaluationError as error:
        return (Record(StepFailed(path=path, attempt=1, failure=failure_of(error))),)


def _after_iteration(
    plan: Plan, state: State, path: str, member: PlannedStep, inside: Inside, frame: Frame
) -> BlockEntered | StepCompleted | StepFailed:
    loop, data = member.control, scope(state, frame)
    assert isinstance(loop, Loop)
    collected = msgspec.UNSET if loop.collect is None else loop.collect.render(data)
    entered = inside.entered
    following: Json = {"index": entered, "iteration": entered + 1, "last": frame.previous}
    before = {**data, "loop": following, "output": state.frames[frame_of(path)].previous}
    is_met = loop.until is not None and loop.until.test(data)
    is_met = is_met or (loop.while_ is not None and not loop.while_.test(before))
    limit = member.definition.max_iterations or 1
    if not is_met and entered < limit:
        return BlockEntered(path=numbered(path, entered), slot="body", collected=collected)
    if not is_met and member.definition.on_limit == "fail" and (loop.until or loop.while_):
        message = f"the loop has not ended after {limit} iterations, as many as `maxIterations` allows"
        return StepFailed(path=path, attempt=1, failure=Failure(code="LOOP_LIMIT", message=message, retryable=False))
    output = loop_output(member, left(state, path, inside, collected), "condition" if is_met else "limit")
    return complete(plan, state, path, attempt=1, output=output)


def _map(
    plan: Plan, state: State, path: str, member: PlannedStep, step: StepState, inside: Inside
) -> tuple[Command, ...]:
    assert isinstance(step.input, list), "the items are resolved when the first one is entered"
    total = len(step.input)
    if not tolerates(member, inside, total):
        first = inside.failures[0]
        failed = StepFailed(path=path, attempt=1, failure=first.failure, origin=first.origin)
        return stops_inside(state, path) or (Record(failed),)
    if inside.entered - inside.open == total:
        return (Record(complete(plan, state, path, attempt=1, output=map_output(member, inside, total))),)
    free = (member.definition.max_concurrency or DEFAULT_CONCURRENCY) - inside.open
    following = range(inside.entered, min(inside.entered + free, total))
    return tuple(Record(BlockEntered(path=numbered(path, index), slot="body")) for index in following)
