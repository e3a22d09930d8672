"""Do templates, conditions and mappings parse, and does what they name exist by then?"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.definitions.document import Document, Step, stages
from services.definitions.structure import pointer
from services.expressions import (
    ExpressionError,
    Reference,
    compile_condition,
    compile_template,
)
from services.expressions.errors import suggestion
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


def check_references(document: Document, places: dict[int, str]) -> list[Problem]:
    """What does not parse, what names nothing, and what two members of a group would both write."""
    problems: list[Problem] = []
    # By identity: two steps may wrongly have one name, and each problem belongs to its own.
    paths = {id(step): places[place] for place, step in enumerate(document.steps)}
    later = {key: step.name for step in document.steps for key in written(step)}
    keys: set[str] = {"input"}
    finished: set[str] = set()
    fields = _declared_fields(document.input)
    for index, stage in enumerate(stages(document.steps)):
        before = (*_EVERYWHERE, "output") if index else _EVERYWHERE
        for step in stage:
            known = _Known(before, frozenset(keys), frozenset(finished), later, fields)
            problems += _check_step(step, paths[id(step)], known)
        problems += _conflicts(stage, paths)
        keys |= {key for step in stage for key in written(step)} | {
            step.name for step in stage if step.condition is not None
        }
        finished |= {step.name for step in stage}
    at_end = _Known((*_EVERYWHERE, "output"), frozenset(keys), frozenset(finished), later, fields)
    return problems + _check_value(document.output, "/output", at_end)


def written(step: Step) -> Iterable[str]:
    """The context keys that a step writes: those of its output mapping, or its name."""
    return (step.name,) if step.output_mapping is None else step.output_mapping


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
        return [_unparsable(error, path)]
    # A condition on what is absent is false, not an error; but a name that nothing ever writes is a slip.
    return [problem for reference in compiled.references if (problem := _unknown(reference, path, known)) is not None]


def _check_value(value: Json, path: str, known: _Known) -> list[Problem]:
    if value is None:
        return []
    try:
        compiled = compile_template(value, jsonpath=True)
    except ExpressionError as error:
        return [_unparsable(error, path)]
    required = (reference for reference in compiled.references if reference.required)
    return [problem for reference in required if (problem := _unknown(reference, path, known)) is not None]


def _unparsable(error: ExpressionError, path: str) -> Problem:
    return Problem(
        code=error.code,
        path=path + pointer(*error.at),
        message=error.message,
        allowed=error.allowed,
        suggestion=error.suggestion,
    )


def _unknown(reference: Reference, path: str, known: _Known) -> Problem | None:
    text = reference.path.text
    root, *rest = reference.path.keys
    if root not in known.roots:
        why = "the first stage has no output before it" if root == "output" else f"there is no `{root}` at this place"
        return _problem(path, f"{text}: {why}", known.roots, None)
    first = str(rest[0]) if rest else None
    if root == "context" and first is not None and first not in known.keys:
        writer = known.later.get(first)
        why = (
            f"{first!r} is written by {writer!r}, which has not finished by then"
            if writer
            else f"nothing writes {first!r}"
        )
        return _problem(path, f"{text}: {why}", tuple(sorted(known.keys)), first)
    if root == "steps" and first is not None and first not in known.steps:
        return _problem(path, f"{text}: no step {first!r} has finished by then", tuple(sorted(known.steps)), first)
    field = _input_field(root, rest)
    if known.input_fields is not None and field is not None and field not in known.input_fields:
        message = f"{text}: the input schema declares no {field!r} and allows nothing else"
        return _problem(path, message, tuple(sorted(known.input_fields)), field)
    return None


def _input_field(root: str | int, rest: list[str | int]) -> str | None:
    if root == "input" and rest:
        return str(rest[0])
    return str(rest[1]) if root == "context" and len(rest) > 1 and rest[0] == "input" else None


def _problem(path: str, message: str, allowed: tuple[str, ...], name: str | None) -> Problem:
    near = suggestion(name, allowed) if name else None
    return Problem(code="UNKNOWN_REFERENCE", path=path, message=message, allowed=allowed, suggestion=near)


def _declared_fields(schema: Json) -> frozenset[str] | None:
    """The only names that the input can have, or None when it may have others."""
    if not isinstance(schema, dict) or schema.get("additionalProperties") is not False or "patternProperties" in schema:
        return None
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, dict) else None


def _conflicts(stage: list[Step], paths: dict[int, str]) -> list[Problem]:
    writers: dict[str, str] = {}
    problems: list[Problem] = []
    for step in stage:
        for key in written(step):
            if key in writers:
                message = f"{writers[key]!r} and {step.name!r} run together and both write the context key {key!r}"
                problems.append(
                    Problem(code="CONTEXT_CONFLICT", path=paths[id(step)] + "/outputMapping", message=message)
                )
            writers.setdefault(key, step.name)
    return problems
