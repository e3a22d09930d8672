"""Where the steps of a document stand, read from its JSON alone: what the checker holds the rows against."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A step of the document: in which slot of which step it stands (None: of the document), and in which stage."""

    name: str
    kind: str
    owner: str | None
    slot: str
    stage: int
    max_attempts: int
    retry_delay_ms: int
    has_compensation: bool


Layout = dict[str, Place]


def layout_of(document: dict[str, Any]) -> Layout:
    """Every step of the document, by its name."""
    slots = {"main": document["steps"], "onFailure": document.get("onFailure"), "finally": document.get("finally")}
    return {
        place.name: place
        for slot, steps in slots.items()
        for place in _places(steps or (), None, slot, document.get("defaults") or {})
    }


def _places(steps: Any, owner: str | None, slot: str, defaults: dict[str, Any]) -> Iterator[Place]:
    stage, group = -1, None
    for step in sorted(enumerate(steps), key=lambda it: (it[1].get("order", it[0]), it[0])):
        step = step[1]
        if group is None or step.get("parallelGroup") != group:
            stage, group = stage + 1, step.get("parallelGroup")
        yield Place(
            name=step["name"],
            kind=step.get("kind", "agent"),
            owner=owner,
            slot=slot,
            stage=stage,
            max_attempts=1 + (step.get("maxRetries") or defaults.get("maxRetries") or 0),
            retry_delay_ms=step.get("retryDelay", defaults.get("retryDelay") or 1000),
            has_compensation=bool(step.get("compensate")),
        )
        for inner_slot, inner in _slots(step):
            yield from _places(inner, step["name"], inner_slot, defaults)


def _slots(step: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "body", step.get("steps") or ()
    yield "else", step.get("else") or ()
    yield "compensate", step.get("compensate") or ()
    for case in step.get("cases") or ():
        yield f"case:{case['name']}", case["steps"]
    on_error = step.get("onError")
    if isinstance(on_error, dict):
        for number, handler in enumerate(on_error.get("catch") or ()):
            yield f"catch:{number}", handler["steps"]


def name_at(path: str) -> str:
    """The step that an instance path names, or whose frame it is: `Duel[2]/Critic` is Critic, `Duel[2]/` is Duel."""
    last = path.rstrip("/").rpartition("/")[2]
    return last.partition("[")[0]


def is_at_or_within(path: str, owner: str) -> bool:
    """Whether something happened at the instance `owner` or inside it."""
    return path == owner or (path.startswith(owner) and path[len(owner)] in "/[")
