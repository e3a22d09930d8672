"""Do templates, conditions and mappings parse, and does what they name exist by then?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import msgspec

from services.definitions.document import Document, Fallback, Group, Step, all_steps, stages
from services.definitions.nearby import nearby
from services.definitions.patch import Add, Move, Operation, Replace
from services.definitions.readings import (
    Evaluated,
    Keys,
    Reading,
    evaluated,
    made_optional,
    readings_of,
    readings_of_value,
    respelled,
)
from services.definitions.sequence import coming_out, free_name, names_taken, written
from services.definitions.structure import pointer
from services.definitions.tree import Places
from services.definitions.unparsable import unparsable
from services.expressions import ExpressionError, Reference, compile_condition, compile_template
from services.expressions.errors import suggestion
from services.expressions.paths import Path
from services.json import Json
from services.problem import Problem

# Of names that are not there, so many are told of one value, and so many of a document come with what mends them: to
# find that takes time for each, and a document with more of them is not meant to be mended.
_MAX_TOLD = 50
_MAX_MENDED = 100
_MAX_MENDED_TEXT = 10_000

_EVERYWHERE = ("context", "input", "steps", "execution")
# What the roots have that are made by the engine; `step` has another field at each place.
_FIELDS = {
    "execution": frozenset({"id", "startedAt"}),
    "loop": frozenset({"index", "iteration", "last"}),
    "error": frozenset({"code", "message", "step", "instance", "attempt", "others"}),
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What can be named at one place: roots, context keys and finished steps.

    `again` are the keys and the steps that only an earlier iteration of a loop can have left; `later` says who writes
    the other keys, and `kept` in which map those are written that stay inside it. `step_fields` are those of the root
    `step`.
    """

    roots: tuple[str, ...] = _EVERYWHERE
    keys: frozenset[str] = frozenset({"input"})
    steps: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    later: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    input_fields: frozenset[str] | None = None
    step_fields: frozenset[str] = frozenset()

    def seeing(self, *roots: str) -> "_Known":
        return replace(self, roots=tuple(dict.fromkeys((*self.roots, *roots))))

    def inside(self) -> "_Known":
        """What the first stage of a sequence sees that stands here: nothing came before it."""
        return replace(self, roots=tuple(root for root in self.roots if root != "output"))

    def with_key(self, key: str | None) -> "_Known":
        return self if key is None else replace(self, keys=self.keys | {key})

    def after(self, steps: Iterable[Step]) -> "_Known":
        """What is known once these steps are over."""
        keys, names = _left_by(steps)
        return replace(self, keys=self.keys | keys, steps=self.steps | names)

    def in_rounds_of(self, steps: Iterable[Step]) -> "_Known":
        """What is known where these steps may have run before."""
        keys, names = _left_by(steps)
        return replace(self, again=self.again | keys | names)


class _Slip(NamedTuple):
    """Why a path names nothing, what it could name there, and, if that is clear, the keys that were meant."""

    why: str
    allowed: tuple[str, ...]
    near: str | None = None
    meant: Keys | None = None
    comes_later: bool = False


def check_references(document: Document, places: Places) -> list[Problem]:
    """What does not parse, what names nothing, and what two members of a group would both write."""
    return _Walk(document, places).problems


