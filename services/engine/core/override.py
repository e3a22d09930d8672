"""What somebody who settles a step by hand brings about."""

from services.engine.core.events import AnyEvent, StepCompleted, StepOverridden, StepSkipped
from services.engine.core.plan import Plan
from services.engine.core.settle import complete
from services.engine.core.state import State, is_open
from services.json import Json


def completed(plan: Plan, state: State, override: StepOverridden, output: Json) -> tuple[AnyEvent, ...]:
    """The events of a step that is given its output; none when it is not open, or the output does not fit."""
    if not is_open(plan, state, override.path):
        return ()
    step = state.steps.get(override.path)
    attempt = 1 if step is None else max(1, step.attempt)
    event = complete(plan, state, override.path, attempt=attempt, output=output)
    return (override, event) if isinstance(event, StepCompleted) else ()


def skipped(plan: Plan, state: State, override: StepOverridden) -> tuple[AnyEvent, ...]:
    """The events of a step that is skipped; none when it is not open."""
    if not is_open(plan, state, override.path):
        return ()
    return override, StepSkipped(path=override.path, reason=override.reason or f"{override.by} skipped it")
