"""How an execution ends: what is still to be done once that is settled, and then the last event (DEFINITION §7)."""

from msgspec.structs import replace

from services.definitions.document import Slot
from services.engine.core.events import (
    BlockEntered,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionEnding,
    ExecutionFailed,
    Origin,
)
from services.engine.core.frames import error_of, with_frame, without_frame
from services.engine.core.paths import MAIN
from services.engine.core.plan import Plan
from services.engine.core.state import Ending, Frame, Outcome, State
from services.json import Json

_LAST: Slot = "finally"


def ending_with(
    plan: Plan, state: State, last: ExecutionCompleted | ExecutionFailed | ExecutionCancelled
) -> ExecutionEnding | ExecutionCompleted | ExecutionFailed | ExecutionCancelled:
    """The event that says how the execution ends: the last one, unless something is to be done before it."""
    match last:
        case ExecutionCompleted(output=output):
            ending = ExecutionEnding(outcome="completed", output=output)
        case ExecutionFailed(failure=failure, path=path, attempt=attempt):
            ending = ExecutionEnding(outcome="failed", failure=failure, path=path, attempt=attempt)
        case ExecutionCancelled():
            ending = ExecutionEnding(outcome="cancelled")
    return ending if _parts(plan, state, ending.outcome) else last


def last_event(ending: Ending, reason: str) -> ExecutionCompleted | ExecutionFailed | ExecutionCancelled:
    """The last event, once everything before it is done."""
    match ending.outcome:
        case "completed":
            return ExecutionCompleted(output=ending.output)
        case "failed":
            assert ending.failure is not None, "a failed execution says why"
            return ExecutionFailed(failure=ending.failure, path=ending.path, attempt=ending.attempt)
        case "cancelled":
            return ExecutionCancelled(reason=reason)


def begin(plan: Plan, state: State, event: ExecutionEnding) -> State:
    """The state in which only what comes before the end is left. The context stays as it is."""
    ending = Ending(
        outcome=event.outcome,
        output=event.output,
        failure=event.failure,
        path=event.path,
        attempt=event.attempt,
        left=_parts(plan, state, event.outcome),
    )
    return replace(state, phase="ending", ending=ending, frames={MAIN: state.frames[MAIN]}, steps={})


def enter_part(state: State, event: BlockEntered) -> State:
    """The state with the next part of the ending under way: `onFailure`, a compensation or `finally`."""
    ending = state.ending
    assert ending is not None
    state = leave_part(state)
    main = state.frames[MAIN]
    frame = Frame(
        slot=event.slot,
        context=main.context,
        context_bytes=main.context_bytes,
        known=main.known,
        roots=_roots(state, ending, event.path, event.slot),
    )
    left = tuple(part for part in ending.left if part != (event.path, event.slot))
    state = replace(state, ending=replace(ending, left=left, under_way=event.path))
    return with_frame(state, event.path, frame)


def leave_part(state: State) -> State:
    """The state in which the part of the ending that was under way is over, however it went."""
    ending = state.ending
    assert ending is not None
    if ending.under_way is None:
        return state
    state = replace(state, ending=replace(ending, under_way=None, is_cut_short=False))
    return replace(state, steps={}) if ending.under_way == MAIN else without_frame(state, ending.under_way)


def cut_short(state: State) -> State:
    """The state in which somebody has cancelled an execution that is ending: only `finally` is still done."""
    ending = state.ending
    assert ending is not None
    is_last = ending.under_way == MAIN and state.frames[MAIN].slot == _LAST
    left = tuple(part for part in ending.left if part[1] == _LAST)
    return replace(state, ending=replace(ending, left=left, is_cut_short=ending.under_way is not None and not is_last))


def _parts(plan: Plan, state: State, outcome: Outcome) -> tuple[tuple[str, Slot], ...]:
    parts: list[tuple[str, Slot]] = []
    if outcome == "failed":
        parts += [(MAIN, "onFailure")] if "onFailure" in plan.blocks else []
        parts += [(undo.path + "/", "compensate") for undo in reversed(state.undo)]
    return (*parts, (MAIN, _LAST)) if _LAST in plan.blocks else tuple(parts)


def _roots(state: State, ending: Ending, path: str, slot: Slot) -> dict[str, Json]:
    match slot:
        case "compensate":
            undo = next(undo for undo in state.undo if undo.path + "/" == path)
            return {**undo.roots, "step": {"output": undo.output}}
        case "onFailure":
            assert ending.failure is not None
            origin = None if ending.path is None else Origin(ending.path, ending.attempt)
            return {"error": error_of("", 0, ending.failure, origin)}
        case _:
            return {}