class _Walk:
    """One walk over the steps of a document, with what each of them can name."""

    def __init__(self, document: Document, places: Places) -> None:
        self.problems: list[Problem] = []
        self._places = places
        self._groups = document.groups
        self._taken = names_taken(document)
        self._mendable = _MAX_MENDED
        start = _Known(
            later=_writers((*document.steps, *document.on_failure, *document.finally_)),
            kept=_kept_by_maps(document),
            input_fields=_declared_fields(document.input),
        )
        # At the end anything may be there that the main sequence writes.
        self._at_end = start.after(document.steps)
        self._check_sequence(document.steps, start)
        self._check_value(document.output, "/output", self._at_end.seeing("output"))
        failed = self._check_sequence(document.on_failure, self._at_end.seeing("error"))
        self._check_sequence(document.finally_, replace(failed, roots=_EVERYWHERE))

    def _check_sequence(self, steps: tuple[Step, ...], known: _Known) -> _Known:
        """What is known at the end of a sequence that begins with `known`."""
        known = known.inside()
        for index, stage in enumerate(stages(steps)):
            here = known.seeing("output") if index else known
            for step in stage:
                self._check_step(step, here)
            merged = self._groups.get(stage[0].parallel_group or "", Group()).merge
            self.problems += _conflicts(stage, merged, self._places, self._taken)
            known = known.after(stage)
        return known

    def _check_step(self, step: Step, known: _Known) -> None:
        place = self._places[step]
        for each in evaluated(step):
            at_that_moment = _at_moment(each, step, known)
            if each.language == "condition":
                self._check_condition(each, place, at_that_moment)
            else:
                is_mapping = each.language == "mapping"
                self._check_value(each.value, place + each.path, at_that_moment, jsonpath=is_mapping)
        self._check_keys(step.context_keys or (), place + "/contextKeys", known)
        for steps, inside in self._held(step, known.inside()):
            self._check_sequence(steps, inside)

    def _held(self, step: Step, known: _Known) -> Iterator[tuple[tuple[Step, ...], _Known]]:
        """The sequences that a step holds, with what is known at the beginning of each."""
        match step.kind:
            case "loop":
                yield step.steps, known.seeing("loop").in_rounds_of(step.steps)
            case "map":
                inside = replace(known, later={**known.later, **_writers(step.steps)})
                yield step.steps, inside.seeing("item", "loop").with_key(step.as_)
            case _:
                yield step.steps, known
        for case in step.cases:
            yield case.steps, known
        yield step.else_, known
        if isinstance(step.on_error, Fallback) and step.on_error.catch is not msgspec.UNSET:
            for handler in step.on_error.catch:
                yield handler.steps, known.seeing("error").with_key(handler.as_)
        undone = self._at_end.seeing("step", *(root for root in known.roots if root not in _EVERYWHERE))
        yield step.compensate, replace(undone, step_fields=frozenset({"output"}))

    def _check_condition(self, each: Evaluated, place: str, known: _Known) -> None:
        path = place + each.path
        try:
            compiled = compile_condition(each.value)
        except ExpressionError as error:
            self.problems.append(unparsable(error, each.value, path))
            return
        # A condition on what is absent is false, not an error; but a name that nothing ever writes is a slip.
        self._check_names(compiled.references, list(readings_of(each, place)), path, known, may_be_absent=False)

    def _check_value(self, value: Json, path: str, known: _Known, *, jsonpath: bool = True) -> None:
        if value is None:
            return
        try:
            compiled = compile_template(value, jsonpath=jsonpath)
        except ExpressionError as error:
            self.problems.append(unparsable(error, value, path))
            return
        required = [reference for reference in compiled.references if reference.required]
        readings = list(readings_of_value(value, path, jsonpath=jsonpath))
        self._check_names(required, readings, path, known, may_be_absent=True)

    def _check_keys(self, keys: Sequence[str], path: str, known: _Known) -> None:
        names = known.keys | known.again if keys else frozenset[str]()
        unknown = ((index, key) for index, key in enumerate(keys) if key not in names)
        for index, key in islice(unknown, _MAX_TOLD):
            place = path + pointer(index)
            why, allowed, near, meant, _ = _near(("context", key), 1, f"nothing has written {key!r} by then", names)
            patch = () if meant is None else (Replace(path=place, value=near),)
            self.problems.append(
                Problem(
                    code="UNKNOWN_REFERENCE", path=place, message=why, allowed=allowed, suggestion=near, patch=patch
                )
            )

    def _check_names(
        self, named: Iterable[Reference], readings: list[Reading], path: str, known: _Known, *, may_be_absent: bool
    ) -> None:
        by_text: dict[str, Reference] = {}
        for each in named:
            if each.required or each.path.text not in by_text:
                by_text[each.path.text] = each
        slips = ((each.path, _slip(each.path, known, required=each.required)) for each in by_text.values())
        found = list(islice(((named, slip) for named, slip in slips if slip is not None), _MAX_TOLD))
        where = _where(readings) if found else {}
        for named_path, slip in found:
            patch: tuple[Operation, ...] = ()
            read_by = where.get(named_path.text, [])
            if self._mendable > 0 and sum(len(reading.text) for reading in read_by) <= _MAX_MENDED_TEXT:
                self._mendable -= 1
                patch = _mended(slip, named_path, read_by, may_be_absent=may_be_absent)
            self.problems.append(
                Problem(
                    code="UNKNOWN_REFERENCE",
                    path=path,
                    message=f"{named_path.text}: {slip.why}",
                    allowed=slip.allowed,
                    suggestion=slip.near,
                    patch=patch,
                )
            )


