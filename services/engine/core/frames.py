"""Frames: how steps are settled in them, and how they are entered and left."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from services.definitions.document import Fallback
from services.engine.core.events import BlockEntered, BlockFailed, Origin
from services.engine.core.join import judge
from services.engine.core.paths import MAIN, frame_of, index_of, is_within, name_of, numbered, owner_of
from services.engine.core.plan import Plan, PlannedStep, Stage
from services.engine.core.settle import items_of
from services.engine.core.state import (
    Frame,
    Inside,
    ItemFailure,
    State,
    StepState,
    block_of,
    growth,
    scope,
    with_one_more,
)
from services.failure import Failure
from services.json import Json

_RUNNING = StepState(status="running", attempt=1)


def with_step(state: State, path: str, step: StepState) -> State:
    """The state with what is now the case at a step."""
    if path in state.steps:
        return replace(state, steps={**state.steps, path: step})
    key = frame_of(path)
    frame = state.frames[key]
    return replace(
        state,
        steps={**state.steps, path: step},
        frames={**state.frames, key: replace(frame, begun=frame.begun + 1)},
    )


def settled(plan: Plan, state: State, path: str, step: StepState) -> State:
    """The state with a step that nothing more happens to; its stage may be finished with that, and its frame too."""
    state = without_inside(state, path)
    key = frame_of(path)
    frame = _with_member_settled(state.frames[key], path, step, is_new=path not in state.steps)
    steps = {**state.steps, path: step}
    stage = block_of(plan, key, frame).stages[frame.stage]
    if frame.settled == len(stage.members) and _goes_on(state) and judge(stage, frame) == "won":
        return _with_stage_finished(plan, state, key, frame, steps, stage)
    return replace(state, steps=steps, frames={**state.frames, key: frame})


def _with_member_settled(frame: Frame, path: str, step: StepState, *, is_new: bool) -> Frame:
    return replace(
        frame,
        begun=frame.begun + is_new,
        settled=frame.settled + 1,
        succeeded=frame.succeeded + (step.status == "completed" and not step.is_excused),
        skipped=frame.skipped + (step.status == "skipped"),
        failed=(*frame.failed, name_of(path)) if step.status == "failed" else frame.failed,
        pending_bytes=frame.pending_bytes + growth(frame.context, step.writes),
    )


def entered(plan: Plan, state: State, event: BlockEntered) -> State:
    """The state with a new frame inside a step. In a loop the iteration before it is left."""
    path = owner_of(event.path)
    member, parent = plan.steps[name_of(path)], state.frames[frame_of(path)]
    step = state.steps.get(path)
    if step is None:
        items = items_of(member, scope(state, parent)) if member.definition.kind == "map" else None
        step = replace(_RUNNING, input=items)
    inside = step.inside or Inside(slot=event.slot)
    if member.definition.kind == "loop" and event.slot == "body" and inside.entered:
        inside = left(state, path, inside, event.collected)
        state = without_inside(state, path)
    roots, named = _own_data(member, step, inside, event.slot, path)
    frame = Frame(
        slot=event.slot,
        context={**parent.context, **inside.writes, **named} if inside.writes or named else parent.context,
        context_bytes=parent.context_bytes + growth(parent.context, inside.writes),
        known={**parent.known, **inside.results} if inside.results else parent.known,
        roots={**parent.roots, **roots},
    )
    inside = replace(inside, entered=inside.entered + 1, open=inside.open + 1)
    return with_frame(with_step(state, path, replace(step, status="running", inside=inside)), event.path, frame)


def left(state: State, path: str, inside: Inside, collected: Any) -> Inside:
    """What is inside the loop at `path` once its last iteration is left."""
    frame = state.frames[numbered(path, inside.entered - 1)]
    return replace(
        inside,
        open=0,
        last=frame.previous,
        writes={**inside.writes, **frame.writes},
        results={**inside.results, **frame.results},
        collected=inside.collected if collected is msgspec.UNSET else with_one_more(inside.collected, collected),
    )


def item_failed(state: State, event: BlockFailed) -> State:
    """The state with an item of a map that has failed."""
    failure = ItemFailure(index=index_of(event.path), failure=event.failure, origin=event.origin)
    path = owner_of(event.path)
    inside = _inside(state, path)
    inside = replace(inside, open=inside.open - 1, failures=(*inside.failures, failure))
    return _with_inside(without_frame(state, event.path), path, inside)


def is_item(plan: Plan, key: str, frame: Frame) -> bool:
    """Whether a frame is that of a map's item."""
    return key != MAIN and frame.slot == "body" and plan.steps[name_of(owner_of(key))].definition.kind == "map"


def without_inside(state: State, path: str) -> State:
    """The state without the frames and steps inside a step."""
    step = state.steps.get(path)
    if step is None or step.inside is None:
        return state
    return replace(
        state,
        frames={key: frame for key, frame in state.frames.items() if not is_within(key, path)},
        steps={other: it for other, it in state.steps.items() if not is_within(other, path)},
    )


def without_frame(state: State, key: str) -> State:
    """The state without a frame and what is in it."""
    return replace(
        state,
        frames={other: frame for other, frame in state.frames.items() if not other.startswith(key)},
        steps={path: step for path, step in state.steps.items() if not path.startswith(key)},
    )


