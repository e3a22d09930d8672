"""The proven maximum of step runs of an execution."""

from services.definitions.document import Document


def max_step_runs(document: Document) -> int:
    """No execution of `document` makes more attempts than this: each step runs once, and once more for each retry.

    >>> from services.definitions.document import Document, Step
    >>> max_step_runs(Document(name="a", steps=(Step(name="s", max_retries=2), Step(name="t"))))
    4
    """
    return sum(1 + step.max_retries for step in document.steps)
