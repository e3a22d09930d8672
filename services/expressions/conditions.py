"""Conditions: `{field, operator, value}`, all, any, not, booleans and expression strings, compiled to a test."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from services.expressions import comparison
from services.expressions.comparison import TYPES, Comparison
from services.expressions.errors import ExpressionError, suggestion
from services.expressions.expression import compile_expression
from services.expressions.instants import instant
from services.expressions.paths import Reference, Scope, parse_path
from services.expressions.templates import Template, compile_template
from services.json import Json, JsonObject

MAX_DEPTH: Final = 32

Test: TypeAlias = Callable[[Scope], bool]


def _not(positive: Comparison) -> Comparison:
    return lambda left, right: not positive(left, right)


# Compared with a value.
_BINARY: Final[dict[str, Comparison]] = {
    ">": comparison.greater,
    "<": comparison.less,
    ">=": comparison.greater_or_equal,
    "<=": comparison.less_or_equal,
    "==": comparison.equal,
    "===": comparison.equal,
    "!=": comparison.unequal,
    "!==": comparison.unequal,
    "contains": comparison.contains,
    "not_contains": _not(comparison.contains),
    "in": comparison.is_member,
    "not_in": _not(comparison.is_member),
    "starts_with": comparison.starts_with,
    "ends_with": comparison.ends_with,
    "is_type": comparison.is_type,
    "before": comparison.before,
    "after": comparison.after,
}
# Asked of the field alone.
_UNARY: Final[dict[str, Comparison]] = {
    "exists": lambda left, _: comparison.exists(left),
    "not_exists": lambda left, _: not comparison.exists(left),
    "is_empty": lambda left, _: comparison.is_empty(left),
    "not_empty": lambda left, _: not comparison.is_empty(left),
}
_OPPOSITES: Final = {
    "exists": "not_exists", "not_exists": "exists", "is_empty": "not_empty", "not_empty": "is_empty",
}  # fmt: skip
OPERATORS: Final = (*_BINARY, *_UNARY)

_SYNONYMS: Final = {
    "=": "==", "eq": "==", "equals": "==", "<>": "!=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "includes": "contains", "startsWith": "starts_with", "endsWith": "ends_with",
}  # fmt: skip
_KEYS: Final = ("field", "operator", "value")
_COMBINERS: Final = ("all", "any", "not")
_SHAPES: Final = (
    "{field, operator, value}",
    "{all: [...]}",
    "{any: [...]}",
    "{not: ...}",
    "true",
    "false",
    "expression",
)


class Condition:
    """A compiled condition. `references` are the paths it reads; only those of templated values are required."""

    __slots__ = ("_test", "references")

    def __init__(self, test: Test, references: tuple[Reference, ...]) -> None:
        self._test = test
        self.references = references

    def test(self, scope: Scope) -> bool:
        """Whether the condition holds. An absent field is null, not an error.

        Raises:
            EvaluationError: CONDITION_ERROR when an expression fails, TEMPLATE_ERROR when a templated value does.
        """
        return self._test(scope)


def compile_condition(condition: Json) -> Condition:
    """The condition that a JSON value spells.

    >>> done = compile_condition({"field": "review.score", "operator": ">=", "value": "<<input.threshold>>"})
    >>> done.test({"context": {"review": {"score": 0.9}}, "input": {"threshold": 0.8}})
    True

    Raises:
        ExpressionError: CONDITION_INVALID, OPERATOR_UNKNOWN, or the error of a path, template or expression in it.
    """
    references: list[Reference] = []
    test = _compile(condition, references, MAX_DEPTH)
    return Condition(test, tuple(dict.fromkeys(references)))


def _compile(condition: Json, references: list[Reference], depth: int) -> Test:
    if depth < 0:
        raise _invalid(f"a condition is nested at most {MAX_DEPTH} deep")
    if isinstance(condition, bool):
        return _always if condition else _never
    if isinstance(condition, str):
        expression = compile_expression(condition)
        references += expression.references
        return expression.test
    if not isinstance(condition, dict):
        raise _invalid("a condition is an object, a boolean or an expression", _SHAPES)
    if len(condition) == 1:
        key, value = next(iter(condition.items()))
        if key in _COMBINERS:
            return _compile_combined(key, value, references, depth)
    return _compile_comparison(condition, references)


def _compile_combined(key: str, value: Json, references: list[Reference], depth: int) -> Test:
    if key == "not":
        inner = _compile_at([key], value, references, depth)
        return lambda scope: not inner(scope)
    if not isinstance(value, list):
        raise _invalid(f"{key} takes a list of conditions").within(key)
    tests = [_compile_at([key, i], member, references, depth) for i, member in enumerate(value)]
    return _all_of(tests) if key == "all" else _any_of(tests)


def _compile_at(places: list[str | int], condition: Json, references: list[Reference], depth: int) -> Test:
    try:
        return _compile(condition, references, depth - 1)
    except ExpressionError as error:
        for place in reversed(places):
            error.within(place)
        raise


def _compile_comparison(condition: JsonObject, references: list[Reference]) -> Test:
    for key in condition:
        if key in _COMBINERS:
            raise _invalid(f"{key} stands alone; put the other conditions into it", _SHAPES)
        if key not in _KEYS:
            keys = (*_KEYS, *_COMBINERS)
            raise _invalid(f"a condition has no {key[:64]!r}", keys, suggestion(key, keys))
    field, operator = condition.get("field"), condition.get("operator")
    if not isinstance(field, str):
        raise _invalid("a condition needs a field, which is a path such as context.score", _SHAPES)
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise _unknown(operator)
    try:
        path = parse_path(field)
    except ExpressionError as error:
        raise error.within("field") from None
    references.append(Reference(path=path, required=False))
    find = path.resolve
    if operator in _UNARY:
        _check_unary(operator, condition.get("value"))
        holds = _UNARY[operator]
        return lambda scope: holds(find(scope), None)
    if "value" not in condition:
        raise _invalid(f"the operator {operator} needs a value")
    compare = _BINARY[operator]
    template = _compile_value(operator, condition["value"])
    references += template.references
    if template.is_constant:
        value = template.render({})
        return lambda scope: compare(find(scope), value)
    render = template.render
    return lambda scope: compare(find(scope), render(scope))


def _compile_value(operator: str, value: Json) -> Template:
    try:
        template = compile_template(value)
        if template.is_constant:
            _check_value(operator, template.render({}))
    except ExpressionError as error:
        raise error.within("value") from None
    return template


def _check_unary(operator: str, value: Json) -> None:
    if value is False:
        raise _invalid(f"{operator} takes no value; its opposite is an operator too", near=_OPPOSITES[operator])


def _check_value(operator: str, value: Json) -> None:
    """Refuse a value with which the operator could never hold."""
    match operator:
        case "in" | "not_in" if not isinstance(value, list):
            raise _invalid(f"{operator} takes a list; whether the field holds the value is asked with contains")
        case "starts_with" | "ends_with" if not isinstance(value, str):
            raise _invalid(f"{operator} takes a text")
        case "is_type" if value not in TYPES:
            near = suggestion(value, TYPES) if isinstance(value, str) else None
            raise _invalid("is_type takes the name of a JSON type", TYPES, near)
        case "before" | "after" if not isinstance(value, str) or instant(value) is None:
            raise _invalid(f"{operator} takes an instant with an offset, such as 2026-01-31T12:00:00Z")
        case _:
            return


def _unknown(operator: Json) -> ExpressionError:
    if not isinstance(operator, str):
        return _invalid("a condition needs an operator", OPERATORS)
    near = _SYNONYMS.get(operator) or suggestion(operator, OPERATORS)
    reason = f"there is no operator {operator[:64]!r}"
    if operator == "matches":
        reason += ": patterns could take exponential time; use contains, starts_with or ends_with"
    return ExpressionError("OPERATOR_UNKNOWN", reason, allowed=OPERATORS, suggestion=near).within("operator")


def _invalid(reason: str, allowed: Iterable[str] = (), near: str | None = None) -> ExpressionError:
    return ExpressionError("CONDITION_INVALID", reason, allowed=allowed, suggestion=near)


def _always(_: Scope) -> bool:
    return True


def _never(_: Scope) -> bool:
    return False


def _all_of(tests: list[Test]) -> Test:
    return lambda scope: all(test(scope) for test in tests)


def _any_of(tests: list[Test]) -> Test:
    return lambda scope: any(test(scope) for test in tests)
