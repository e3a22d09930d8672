"""Children: what may be called, what is still waited for, and what the end of one makes of its step."""

from uuid import UUID

from services.definitions.calls import call_of
from services.definitions.document import MAX_CHILD_DEPTH, Step
from services.engine.core.events import Called, StepCompleted, StepFailed
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan, PlannedStep
from services.engine.core.settle import complete
from services.engine.core.state import State, StepState
from services.failure import Failure
from services.json import Json


def cannot_be_called(state: State, member: PlannedStep) -> Failure | None:
    """Why the step cannot start a child; None when it can, or starts none."""
    call = call_of(member.definition)
    if call is None:
        return None
    if state.depth >= MAX_CHILD_DEPTH:
        message = f"{call!r} would have {state.depth + 1} executions above it; up to {MAX_CHILD_DEPTH} are allowed"
        return Failure(code="DEPTH_LIMIT", message=message, retryable=False)
    if call not in state.calls:
        message = f"{call!r} could not be started: no version of it was pinned when the root started"
        return Failure(code="CHILD_FAILED", message=message, retryable=False)
    return None


def handed_down(calls: dict[str, Called], callee: Called) -> dict[str, Called]:
    """Those of `calls` that a child running `callee` can come to, itself or through its own children.

    >>> leaf, inner = Called(UUID(int=1)), Called(UUID(int=2), calls=("Leaf",))
    >>> list(handed_down({"Leaf": leaf, "Inner": inner}, inner)), list(handed_down({"Leaf": leaf}, leaf))
    (['Leaf'], [])
    """
    found: dict[str, Called] = {}
    pending = list(callee.calls)
    while pending:
        call = pending.pop()
        if call not in found and call in calls:
            found[call] = calls[call]
            pending += calls[call].calls
    return found


def is_left_alone(plan: Plan, path: str) -> bool:
    """Whether the step at `path` only starts its child."""
    return plan.steps[name_of(path)].definition.wait is False


def let_go(plan: Plan, state: State, path: str, child: UUID) -> StepCompleted | StepFailed:
    """The event of a step that has started a child which goes on alone."""
    return complete(plan, state, path, attempt=state.steps[path].attempt, output={"executionId": str(child)})


def ended(
    plan: Plan,
    state: State,
    path: str,
    child: UUID,
    *,
    output: Json,
    failure: Failure | None,
    fraction: float,
    duration_ms: int,
) -> StepCompleted | StepFailed | None:
    """The event that the end of a child is for the step at `path`; None where nobody waits for that child."""
    step = state.steps.get(path)
    if step is None or step.child != child or step.status != "waiting" or is_left_alone(plan, path):
        return None
    if failure is None:
        return complete(plan, state, path, attempt=step.attempt, output=output, duration_ms=duration_ms)
    return StepFailed(path=path, attempt=step.attempt, failure=failure, fraction=fraction, duration_ms=duration_ms)


def awaited(plan: Plan, state: State) -> frozenset[UUID]:
    """The children whose end is waited for."""
    if not plan.calls:
        return frozenset()
    return frozenset(
        step.child
        for path, step in state.steps.items()
        if step.child is not None and step.status == "waiting" and not is_left_alone(plan, path)
    )


def time_for_child(definition: Step, step: StepState) -> int | None:
    """Milliseconds that the child of this attempt may take; None where the step sets no bound."""
    left = None if definition.total_timeout is None else max(1, definition.total_timeout - step.spent_ms)
    bounds = [bound for bound in (definition.timeout, left) if bound is not None]
    return min(bounds, default=None)
