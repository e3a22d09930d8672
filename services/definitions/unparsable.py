"""What somebody very likely meant who wrote a template, a condition or an expression that does not parse."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from services.definitions.patch import Move, Operation, Remove, Replace, value_at
from services.definitions.readings import outside_quotes
from services.definitions.structure import pointer
from services.expressions import (
    FILTERS,
    FUNCTIONS,
    OPERATORS,
    ExpressionError,
    compile_condition,
    compile_expression,
    compile_template,
    parse_path,
)
from services.expressions.comparison import TYPES
from services.expressions.errors import suggestion
from services.json import Json, JsonObject
from services.problem import Problem

_KEYS = ("field", "operator", "value")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"\s*(?:<<(?P<angled>[^<>{}\n]+)>>|\{\{(?P<braced>[^<>{}\n]+)\}\})\s*")
# What other languages write for what is meant here, in an order in which no change undoes another.
_HABITS = (
    (re.compile(r"<<|>>|\{\{|\}\}"), ""),
    (re.compile(r"\s*&&\s*"), " and "),
    (re.compile(r"\s*\|\|\s*"), " or "),
    (re.compile(r"([=!])==+"), r"\1="),
    (re.compile(r"!(?!=)\s*"), "not "),
    (re.compile(r"(?<![=!<>])=(?!=)"), "=="),
    (re.compile(r"<>"), "!="),
)


def unparsable(error: ExpressionError, value: Json, path: str) -> Problem:
    """The problem of a mapping or condition `value`, standing at `path`, that does not compile."""
    inside = pointer(*error.at)
    return Problem(
        code=error.code,
        path=path + inside,
        message=error.message,
        allowed=error.allowed,
        suggestion=error.suggestion,
        patch=_mended(error, value_at(value, inside), path + inside),
    )


def _mended(error: ExpressionError, value: Json, place: str) -> tuple[Operation, ...]:
    match error.code, value:
        case "OPERATOR_UNKNOWN", _ if error.suggestion in OPERATORS:
            return (Replace(path=place, value=error.suggestion),)
        case "FILTER_UNKNOWN", str() if error.suggestion in FILTERS:
            return _first_that(compile_template, [_with_word(value, error)], place)
        case "PATH_INVALID", str() if place.endswith("/field") and error.suggestion is not None:
            return _first_that(parse_path, [error.suggestion], place)
        case "TEMPLATE_INVALID", str() if tag := _TAG.fullmatch(value):
            expressions = _expressions((tag["angled"] or tag["braced"]).strip(), error)
            return _first_that(compile_template, [{"$expr": text} for text in expressions], place)
        case "EXPRESSION_INVALID", str():
            return _first_that(compile_expression, _expressions(value, error), place)
        case "CONDITION_INVALID", dict():
            return _mended_condition(error, value, place)
        case "CONDITION_INVALID", _ if place.endswith("/value") and error.suggestion in TYPES:
            return (Replace(path=place, value=error.suggestion),)
        case "CONDITION_INVALID", _ if place.endswith(("/all", "/any")):
            return _first_that(lambda members: compile_condition({"all": members}), [[value]], place)
        case _:
            return ()


def _first_that(compiles: Callable[[Any], object], candidates: Iterable[Json], place: str) -> tuple[Operation, ...]:
    for candidate in candidates:
        try:
            compiles(candidate)
        except ExpressionError:
            continue
        return (Replace(path=place, value=candidate),)
    return ()


def _expressions(text: str, error: ExpressionError) -> Iterator[str]:
    yield text
    if error.suggestion in FUNCTIONS:
        yield _with_word(text, error)
    habits = text
    for habit, ours in _HABITS:
        habits = outside_quotes(habits, lambda part, habit=habit, ours=ours: habit.sub(ours, part))
    yield habits.strip()


def _with_word(text: str, error: ExpressionError) -> str:
    """The text with the word at the error's position replaced by the suggestion."""
    start = error.position or 0
    word = _WORD.match(text, start)
    return text if word is None else text[:start] + (error.suggestion or "") + text[word.end() :]


def _mended_condition(error: ExpressionError, condition: JsonObject, place: str) -> tuple[Operation, ...]:
    if error.suggestion in OPERATORS and condition.get("value") is False:
        # `exists: false` is an operator of its own.
        return (Replace(path=place + "/operator", value=error.suggestion), Remove(path=place + "/value"))
    unknown = next((key for key in condition if key not in _KEYS), None)
    near = suggestion(unknown, _KEYS) if unknown is not None else None
    if unknown is None or near is None or near in condition:
        return ()
    return (Move(from_=place + pointer(unknown), path=f"{place}/{near}"),)
