"""Names that are each their own, orders that say who comes next, and groups whose members stay together."""

from collections.abc import Collection, Iterable, Sequence

from services.definitions.document import MAX_FAN_OUT, RESERVED_NAMES, Document, Step
from services.definitions.patch import Add, Move, Operation, Replace
from services.definitions.readings import readings_of_document, readings_of_step, respelled
from services.definitions.structure import pointer
from services.expressions.paths import Path
from services.json import Json
from services.problem import Problem

_MAX_NAME = 100
_MAX_ORDER = 1_000_000


def written(step: Step) -> Iterable[str]:
    """The context keys that a step writes: those of its output mapping, or its name."""
    return (step.name,) if step.output_mapping is None else step.output_mapping


def names_taken(document: Document) -> set[str]:
    """What a new step or context key cannot be called."""
    keys = (key for step in document.steps for key in written(step))
    return {"input", *keys, *(step.name for step in document.steps)}


def free_name(name: str, taken: Collection[str]) -> str:
    """`name` with the first number behind it that makes it free.

    >>> free_name("Read", {"Read", "Read 2"})
    'Read 3'
    """
    number = 2
    while (free := f"{name[: _MAX_NAME - len(f' {number}')]} {number}") in taken:
        number += 1
    return free


def check_names(document: Document, places: Sequence[str]) -> list[Problem]:
    """Names that are roots of the data or taken already."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    taken = names_taken(document)
    for step, place in zip(document.steps, places, strict=True):
        path = place + "/name"
        if step.name in RESERVED_NAMES:
            message = f"{step.name!r} is a root of the data; a step needs another name"
            new = step.name.capitalize()
            new = free_name(new, taken) if new in taken else new
            taken.add(new)
            patch: tuple[Operation, ...] = (Replace(path=path, value=new),)
            if step.name not in seen:
                patch += _follow(step, new, document, places)
            problems.append(Problem(code="RESERVED_NAME", path=path, message=message, suggestion=new, patch=patch))
        if step.name in seen:
            message = f"the name {step.name!r} is taken by {seen[step.name]}; names are context keys, so each is unique"
            new = free_name(step.name, taken)
            taken.add(new)
            patch = (Replace(path=path, value=new),)
            problems.append(Problem(code="DUPLICATE_NAME", path=path, message=message, suggestion=new, patch=patch))
        seen.setdefault(step.name, place)
    return problems


def check_order(document: Document, places: Sequence[str], raw: Json) -> list[Problem]:
    """Orders that two steps share, and groups with other steps in between."""
    problems: list[Problem] = []
    last_of: dict[str, int] = {}
    groups = {step.parallel_group for step in document.steps if step.parallel_group is not None}
    for index, step in enumerate(document.steps):
        previous = document.steps[index - 1] if index else None
        group, path = step.parallel_group, places[index]
        same_group = previous is not None and group is not None and previous.parallel_group == group
        if previous is not None and previous.order == step.order and not same_group:
            message = (
                f"{previous.name!r} and {step.name!r} both have the order {step.order}; only members of one group may"
            )
            patch = _later(document.steps, places, index)
            problems.append(Problem(code="ORDER_CONFLICT", path=path + "/order", message=message, patch=patch))
        if group is not None and not same_group and group in last_of:
            message = f"the members of the group {group!r} must follow each other; other steps stand between them"
            patch = _joined(document, places, raw, last_of[group], index)
            if not patch:
                new = free_name(group, groups)
                groups.add(new)
                members = _members(document.steps, index)
                patch = tuple(Replace(path=places[member] + "/parallelGroup", value=new) for member in members)
            place = path + "/parallelGroup"
            problems.append(Problem(code="GROUP_NOT_CONTIGUOUS", path=place, message=message, patch=patch))
        if group is not None:
            last_of[group] = index
    return problems


def _follow(step: Step, new: str, document: Document, places: Sequence[str]) -> tuple[Operation, ...]:
    """What reads the step by its name reads it by its new name; nothing when that cannot be done everywhere."""
    others = {key for other in document.steps if other is not step for key in written(other)}
    roots = ["steps"] if step.name == "input" or step.name in others else ["steps", "context"]

    def renamed(path: Path) -> tuple[str | int, ...] | None:
        root, *rest = path.keys
        return (root, new, *rest[1:]) if root in roots and rest and rest[0] == step.name else None

    return respelled(readings_of_document(document, places), renamed) or ()


def _later(steps: Sequence[Step], places: Sequence[str], start: int) -> tuple[Operation, ...]:
    """The next free order for the step at `start`, and for those behind it as far as they have to make room."""
    patch: list[Operation] = []
    last = steps[start - 1].order
    for index in range(start, len(steps)):
        step, previous = steps[index], steps[index - 1]
        together = step.parallel_group is not None and step.parallel_group == previous.parallel_group
        order = max(step.order, last if together and step.order == previous.order else last + 1)
        if order == step.order:
            break
        patch.append(Add(path=places[index] + "/order", value=order))
        last = order
    return tuple(patch) if last <= _MAX_ORDER else ()


def _members(steps: Sequence[Step], start: int) -> list[int]:
    """The step at `start` and those behind it, as far as they are of its group."""
    end = start
    while end < len(steps) and steps[end].parallel_group == steps[start].parallel_group:
        end += 1
    return list(range(start, end))


def _joined(document: Document, places: Sequence[str], raw: Json, last: int, start: int) -> tuple[Operation, ...]:
    """Put the members from `start` on behind the `last` one before them, unless they need what stands in between."""
    steps, members = document.steps, _members(document.steps, start)
    first = last
    while first > 0 and steps[first - 1].parallel_group == steps[start].parallel_group:
        first -= 1
    between = {name for step in steps[last + 1 : start] for name in (step.name, *written(step))}
    earlier = {key for step in steps[first : last + 1] for key in written(step)}
    for index in members:
        read = set(_keys_read(steps[index], places[index]))
        if None in read or read & between or earlier & set(written(steps[index])):
            return ()
    if last + 1 - first + len(members) > MAX_FAN_OUT:
        return ()
    listed = raw["steps"] if isinstance(raw, dict) else []
    if any(isinstance(step, dict) and "order" in step for step in listed or ()):  # type: ignore[union-attr]
        return tuple(Add(path=places[index] + "/order", value=steps[last].order) for index in members)
    # Without orders the places in the list are the sequence.
    return tuple(
        Move(from_=places[index], path=pointer("steps", last + 1 + moved)) for moved, index in enumerate(members)
    )


def _keys_read(step: Step, place: str) -> Iterable[str | None]:
    """The context keys and steps that a step reads by name; None when what it reads depends on where it stands."""
    for reading in readings_of_step(step, place, with_output=False):
        for reference in reading.references():
            root, *rest = reference.path.keys
            if root == "output" or (root in ("context", "steps") and not rest):
                yield None
            elif root in ("context", "steps"):
                yield str(rest[0])
