"""What a restart changes in the state that its history has led to."""

import msgspec
from msgspec.structs import replace

from services.engine.core.events import ExecutionRestarted
from services.engine.core.state import Frame, State, StepState, growth
from services.json import Json


def edited(state: State, event: ExecutionRestarted) -> State:
    """The state of the new execution, with the changes wherever a step that is still to be done would see the old.

    That is in every frame under way, since each has a context of its own, and in what these will add to the ones
    around them.
    """
    state = replace(state, execution={"id": str(event.execution), "startedAt": event.at.isoformat()}, depth=0)
    edits = event.context
    if event.input is not msgspec.UNSET:
        state = replace(state, input=event.input)
        edits = {**edits, "input": event.input}
    if not edits:
        return state
    return replace(
        state,
        frames={key: _edited(frame, edits) for key, frame in state.frames.items()},
        steps={path: _inside_edited(step, edits) for path, step in state.steps.items()},
    )


def _edited(frame: Frame, edits: dict[str, Json]) -> Frame:
    return replace(
        frame,
        context={**frame.context, **edits},
        context_bytes=frame.context_bytes + growth(frame.context, edits),
        writes=_overwritten(frame.writes, edits),
    )


def _inside_edited(step: StepState, edits: dict[str, Json]) -> StepState:
    if step.inside is None:
        return step
    return replace(step, inside=replace(step.inside, writes=_overwritten(step.inside.writes, edits)))


def _overwritten(writes: dict[str, Json], edits: dict[str, Json]) -> dict[str, Json]:
    return {key: edits.get(key, value) for key, value in writes.items()}
