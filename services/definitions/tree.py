"""The tree that the steps of a document make: the lists they stand in, and where each of them was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from services.definitions.document import Document, Fallback, Slot, Step, main_slots


@dataclass(frozen=True, slots=True)
class Places:
    """Where each step of a document stands in what it was read from: `places[step]` is a JSON Pointer."""

    # By identity: two steps may wrongly be alike, and each problem belongs to its own.
    by_id: dict[int, str]

    def __getitem__(self, step: Step) -> str:
        return self.by_id[id(step)]


class Listed(NamedTuple):
    """The steps of one list of a document, in their sequence, and the JSON Pointer of the list."""

    path: str
    steps: tuple[Step, ...]


_FIELD_OF_SLOT = {"main": "/steps", "onFailure": "/onFailure", "finally": "/finally"}


def lists(document: Document, places: Places) -> Iterator[Listed]:
    """Every list of steps in the document, each before those inside it."""
    for slot, steps in main_slots(document):
        yield from _with_inner(Listed(_FIELD_OF_SLOT[slot], steps), places)


def lists_of(step: Step, place: str) -> Iterator[Listed]:
    """The lists of steps that a step at `place` holds, also those without any."""
    yield Listed(place + "/steps", step.steps)
    for index, case in enumerate(step.cases):
        yield Listed(f"{place}/cases/{index}/steps", case.steps)
    yield Listed(place + "/else", step.else_)
    if isinstance(step.on_error, Fallback) and step.on_error.catch is not msgspec.UNSET:
        for index, handler in enumerate(step.on_error.catch):
            yield Listed(f"{place}/onError/catch/{index}/steps", handler.steps)
    yield Listed(place + "/compensate", step.compensate)


def alone(step: Step) -> Step:
    """The step without those that it holds."""
    on_error = step.on_error
    if isinstance(on_error, Fallback) and on_error.catch is not msgspec.UNSET:
        handlers = tuple(msgspec.structs.replace(handler, steps=()) for handler in on_error.catch)
        on_error = msgspec.structs.replace(on_error, catch=handlers)
    cases = tuple(msgspec.structs.replace(case, steps=()) for case in step.cases)
    return msgspec.structs.replace(step, steps=(), cases=cases, else_=(), on_error=on_error, compensate=())


def holding(step: Step, held: dict[Slot, tuple[Step, ...]]) -> Step:
    """The step with these steps in its slots, and no others: what `alone` has taken away."""
    on_error = step.on_error
    if isinstance(on_error, Fallback) and on_error.catch is not msgspec.UNSET:
        handlers = tuple(
            msgspec.structs.replace(handler, steps=held.get(f"catch:{index}", ()))
            for index, handler in enumerate(on_error.catch)
        )
        on_error = msgspec.structs.replace(on_error, catch=handlers)
    return msgspec.structs.replace(
        step,
        steps=held.get("body", ()),
        cases=tuple(msgspec.structs.replace(case, steps=held.get(f"case:{case.name}", ())) for case in step.cases),
        else_=held.get("else", ()),
        on_error=on_error,
        compensate=held.get("compensate", ()),
    )


def _with_inner(listed: Listed, places: Places) -> Iterator[Listed]:
    yield listed
    for step in listed.steps:
        for inner in lists_of(step, places[step]):
            if inner.steps:
                yield from _with_inner(inner, places)