def _where(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    """The strings that read each path."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        for text in {reference.path.text for reference in reading.references()}:
            found.setdefault(text, []).append(reading)
    return found


def _left_by(steps: Iterable[Step]) -> tuple[frozenset[str], frozenset[str]]:
    """The context keys and the names of the steps that can be seen once these steps are over."""
    over = [each for step in steps for each in coming_out(step)]
    # The name of one that was skipped, or has failed and is excused, is null.
    absent = {
        step.name
        for step in over
        if step.condition is not None or step.on_error == "continue" or step.parallel_group is not None
    }
    return frozenset(absent.union(*(written(step) for step in over))), frozenset(step.name for step in over)


def _writers(steps: Iterable[Step]) -> dict[str, str]:
    return {key: each.name for step in steps for each in coming_out(step) for key in written(each)}


def _kept_by_maps(document: Document) -> dict[str, str]:
    return {key: step.name for step in all_steps(document) if step.kind == "map" for key in _writers(step.steps)}


def _at_moment(each: Evaluated, step: Step, known: _Known) -> _Known:
    match each.moment:
        case "before":
            return known
        case "after":
            return replace(known.seeing("output", "step"), step_fields=frozenset({"input"}))
        case "while":
            return known.seeing("loop").in_rounds_of(step.steps)
        case "until":
            return known.seeing("loop", "output").after(step.steps)


def _mended(slip: _Slip, path: Path, readings: list[Reading], *, may_be_absent: bool) -> tuple[Operation, ...]:
    """Read what was meant, or else let it be absent. What comes later would always be absent: somebody must choose."""
    if slip.comes_later:
        return ()
    if slip.meant is not None:
        return respelled(readings, lambda each: slip.meant if each.text == path.text else None) or ()
    return made_optional(readings, path) if may_be_absent else ()


def _slip(path: Path, known: _Known, *, required: bool) -> _Slip | None:
    keys = path.keys
    root, *rest = keys
    if root not in known.roots:
        why = "the first stage has no output before it" if root == "output" else f"there is no `{root}` at this place"
        return _Slip(why, known.roots)
    first = str(rest[0]) if rest else None
    earlier = frozenset[str]() if required else known.again
    if first is None or (first in earlier and root in ("context", "steps")):
        return None
    if root == "context" and first not in known.keys:
        return _slip_of_key(path, first, known)
    if root == "steps" and first not in known.steps:
        slip = _near(keys, 1, f"no step {first!r} has finished by then", known.steps)
        return slip._replace(comes_later=first in known.later.values())
    fields = known.step_fields if root == "step" else _FIELDS.get(str(root), frozenset((first,)))
    if first not in fields:
        return _near(keys, 1, f"`{root}` has no {first!r} at this place", fields)
    at = 1 if root == "input" else 2 if keys[:2] == ("context", "input") else len(keys)
    name = str(keys[at]) if at < len(keys) else None
    if known.input_fields is not None and name is not None and name not in known.input_fields:
        return _near(keys, at, f"the input schema declares no {name!r} and allows nothing else", known.input_fields)
    return None


def _slip_of_key(path: Path, key: str, known: _Known) -> _Slip:
    if writer := known.later.get(key):
        why = f"{key!r} is written by {writer!r}, which has not finished by then"
        return _near(path.keys, 1, why, known.keys)._replace(comes_later=True)
    if holder := known.kept.get(key):
        why = f"{key!r} is written inside the map {holder!r}, whose items keep it to themselves"
        return _near(path.keys, 1, why, known.keys)._replace(comes_later=True)
    slip = _near(path.keys, 1, f"nothing writes {key!r}", known.keys)
    if slip.meant is None and path.is_classic and (near_root := suggestion(key, known.roots)):
        # Not a key was misspelt, but the root itself.
        return slip._replace(meant=(near_root, *path.keys[2:]))
    return slip._replace(meant=("input", *path.keys[2:])) if path.is_classic and slip.near == "input" else slip


def _near(keys: Keys, at: int, why: str, names: frozenset[str]) -> _Slip:
    """The slip of a path whose part `at` is none of `names`."""
    allowed = nearby(str(keys[at]), sorted(names))
    near = suggestion(str(keys[at]), allowed)
    meant = (*keys[:at], near, *keys[at + 1 :]) if near is not None and near in names else None
    return _Slip(why, allowed, near, meant)


def _declared_fields(schema: Json) -> frozenset[str] | None:
    """The only names that the input can have, or None when it may have others."""
    if not isinstance(schema, dict) or schema.get("additionalProperties") is not False or "patternProperties" in schema:
        return None
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, dict) else None


def _conflicts(stage: list[Step], merged: Mapping[str, str], places: Places, taken: set[str]) -> Iterator[Problem]:
    """The keys that two members of a stage write, themselves or through what they hold."""
    first: dict[str, tuple[Step, Step]] = {}
    for member in stage:
        seen = set(merged)
        for writer in coming_out(member):
            for key in written(writer):
                owner, other = first.setdefault(key, (member, writer))
                if owner is not member and key not in seen:
                    message = f"{other.name!r} and {writer.name!r} run together and both write the context key {key!r}"
                    place = places[writer] + "/outputMapping"
                    patch = _apart(key, [writer, other], places, taken)
                    yield Problem(code="CONTEXT_CONFLICT", path=place, message=message, patch=patch)
                    seen.add(key)


def _apart(key: str, writers: list[Step], places: Places, taken: set[str]) -> tuple[Operation, ...]:
    """Let the first of the writers that names the key write another."""
    for step in writers:
        if step.output_mapping is not None:
            new = f"{key} {step.name}"
            new = free_name(new, taken) if new in taken else new
            taken.add(new)
            place = places[step] + "/outputMapping" + ("" if key in step.output_mapping else pointer("$literal"))
            return (Move(from_=place + pointer(key), path=place + pointer(new)),)
    # Both are called the same, and that is a problem of its own; for now the second says what it writes.
    step = writers[0]
    new = free_name(key, taken)
    taken.add(new)
    return (Add(path=places[step] + "/outputMapping", value={new: "<<output>>"}),)
