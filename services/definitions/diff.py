"""What differs between two documents, by step and field and not by text."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any, Literal, NamedTuple

import msgspec

from services.definitions.document import Document, Slot, Step, as_json, main_slots, slots
from services.definitions.effects import Effect
from services.definitions.tree import alone
from services.json import Json, JsonObject

_MAX_SHOWN = 60


class _At(NamedTuple):
    """A step without those that it holds, and where it stands: in which slot of which step, or of the document."""

    step: Step
    parent: str | None
    slot: Slot


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One difference. Without `step` it is one of the document itself; without `field`, of the step as a whole.

    `before` and `after` are the step that was removed or added (without its defaults and the steps in it, which have
    changes of their own), or the values of the field; of a step that moved, its orders, or, when it came into another
    slot, its places. Where steps keep their sequence and only their numbers differ, one change of the document's field
    `order` names them all. What executions come to reach outside, or reach no more, is added to the field `effects` or
    removed from it, as its effect.
    """

    what: Literal["added", "removed", "moved", "changed"]
    step: str | None = None
    field: str | None = None
    before: Json = None
    after: Json = None


def diff(a: Document, b: Document) -> tuple[Change, ...]:
    """What makes `b` of `a`, both as `check` reads them; empty when their digests are the same.

    Steps are matched by name, wherever they stand.

    >>> a = Document(name="flow", steps=(Step(name="A"), Step(name="B", order=1)))
    >>> b = Document(name="flow", steps=(Step(name="A", max_retries=2),))
    >>> lines(diff(a, b))
    ["- step 'B' (agent)", "~ step 'A': maxRetries 0 → 2"]
    """
    before, after = _by_name(a), _by_name(b)
    staying = _staying_in_lists(before, after)
    removed = [
        Change(what="removed", step=name, before=as_json(at.step)) for name, at in before.items() if name not in after
    ]
    changed = [change for name, at in after.items() for change in _of_step(before.get(name), at, name in staying)]
    return (
        *changed_fields(a, b, left_out=("steps", "on_failure", "finally_")),
        *removed,
        *changed,
        *_renumbered({name: (before[name].step, after[name].step) for name in after if name in staying}),
    )


def diff_of_effects(before: Sequence[Effect], after: Sequence[Effect]) -> tuple[Change, ...]:
    """What is reached that was not, and then what is reached no more. Through which steps is no matter.

    >>> lines(diff_of_effects((), (Effect(kind="domain", name="example.com", steps=("A",)),)))
    ["! reaches the domain 'example.com' now"]
    """
    old, new = ({(effect.kind, effect.name): effect for effect in effects} for effects in (before, after))
    return (
        *(Change(what="added", field="effects", after=_json(effect)) for key, effect in new.items() if key not in old),
        *(
            Change(what="removed", field="effects", before=_json(effect))
            for key, effect in old.items()
            if key not in new
        ),
    )


def changed_fields(
    a: msgspec.Struct, b: msgspec.Struct, *, step: str | None = None, left_out: tuple[str, ...] = ()
) -> list[Change]:
    """The fields in which two structs of one type differ, such as two contents of a role."""
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


def lines(changes: tuple[Change, ...]) -> list[str]:
    """The changes for people, a line each; below a text of several lines stand those that differ.

    >>> change = Change(what="changed", field="basePrompt", before="Read.\\nSay it.\\n", after="Read.\\nSay why.\\n")
    >>> lines((change,))
    ['~ basePrompt', '      Read.', '    - Say it.', '    + Say why.']
    """
    return [line for change in changes for line in (_line(change), *_inner_lines(change))]


def _by_name(document: Document) -> dict[str, _At]:
    return {at.step.name: at for at in _all(None, main_slots(document))}


def _all(parent: str | None, held: Iterator[tuple[Slot, tuple[Step, ...]]]) -> Iterator[_At]:
    for slot, steps in held:
        for step in sorted(steps, key=lambda step: (step.order, step.name)):
            yield _At(alone(step), parent, slot)
            yield from _all(step.name, slots(step))