def with_frame(state: State, key: str, frame: Frame) -> State:
    """The state with what is now the case in a frame."""
    return replace(state, frames={**state.frames, key: frame})


def error_of(path: str, attempt: int, failure: Failure, origin: Origin | None) -> dict[str, Json]:
    """The `error` root: what failed, and where."""
    at = origin or Origin(path, attempt)
    error: dict[str, Json] = {
        "code": failure.code,
        "message": failure.message,
        "step": name_of(at.path),
        "instance": at.path,
        "attempt": at.attempt,
    }
    others: list[Json] = [msgspec.to_builtins(other) for other in failure.others]
    return {**error, "others": others} if others else error


def _goes_on(state: State) -> bool:
    """Whether stages follow each other. What is being stopped settles, and that is all."""
    return state.phase == "running" or (state.ending is not None and not state.ending.is_cut_short)


def _with_stage_finished(
    plan: Plan, state: State, key: str, frame: Frame, steps: dict[str, StepState], stage: Stage
) -> State:
    """The state once a stage has what it needs: its members' writes are applied in (order, name) order."""
    members = [(member.name, steps[key + member.name]) for member in stage.members]
    absent = _absent(frame, members)
    added = absent | _merged(stage, members)
    # What one member writes as it is was counted when it settled.
    is_counted = len(members) == 1 and not absent and not stage.group.merge
    results: dict[str, Json] = {}
    for name, step in members:
        results |= step.results
        results[name] = _result(step)
    inner = key != MAIN  # what the main sequence adds goes nowhere else
    frame = Frame(
        slot=frame.slot,
        stage=frame.stage + 1,
        context={**frame.context, **added},
        context_bytes=frame.context_bytes + (frame.pending_bytes if is_counted else growth(frame.context, added)),
        writes={**frame.writes, **added} if inner else {},
        known={**frame.known, **results},
        results={**frame.results, **results} if inner else {},
        previous=members[0][1].output if len(members) == 1 else {name: step.output for name, step in members},
        roots=frame.roots,
    )
    gone = {key + name for name, _ in members} if len(steps) > len(members) else steps.keys()
    left = {path: step for path, step in steps.items() if path not in gone}
    state = replace(state, steps=left, frames={**state.frames, key: frame})
    is_last = frame.stage == len(block_of(plan, key, frame).stages)
    return _with_item(state, key, frame) if is_last and is_item(plan, key, frame) else state


def _absent(frame: Frame, members: Iterable[tuple[str, StepState]]) -> dict[str, Json]:
    """What was skipped leaves what stood there; what failed or was stopped does not."""
    return {
        name: None
        for name, step in members
        if step.status in ("failed", "cancelled") or (step.status == "skipped" and name not in frame.context)
    }


def _with_item(state: State, key: str, frame: Frame) -> State:
    """The state with an item of a map that is done: its output stays, its frame goes."""
    path = owner_of(key)
    inside = _inside(state, path)
    outputs = with_one_more(inside.outputs, (index_of(key), frame.previous))
    return _with_inside(without_frame(state, key), path, replace(inside, open=inside.open - 1, outputs=outputs))


def _merged(stage: Stage, members: Iterable[tuple[str, StepState]]) -> dict[str, Json]:
    merge = stage.group.merge
    writes: dict[str, Json] = {}
    for name, step in members:
        if not merge:
            writes |= step.writes
            continue
        for key, value in step.writes.items():
            match merge.get(key, "last"):
                case "last":
                    writes[key] = value
                case "append":
                    writes[key] = [*_list(writes.get(key)), value]
                case "object":
                    writes[key] = {**_object(writes.get(key)), name: value}
    return writes


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _result(step: StepState) -> Json:
    """What `steps.<name>` shows of a settled step."""
    failure = step.failure if step.status == "failed" or step.is_excused else None
    error: Json = None if failure is None else {"code": failure.code, "message": failure.message}
    return {"status": step.status, "output": step.output, "error": error, "attempts": step.attempt}


def _own_data(
    member: PlannedStep, step: StepState, inside: Inside, slot: str, path: str
) -> tuple[dict[str, Json], dict[str, Json]]:
    """The roots that a frame has of its own, and the context keys that it is given under names of the document."""
    if slot.startswith("catch:"):
        assert step.failure is not None
        error: Json = error_of(path, step.attempt, step.failure, step.origin)
        handlers = member.definition.on_error
        assert isinstance(handlers, Fallback) and handlers.catch is not msgspec.UNSET
        name = handlers.catch[int(slot.removeprefix("catch:"))].as_
        return {"error": error}, {} if name is None else {name: error}
    place: dict[str, Json] = {"index": inside.entered, "iteration": inside.entered + 1, "last": inside.last}
    if member.definition.kind == "map":
        assert isinstance(step.input, list)
        item, name = step.input[inside.entered], member.definition.as_
        return {"item": item, "loop": place}, {} if name is None else {name: item}
    return {"loop": place} if member.definition.kind == "loop" else {}, {}


def _inside(state: State, path: str) -> Inside:
    inside = state.steps[path].inside
    assert inside is not None, "a frame belongs to a step that has something inside"
    return inside


def _with_inside(state: State, path: str, inside: Inside) -> State:
    return with_step(state, path, replace(state.steps[path], inside=inside))
