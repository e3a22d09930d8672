"""The proven maximum of step runs of an execution."""

from collections.abc import Mapping

from services.definitions.calls import call_of
from services.definitions.catalog import Callee
from services.definitions.document import ATTEMPTED, DEFAULT_ITEMS, Document, Step, main_slots, slots


def max_step_runs(document: Document, callees: Mapping[str, Callee] | None = None) -> int:
    """No execution of `document` makes more attempts than this, those of its children counted.

    A step runs once, and once more for each retry; what a loop or a map holds runs in every round, what a step calls in
    every attempt. Whatever could run is counted: all cases of a branch, all handlers, all compensations. `callees` are
    what its steps may call.

    >>> from services.definitions.document import Document, Step
    >>> inner = Step(name="s", max_retries=2)
    >>> max_step_runs(Document(name="a", steps=(Step(name="l", kind="loop", max_iterations=5, steps=(inner,)),)))
    16
    """
    return sum(_runs(step, callees or {}) for _, steps in main_slots(document) for step in steps)


def _runs(step: Step, callees: Mapping[str, Callee]) -> int:
    own = 1 + step.max_retries if step.kind in ATTEMPTED else 1
    own *= 1 + callees.get(call_of(step) or "", Callee()).max_step_runs
    rounds = {"loop": step.max_iterations or 1, "map": step.max_items or DEFAULT_ITEMS}.get(step.kind, 1)
    held = 0
    for slot, steps in slots(step):
        held += (rounds if slot == "body" else 1) * sum(_runs(inner, callees) for inner in steps)
    return own + held
