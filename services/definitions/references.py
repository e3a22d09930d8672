"""Do templates, conditions and mappings parse, and does what they name exist by then?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.definitions.document import Document, Step, stages
from services.definitions.patch import Add, Move, Operation
from services.definitions.readings import (
    Keys,
    Reading,
    made_optional,
    readings_of_condition,
    readings_of_value,
    respelled,
)
from services.definitions.sequence import free_name, names_taken, written
from services.definitions.structure import pointer
from services.definitions.unparsable import unparsable
from services.expressions import ExpressionError, compile_condition, compile_template
from services.expressions.errors import suggestion
from services.expressions.paths import Path
from services.json import Json
from services.problem import Problem

_EVERYWHERE = ("context", "input", "steps")


@dataclass(frozen=True, slots=True)
class _Known:
    """What can be named at one place: roots, context keys, finished steps, and who writes the other keys later."""

    roots: tuple[str, ...]
    keys: frozenset[str]
    steps: frozenset[str]
    later: dict[str, str]
    input_fields: frozenset[str] | None


class _Slip(NamedTuple):
    """Why a path names nothing, what it could name there, and, if that is clear, the keys that were meant."""

    why: str
    allowed: tuple[str, ...]
    near: str | None = None
    meant: Keys | None = None
    comes_later: bool = False


def check_references(document: Document, places: Sequence[str]) -> list[Problem]:
    """What does not parse, what names nothing, and what two members of a group would both write."""
    problems: list[Problem] = []
    # By identity: two steps may wrongly have one name, and each problem belongs to its own.
    paths = {id(step): places[place] for place, step in enumerate(document.steps)}
    later = {key: step.name for step in document.steps for key in written(step)}
    taken = names_taken(document)
    keys: set[str] = {"input"}
    finished: set[str] = set()
    fields = _declared_fields(document.input)
    for index, stage in enumerate(stages(document.steps)):
        before = (*_EVERYWHERE, "output") if index else _EVERYWHERE
        for step in stage:
            known = _Known(before, frozenset(keys), frozenset(finished), later, fields)
            problems += _check_step(step, paths[id(step)], known)
        problems += _conflicts(stage, paths, taken)
        keys |= {key for step in stage for key in written(step)} | {
            step.name for step in stage if step.condition is not None
        }
        finished |= {step.name for step in stage}
    at_end = _Known((*_EVERYWHERE, "output"), frozenset(keys), frozenset(finished), later, fields)
    return problems + _check_value(document.output, "/output", at_end)


def _check_step(step: Step, path: str, known: _Known) -> list[Problem]:
    after = _Known((*_EVERYWHERE, "output", "step"), known.keys, known.steps, known.later, known.input_fields)
    problems = _check_condition(step.condition, path + "/condition", known)
    problems += _check_value(step.input_mapping, path + "/inputMapping", known)
    problems += _check_value(step.output_mapping, path + "/outputMapping", after)
    return problems


def _check_condition(condition: Json, path: str, known: _Known) -> list[Problem]:
    if condition is None:
        return []
    try:
        compiled = compile_condition(condition)
    except ExpressionError as error:
        return [unparsable(error, condition, path)]
    # A condition on what is absent is false, not an error; but a name that nothing ever writes is a slip.
    named = {reference.path.text: reference.path for reference in compiled.references}
    return _unknown(named.values(), list(readings_of_condition(condition, path)), path, known, may_be_absent=False)


def _check_value(value: Json, path: str, known: _Known) -> list[Problem]:
    if value is None:
        return []
    try:
        compiled = compile_template(value, jsonpath=True)
    except ExpressionError as error:
        return [unparsable(error, value, path)]
    required = [reference.path for reference in compiled.references if reference.required]
    return _unknown(required, list(readings_of_value(value, path)), path, known, may_be_absent=True)


def _unknown(
    named: Iterable[Path], readings: list[Reading], path: str, known: _Known, *, may_be_absent: bool
) -> list[Problem]:
    return [
        Problem(
            code="UNKNOWN_REFERENCE",
            path=path,
            message=f"{each.text}: {slip.why}",
            allowed=slip.allowed,
            suggestion=slip.near,
            patch=_mended(slip, each, readings, may_be_absent=may_be_absent),
        )
        for each in named
        if (slip := _slip(each, known)) is not None
    ]


def _mended(slip: _Slip, path: Path, readings: list[Reading], *, may_be_absent: bool) -> tuple[Operation, ...]:
    """Read what was meant, or else let it be absent. What comes later would always be absent: somebody must choose."""
    if slip.comes_later:
        return ()
    if slip.meant is not None:
        return respelled(readings, lambda each: slip.meant if each.text == path.text else None) or ()
    return made_optional(readings, path) if may_be_absent else ()


def _slip(path: Path, known: _Known) -> _Slip | None:
    keys = path.keys
    root, *rest = keys
    if root not in known.roots:
        why = "the first stage has no output before it" if root == "output" else f"there is no `{root}` at this place"
        return _Slip(why, known.roots)
    first = str(rest[0]) if rest else None
    if root == "context" and first is not None and first not in known.keys:
        return _slip_of_key(path, first, known)
    if root == "steps" and first is not None and first not in known.steps:
        slip = _near(keys, 1, f"no step {first!r} has finished by then", known.steps)
        return slip._replace(comes_later=first in known.later.values())
    at = 1 if root == "input" else 2 if keys[:2] == ("context", "input") else len(keys)
    field = str(keys[at]) if at < len(keys) else None
    if known.input_fields is not None and field is not None and field not in known.input_fields:
        return _near(keys, at, f"the input schema declares no {field!r} and allows nothing else", known.input_fields)
    return None


def _slip_of_key(path: Path, key: str, known: _Known) -> _Slip:
    if writer := known.later.get(key):
        why = f"{key!r} is written by {writer!r}, which has not finished by then"
        return _near(path.keys, 1, why, known.keys)._replace(comes_later=True)
    slip = _near(path.keys, 1, f"nothing writes {key!r}", known.keys)
    if slip.meant is None and path.is_classic and (near_root := suggestion(key, known.roots)):
        # Not a key was misspelt, but the root itself.
        return slip._replace(meant=(near_root, *path.keys[2:]))
    return slip._replace(meant=("input", *path.keys[2:])) if path.is_classic and slip.near == "input" else slip


def _near(keys: Keys, at: int, why: str, names: frozenset[str]) -> _Slip:
    """The slip of a path whose part `at` is none of `names`."""
    allowed = tuple(sorted(names))
    near = suggestion(str(keys[at]), allowed)
    meant = (*keys[:at], near, *keys[at + 1 :]) if near is not None and near in names else None
    return _Slip(why, allowed, near, meant)


def _declared_fields(schema: Json) -> frozenset[str] | None:
    """The only names that the input can have, or None when it may have others."""
    if not isinstance(schema, dict) or schema.get("additionalProperties") is not False or "patternProperties" in schema:
        return None
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, dict) else None


def _conflicts(stage: list[Step], paths: dict[int, str], taken: set[str]) -> list[Problem]:
    writers: dict[str, Step] = {}
    problems: list[Problem] = []
    for step in stage:
        for key in written(step):
            if key in writers:
                other = writers[key]
                message = f"{other.name!r} and {step.name!r} run together and both write the context key {key!r}"
                place = paths[id(step)] + "/outputMapping"
                patch = _apart(key, [step, other], paths, taken)
                problems.append(Problem(code="CONTEXT_CONFLICT", path=place, message=message, patch=patch))
            writers.setdefault(key, step)
    return problems


def _apart(key: str, writers: list[Step], paths: dict[int, str], taken: set[str]) -> tuple[Operation, ...]:
    """Let the first of the writers that names the key write another."""
    for step in writers:
        if step.output_mapping is not None:
            new = f"{key} {step.name}"
            new = free_name(new, taken) if new in taken else new
            taken.add(new)
            place = paths[id(step)] + "/outputMapping"
            return (Move(from_=place + pointer(key), path=place + pointer(new)),)
    # Both are called the same, and that is a problem of its own; for now the second says what it writes.
    step = writers[0]
    new = free_name(key, taken)
    taken.add(new)
    return (Add(path=paths[id(step)] + "/outputMapping", value={new: "<<output>>"}),)
