"""What differs between two documents, by step and field and not by text."""

from typing import Any, Literal

import msgspec

from services.definitions.document import Document, Step
from services.json import Json, JsonObject

_MAX_SHOWN = 60
# What tells a step in a list of changes, whether it has its default or not.
_ALWAYS = ("name", "kind", "order")


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One difference. Without `step` it is one of the document itself; without `field`, of the step as a whole.

    `before` and `after` are the step that was removed or added (without its defaults), or the values of the field; of a
    step that moved, its orders. Where steps keep their sequence and only their numbers differ, one change of the
    document's field `order` names them all.
    """

    what: Literal["added", "removed", "moved", "changed"]
    step: str | None = None
    field: str | None = None
    before: Json = None
    after: Json = None


def diff(a: Document, b: Document) -> tuple[Change, ...]:
    """What makes `b` of `a`, both as `check` reads them; empty when their digests are the same.

    Steps are matched by name.

    >>> a = Document(name="flow", steps=(Step(name="A"), Step(name="B", order=1)))
    >>> b = Document(name="flow", steps=(Step(name="A", max_retries=2),))
    >>> lines(diff(a, b))
    ["- step 'B' (agent)", "~ step 'A': maxRetries 0 → 2"]
    """
    before, after = _by_name(a), _by_name(b)
    staying = _staying([name for name in before if name in after], [name for name in after if name in before])
    removed = [
        Change(what="removed", step=name, before=_shown(step)) for name, step in before.items() if name not in after
    ]
    changed = [change for name, step in after.items() for change in _of_step(before.get(name), step, name in staying)]
    return (
        *_changed_fields(a, b, None, ("steps",)),
        *removed,
        *changed,
        *_renumbered({name: (before[name], after[name]) for name in after if name in staying}),
    )


def lines(changes: tuple[Change, ...]) -> list[str]:
    """The changes for people, a line each."""
    return [_line(change) for change in changes]


def _by_name(document: Document) -> dict[str, Step]:
    return {step.name: step for step in sorted(document.steps, key=lambda step: (step.order, step.name))}


def _of_step(before: Step | None, after: Step, is_staying: bool) -> list[Change]:
    if before is None:
        return [Change(what="added", step=after.name, after=_shown(after))]
    moved = [] if is_staying else [Change(what="moved", step=after.name, before=before.order, after=after.order)]
    return [*moved, *_changed_fields(before, after, after.name, ("name", "order"))]


def _changed_fields(a: msgspec.Struct, b: msgspec.Struct, step: str | None, left_out: tuple[str, ...]) -> list[Change]:
    values = [
        (field.encode_name, _json(getattr(a, field.name)), _json(getattr(b, field.name)))
        for field in msgspec.structs.fields(type(a))
        if field.name not in left_out
    ]
    return [
        Change(what="changed", step=step, field=name, before=before, after=after)
        for name, before, after in values
        if _canonical(before) != _canonical(after)
    ]


def _json(value: Any) -> Json:
    return msgspec.json.decode(msgspec.json.encode(value))


def _canonical(value: Any) -> bytes:
    # As the digest sees it: Python takes true for 1, and 1 for 1.0.
    return msgspec.json.encode(value, order="sorted")


def _staying(before: list[str], after: list[str]) -> frozenset[str]:
    """The most names that stand in the same sequence in both lists; all the others have moved.

    Of several such sequences the first by name is taken, so that it is the same one seen from either side.
    """
    place = {name: index for index, name in enumerate(before)}
    best: dict[str, tuple[int, tuple[str, ...]]] = {}
    for name in after:
        ends = [chain for other, chain in best.items() if place[other] < place[name]]
        length, names = min(ends, default=(0, ()))
        best[name] = (length - 1, (*names, name))
    return frozenset(min(best.values(), default=(0, ()))[1])


def _renumbered(pairs: dict[str, tuple[Step, Step]]) -> list[Change]:
    renumbered = {name: pair for name, pair in pairs.items() if pair[0].order != pair[1].order}
    if not renumbered:
        return []
    before: JsonObject = {name: step.order for name, (step, _) in renumbered.items()}
    after: JsonObject = {name: step.order for name, (_, step) in renumbered.items()}
    return [Change(what="changed", field="order", before=before, after=after)]


def _shown(step: Step) -> JsonObject:
    return {
        field.encode_name: _json(value)
        for field in msgspec.structs.fields(Step)
        if (value := getattr(step, field.name)) != field.default or field.name in _ALWAYS
    }


def _line(change: Change) -> str:
    name = f"step {change.step!r}"
    match change:
        case Change(what="added", after=dict(step)):
            return f"+ {name} ({step['kind']})"
        case Change(what="removed", before=dict(step)):
            return f"- {name} ({step['kind']})"
        case Change(what="moved"):
            return f"> {name}: order {change.before} → {change.after}"
        case Change(step=None, field="order", after=dict(orders)):
            return f"~ order: other numbers, the same sequence: {', '.join(orders)}"
        case _:
            where = f"{name}: {change.field}" if change.step is not None else change.field
            return f"~ {where} {_brief(change.before)} → {_brief(change.after)}"


def _brief(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
