"""Which orchestrations a document calls."""

from services.definitions.document import Document, Step, all_steps


def call_of(step: Step) -> str | None:
    """What a step calls, as it says it: the name of an orchestration, or the name and the number of a version.

    >>> call_of(Step(name="a", kind="orchestration", orchestration="Brief", version=3))
    'Brief@3'
    """
    if step.orchestration is None or step.version is None:
        return step.orchestration
    return f"{step.orchestration}@{step.version}"


def name_in(call: str) -> str:
    """The name of the orchestration that is called.

    >>> name_in("Brief@3"), name_in("Brief")
    ('Brief', 'Brief')
    """
    return call.partition("@")[0]


def called(document: Document) -> frozenset[str]:
    """Everything that the steps of a document call."""
    return frozenset(call for step in all_steps(document) if (call := call_of(step)) is not None)
