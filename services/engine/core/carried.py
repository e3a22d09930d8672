"""What the steps inside a step carry out of it."""

from services.engine.core.paths import name_of, numbered
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.json import Json


def carried_out(plan: Plan, state: State, path: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """What the steps inside the step at `path` have written to the context, and their results.

    Nothing leaves a map, but what its handler does.
    """
    step, kind = state.steps.get(path), plan.steps[name_of(path)].definition.kind
    if step is None or step.inside is None or (kind == "map" and step.handler is None):
        return {}, {}
    inside = step.inside
    is_loop = kind == "loop" and inside.slot == "body"
    last = state.frames[numbered(path, inside.entered - 1) if is_loop else path + "/"]
    return {**inside.writes, **last.writes}, {**inside.results, **last.results}
