"""The operators and functions of expression strings: typed, bounded, and blind to anything but JSON."""

import ast
import json
import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NoReturn

from services.expressions import comparison
from services.expressions.errors import EvaluationError, kind_of
from services.expressions.text import least_size, text_of
from services.json import Json

MAX_TEXT: Final = 100_000
MAX_INTEGER: Final = 10**18
_MAX_DECIMALS = 15
_MAX_NUMERAL = 400


def fail(reason: str) -> NoReturn:
    """Refuse to evaluate."""
    raise EvaluationError("CONDITION_ERROR", reason)


def _number(sign: str, value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        fail(f"{sign} needs numbers and got {kind_of(value)}")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        fail(f"{sign} takes integers up to {MAX_INTEGER:.0e}")
    return value


def _checked(sign: str, value: int | float) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        fail(f"{sign} gives no finite number")
    return _number(sign, value)


def _add(a: Json, b: Json) -> Json:
    if isinstance(a, str) and isinstance(b, str):
        if len(a) + len(b) > MAX_TEXT:
            fail(f"+ gives a text of more than {MAX_TEXT} characters")
        return a + b
    if isinstance(a, str) or isinstance(b, str):
        fail(f"+ joins two texts or adds two numbers, and got {kind_of(a)} and {kind_of(b)}; see string() and number()")
    return _checked("+", _number("+", a) + _number("+", b))


def _subtract(a: Json, b: Json) -> Json:
    return _checked("-", _number("-", a) - _number("-", b))


def _multiply(a: Json, b: Json) -> Json:
    return _checked("*", _number("*", a) * _number("*", b))


def _divide(a: Json, b: Json) -> Json:
    return _checked("/", _number("/", a) / _divisor("/", b))


def _divide_whole(a: Json, b: Json) -> Json:
    return _checked("//", _number("//", a) // _divisor("//", b))


def _remainder(a: Json, b: Json) -> Json:
    return _checked("%", _number("%", a) % _divisor("%", b))


def _divisor(sign: str, value: Json) -> int | float:
    divisor = _number(sign, value)
    if divisor == 0:
        fail(f"{sign} divides by zero")
    return divisor


def _negative(value: Json) -> Json:
    return -_number("-", value)


def _positive(value: Json) -> Json:
    return _number("+", value)


def _negation(value: Json) -> Json:
    return not value


def _in(part: Json, whole: Json) -> Json:
    return comparison.contains(whole, part)


def _not_in(part: Json, whole: Json) -> Json:
    return not comparison.contains(whole, part)


OPERATORS: Final[dict[type[ast.AST], Callable[..., Json]]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.FloorDiv: _divide_whole,
    ast.Mod: _remainder,
    ast.USub: _negative,
    ast.UAdd: _positive,
    ast.Not: _negation,
    ast.Eq: comparison.equal,
    ast.NotEq: comparison.unequal,
    ast.Is: comparison.equal,
    ast.IsNot: comparison.unequal,
    ast.Lt: comparison.less,
    ast.LtE: comparison.less_or_equal,
    ast.Gt: comparison.greater,
    ast.GtE: comparison.greater_or_equal,
    ast.In: _in,
    ast.NotIn: _not_in,
}


def _len(value: Json) -> Json:
    if value is None:
        return None
    if not isinstance(value, (str, list, dict)):
        fail(f"len needs a text, a list or an object, and got {kind_of(value)}")
    return len(value)


def _min(*values: Json) -> Json:
    return _extreme("min", min, values)


def _max(*values: Json) -> Json:
    return _extreme("max", max, values)


def _extreme(name: str, pick: Callable[..., Json], values: tuple[Json, ...]) -> Json:
    members = values[0] if len(values) == 1 else list(values)
    if members is None or members == []:
        return None
    if not isinstance(members, list):
        fail(f"{name} needs a list or several values, and got {kind_of(members)}")
    if all(isinstance(member, str) for member in members):
        return pick(members)
    return pick([_number(name, member) for member in members])


def _abs(value: Json) -> Json:
    return None if value is None else abs(_number("abs", value))


def _round(value: Json, decimals: Json = 0) -> Json:
    """Half away from zero, as taught at school: 2.5 is 3 and 2.675 to two places is 2.68."""
    if value is None:
        return None
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= _MAX_DECIMALS:
        fail(f"round keeps 0 to {_MAX_DECIMALS} decimals")
    number = _number("round", value)
    # From 2^53 on every float is whole.
    if isinstance(number, int) or abs(number) >= 2**53:
        return number if isinstance(number, int) or decimals else _checked("round", int(number))
    rounded = Decimal(repr(number)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return float(rounded) if decimals else int(rounded)


def _lower(value: Json) -> Json:
    return None if value is None else _text("lower", value).lower()


def _upper(value: Json) -> Json:
    return None if value is None else _text("upper", value).upper()


def _text(name: str, value: Json) -> str:
    if not isinstance(value, str):
        fail(f"{name} needs a text, and got {kind_of(value)}")
    return value


def _to_number(value: Json) -> Json:
    if value is None:
        return None
    if not isinstance(value, str):
        return _number("number", value)
    try:
        parsed = json.loads(value) if len(value) <= _MAX_NUMERAL else None
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, bool) or not isinstance(parsed, (int, float)):
        fail("number needs a text that is a JSON number")
    return _checked("number", parsed)


def _to_string(value: Json) -> Json:
    if isinstance(value, str):
        return value
    # A list may name a large value many times over: count before writing it out.
    if least_size(value, MAX_TEXT) <= MAX_TEXT and len(text := text_of(value)) <= MAX_TEXT:
        return text
    fail(f"string gives a text of more than {MAX_TEXT} characters")


# Each with how many arguments it takes, at least and at most.
FUNCTIONS: Final[dict[str, tuple[Callable[..., Json], int, int]]] = {
    "len": (_len, 1, 1),
    "min": (_min, 1, 100),
    "max": (_max, 1, 100),
    "abs": (_abs, 1, 1),
    "round": (_round, 1, 2),
    "lower": (_lower, 1, 1),
    "upper": (_upper, 1, 1),
    "contains": (comparison.contains, 2, 2),
    "startswith": (comparison.starts_with, 2, 2),
    "endswith": (comparison.ends_with, 2, 2),
    "exists": (comparison.exists, 1, 1),
    "number": (_to_number, 1, 1),
    "string": (_to_string, 1, 1),
}
