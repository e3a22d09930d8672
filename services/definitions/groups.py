"""The settings of parallel groups: do the groups exist, and can what is asked of their members be had?"""

from collections.abc import Iterator

from services.definitions.document import MAX_FAN_OUT, Document, Group, Step, stages
from services.definitions.nearby import nearby
from services.definitions.patch import Move, Operation, Remove, Replace
from services.definitions.sequence import written_with_held
from services.definitions.structure import pointer
from services.definitions.tree import Places, lists
from services.expressions.errors import suggestion
from services.problem import Problem


def check_groups(document: Document, places: Places) -> list[Problem]:
    """Groups with too many members, and settings that no group can follow."""
    found: dict[str, list[list[Step]]] = {}
    problems: list[Problem] = []
    for listed in lists(document, places):
        for stage in stages(listed.steps):
            group = stage[0].parallel_group
            if len(stage) > MAX_FAN_OUT:
                message = f"the group {group!r} has {len(stage)} members; up to {MAX_FAN_OUT} run together"
                problems.append(Problem(code="FAN_OUT_TOO_LARGE", path=listed.path, message=message))
            if group is not None:
                found.setdefault(group, []).append(stage)
    for name, settings in document.groups.items():
        path = pointer("groups", name)
        if name in found:
            problems += _check_settings(settings, found[name], path)
        else:
            problems.append(_unknown(name, path, tuple(sorted(found)), set(document.groups)))
    return problems


def _unknown(name: str, path: str, known: tuple[str, ...], settled: set[str]) -> Problem:
    allowed = nearby(name, known)
    near = suggestion(name, allowed)
    patch: Operation = Remove(path=path)
    if near is not None and near not in settled:
        patch = Move(from_=path, path=pointer("groups", near))
    message = f"no step has the `parallelGroup` {name!r}"
    return Problem(code="UNKNOWN_GROUP", path=path, message=message, allowed=allowed, suggestion=near, patch=(patch,))


def _check_settings(group: Group, found: list[list[Step]], path: str) -> Iterator[Problem]:
    # Groups of one name in several lists have the same settings, so the smallest has to do with them.
    members = min(len(stage) for stage in found)
    if group.join == "n_of" and group.n is None:
        message = "a group with the join n_of needs `n`, how many of its members have to succeed"
        yield Problem(code="REQUIRED", path=path, message=message, allowed=("n",))
    for field, value, join in (("n", group.n, "n_of"), ("minSuccess", group.min_success, "all_settled")):
        place = path + pointer(field)
        if value and group.join != join:
            message = f"`{field}` has no effect unless the join is {join}"
            yield Problem(code="FIELD_CONFLICT", path=place, message=message, patch=(Remove(path=place),))
        elif value and value > members:
            message = f"{value} members cannot succeed: the group has {members}"
            patch = (Replace(path=place, value=members),)
            yield Problem(code="GROUP_TOO_SMALL", path=place, message=message, patch=patch)
    keys = tuple(sorted({key for stage in found for member in stage for key in written_with_held(member)}))
    for key in group.merge:
        if key not in keys:
            place = path + pointer("merge", key)
            allowed = nearby(key, keys)
            near = suggestion(key, allowed)
            message = f"no member of the group writes {key!r}"
            yield Problem(
                code="UNKNOWN_REFERENCE",
                path=place,
                message=message,
                allowed=allowed,
                suggestion=near,
                patch=(Remove(path=place),)
                if near is None or near in group.merge
                else (Move(from_=place, path=path + pointer("merge", near)),),
            )
