"""The proven maximum of step runs of an execution."""

from services.definitions.document import ATTEMPTED, DEFAULT_ITEMS, Document, Step, main_slots, slots


def max_step_runs(document: Document) -> int:
    """No execution of `document` makes more attempts than this.

    A step runs once, and once more for each retry; what a loop or a map holds runs in every round. Whatever could run
    is counted: all cases of a branch, all handlers, all compensations.

    >>> from services.definitions.document import Document, Step
    >>> inner = Step(name="s", max_retries=2)
    >>> max_step_runs(Document(name="a", steps=(Step(name="l", kind="loop", max_iterations=5, steps=(inner,)),)))
    16
    """
    return sum(_runs(step) for _, steps in main_slots(document) for step in steps)


def _runs(step: Step) -> int:
    own = 1 + step.max_retries if step.kind in ATTEMPTED else 1
    rounds = {"loop": step.max_iterations or 1, "map": step.max_items or DEFAULT_ITEMS}.get(step.kind, 1)
    held = ((rounds if slot == "body" else 1) * sum(_runs(inner) for inner in steps) for slot, steps in slots(step))
    return own + sum(held)