def _of_step(before: _At | None, after: _At, is_staying: bool) -> list[Change]:
    name = after.step.name
    if before is None:
        return [Change(what="added", step=name, after=as_json(after.step))]
    moved: list[Change] = []
    if before[1:] != after[1:]:
        moved = [Change(what="moved", step=name, before=_place(before), after=_place(after))]
    elif not is_staying:
        moved = [Change(what="moved", step=name, before=before.step.order, after=after.step.order)]
    return [*moved, *changed_fields(before.step, after.step, step=name, left_out=("name", "order"))]


def _place(at: _At) -> JsonObject:
    return {"in": at.parent, "slot": at.slot, "order": at.step.order}


def _json(value: Any) -> Json:
    if isinstance(value, msgspec.Struct):
        return as_json(value)
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return value


def _canonical(value: Any) -> bytes:
    # As the digest sees it: Python takes true for 1, and 1 for 1.0.
    return msgspec.json.encode(value, order="sorted")


def _staying_in_lists(before: dict[str, _At], after: dict[str, _At]) -> frozenset[str]:
    """The steps that stand in the same list as before, and in the same sequence with the others of it that do."""
    lists: dict[tuple[str | None, Slot], list[str]] = {}
    for name, at in after.items():
        if name in before and before[name][1:] == at[1:]:
            lists.setdefault((at.parent, at.slot), []).append(name)
    place = {name: index for index, name in enumerate(before)}
    return frozenset[str]().union(
        *(_staying(sorted(names, key=lambda name: place[name]), names) for names in lists.values())
    )


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


def _line(change: Change) -> str:
    name = f"step {change.step!r}"
    match change:
        case Change(what="added", field="effects", after=dict(effect)):
            return f"! reaches the {effect['kind']} {effect['name']!r} now"
        case Change(what="removed", field="effects", before=dict(effect)):
            return f"! reaches the {effect['kind']} {effect['name']!r} no more"
        case Change(what="added", after=dict(step)):
            return f"+ {name} ({step['kind']})"
        case Change(what="removed", before=dict(step)):
            return f"- {name} ({step['kind']})"
        case Change(what="moved", before=dict(before), after=dict(after)):
            return f"> {name}: {_said(before)} → {_said(after)}"
        case Change(what="moved"):
            return f"> {name}: order {change.before} → {change.after}"
        case Change(step=None, field="order", after=dict(orders)):
            return f"~ order: other numbers, the same sequence: {', '.join(orders)}"
        case _:
            where = f"{name}: {change.field}" if change.step is not None else change.field
            return f"~ {where}" + ("" if _is_long(change) else f" {_brief(change.before)} → {_brief(change.after)}")


def _is_long(change: Change) -> bool:
    """Whether it is of a text of several lines, before or after."""
    texts = (change.before, change.after)
    return (
        change.what == "changed" and all(isinstance(it, str) for it in texts) and any("\n" in str(it) for it in texts)
    )


def _inner_lines(change: Change) -> Iterator[str]:
    """The lines of a long text that differ, each with the one before and the one behind."""
    if not _is_long(change):
        return
    texts = [str(text) for text in (change.before, change.after)]
    if all(text.endswith("\n") for text in texts):
        texts = [text.removesuffix("\n") for text in texts]
    before, after = (text.split("\n") for text in texts)
    _, _, *found = unified_diff(before, after, n=1, lineterm="")
    for line in found:
        if not line.startswith("@@"):
            yield f"    {line[0]} {line[1:]}".rstrip()
        elif line is not found[0]:
            yield "      …"


def _said(place: JsonObject) -> str:
    return f"{place['slot']}[{place['order']}]" + (f" of {place['in']!r}" if place["in"] is not None else "")


def _brief(value: Json) -> str:
    text = msgspec.json.encode(value, order="sorted").decode()
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
