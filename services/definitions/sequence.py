"""Names that are each their own, orders that say who comes next, and groups whose members stay together."""

from collections.abc import Collection, Iterable, Sequence

from services.definitions.document import MAX_FAN_OUT, RESERVED_NAMES, Document, Step, all_steps, slots
from services.definitions.patch import Add, Move, Operation, Replace, value_at
from services.definitions.readings import evaluated, readings_of, readings_of_document, respelled
from services.definitions.structure import pointer
from services.definitions.tree import Listed, Places, lists
from services.expressions.paths import Path
from services.json import Json
from services.problem import Problem

_MAX_NAME = 100
_MAX_ORDER = 1_000_000


def written(step: Step) -> Iterable[str]:
    """The context keys that a step writes itself: those of its output mapping, or its name."""
    match step.output_mapping:
        case None:
            return (step.name,)
        case {"$literal": dict(given), **others} if not others:
            return given
        case mapping:
            return mapping


def written_with_held(step: Step) -> set[str]:
    """The context keys that are written once a step is over: its own, and those of what it holds and does not keep."""
    return {key for each in coming_out(step) for key in written(each)}


def coming_out(step: Step) -> Iterable[Step]:
    """The step, and those inside it whose writes and results can be seen when it is over: all but a map's items."""
    yield step
    for slot, held in slots(step):
        if slot != "compensate" and not (slot == "body" and step.kind == "map"):
            for inner in held:
                yield from coming_out(inner)


def names_taken(document: Document) -> set[str]:
    """What a new step or context key cannot be called."""
    return {"input"} | {name for step in all_steps(document) for name in (step.name, *written(step))}


def free_name(name: str, taken: Collection[str]) -> str:
    """`name` with the first number behind it that makes it free.

    >>> free_name("Read", {"Read", "Read 2"})
    'Read 3'
    """
    number = 2
    while (free := f"{name[: _MAX_NAME - len(f' {number}')]} {number}") in taken:
        number += 1
    return free


def check_names(document: Document, places: Places) -> list[Problem]:
    """Names that are roots of the data or taken already."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    taken = names_taken(document)
    for step in all_steps(document):
        place = places[step]
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


def check_order(document: Document, places: Places, raw: Json) -> list[Problem]:
    """Orders that two steps of a list share, and groups with other steps in between."""
    groups = {step.parallel_group for step in all_steps(document) if step.parallel_group is not None}
    return [
        problem
        for listed in lists(document, places)
        for problem in _check_list(listed, places, groups | set(document.groups), raw)
    ]


def _check_list(listed: Listed, places: Places, groups: set[str], raw: Json) -> list[Problem]:
    problems: list[Problem] = []
    last_of: dict[str, int] = {}
    steps = listed.steps
    for index, step in enumerate(steps):
        previous = steps[index - 1] if index else None
        group, path = step.parallel_group, places[step]
        same_group = previous is not None and group is not None and previous.parallel_group == group
        if previous is not None and previous.order == step.order and not same_group:
            message = (
                f"{previous.name!r} and {step.name!r} both have the order {step.order}; only members of one group may"
            )
            patch = _later(steps, places, index)
            problems.append(Problem(code="ORDER_CONFLICT", path=path + "/order", message=message, patch=patch))
        if group is not None and not same_group and group in last_of:
            message = f"the members of the group {group!r} must follow each other; other steps stand between them"
            patch = _joined(listed, places, raw, last_of[group], index)
            if not patch:
                new = free_name(group, groups)
                groups.add(new)
                members = _members(steps, index)
                patch = tuple(Replace(path=places[steps[at]] + "/parallelGroup", value=new) for at in members)
            place = path + "/parallelGroup"
            problems.append(Problem(code="GROUP_NOT_CONTIGUOUS", path=place, message=message, patch=patch))
        if group is not None:
            last_of[group] = index
    return problems


def _follow(step: Step, new: str, document: Document, places: Places) -> tuple[Operation, ...]:
    """What reads the step by its name reads it by its new name; nothing when that cannot be done everywhere."""
    others = {key for other in all_steps(document) if other is not step for key in written(other)}
    roots = ["steps"] if step.name == "input" or step.name in others else ["steps", "context"]

    def renamed(path: Path) -> tuple[str | int, ...] | None:
        root, *rest = path.keys
        return (root, new, *rest[1:]) if root in roots and rest and rest[0] == step.name else None

    return respelled(readings_of_document(document, places), renamed) or ()


def _later(steps: Sequence[Step], places: Places, start: int) -> tuple[Operation, ...]:
    """The next free order for the step at `start`, and for those behind it as far as they have to make room."""
    patch: list[Operation] = []
    last = steps[start - 1].order
    for index in range(start, len(steps)):
        step, previous = steps[index], steps[index - 1]
        together = step.parallel_group is not None and step.parallel_group == previous.parallel_group
        order = max(step.order, last if together and step.order == previous.order else last + 1)
        if order == step.order:
            break
        patch.append(Add(path=places[step] + "/order", value=order))
        last = order
    return tuple(patch) if last <= _MAX_ORDER else ()


def _members(steps: Sequence[Step], start: int) -> list[int]:
    """The step at `start` and those behind it, as far as they are of its group."""
    end = start
    while end < len(steps) and steps[end].parallel_group == steps[start].parallel_group:
        end += 1
    return list(range(start, end))


def _joined(listed: Listed, places: Places, raw: Json, last: int, start: int) -> tuple[Operation, ...]:
    """Put the members from `start` on behind the `last` one before them, unless they need what stands in between."""
    steps, members = listed.steps, _members(listed.steps, start)
    first = last
    while first > 0 and steps[first - 1].parallel_group == steps[start].parallel_group:
        first -= 1
    between = {
        name for step in steps[last + 1 : start] for each in coming_out(step) for name in (each.name, *written(each))
    }
    earlier = {key for step in steps[first : last + 1] for key in written_with_held(step)}
    for index in members:
        read = {key for each in _with_all_held(steps[index]) for key in _keys_read(each, places[each])}
        if None in read or read & between or earlier & written_with_held(steps[index]):
            return ()
    if last + 1 - first + len(members) > MAX_FAN_OUT:
        return ()
    found = value_at(raw, listed.path)
    if any(isinstance(step, dict) and "order" in step for step in (found if isinstance(found, list) else ())):
        return tuple(Add(path=places[steps[index]] + "/order", value=steps[last].order) for index in members)
    # Without orders the places in the list are the sequence.
    return tuple(
        Move(from_=places[steps[index]], path=listed.path + pointer(last + 1 + moved))
        for moved, index in enumerate(members)
    )


def _with_all_held(step: Step) -> Iterable[Step]:
    yield step
    for _, held in slots(step):
        for inner in held:
            yield from _with_all_held(inner)


def _keys_read(step: Step, place: str) -> Iterable[str | None]:
    """The context keys and steps that a step reads by name; None when what it reads depends on where it stands."""
    before = (each for each in evaluated(step) if each.moment != "after")
    for reading in (reading for each in before for reading in readings_of(each, place)):
        for reference in reading.references():
            root, *rest = reference.path.keys
            if root == "output" or (root in ("context", "steps") and not rest):
                yield None
            elif root in ("context", "steps"):
                yield str(rest[0])
