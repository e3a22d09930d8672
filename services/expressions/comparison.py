"""How JSON values compare, in conditions and in expression strings alike."""

from collections.abc import Callable
from typing import Final

from services.expressions.errors import EvaluationError
from services.expressions.instants import instant
from services.expressions.paths import MISSING, Missing
from services.json import Json

Operand = Json | Missing
Comparison = Callable[[Operand, Operand], bool]

TYPES: Final = ("string", "number", "integer", "boolean", "null", "array", "object")

# A comparison of two large values stops here instead of holding up every other execution.
MAX_COMPARED: Final = 20_000


def equal(a: Operand, b: Operand) -> bool:
    """JSON equality, deep: `1 == 1.0`, `true != 1`, and missing equals null.

    >>> equal([1, {"a": True}], [1.0, {"a": True}]), equal(True, 1), equal(MISSING, None)
    (True, False, True)
    """
    if a is MISSING:
        a = None
    if b is MISSING:
        b = None
    if isinstance(a, (list, dict)) and isinstance(b, (list, dict)):
        return _equal_deep(a, b)
    return _equal_flat(a, b)


def unequal(a: Operand, b: Operand) -> bool:
    """Whether the two are not equal."""
    return not equal(a, b)


def less(a: Operand, b: Operand) -> bool:
    """`a < b` for two numbers or two texts (by code points); false for any other pair."""
    if isinstance(a, str):
        return isinstance(b, str) and a < b
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    return isinstance(a, (int, float)) and isinstance(b, (int, float)) and a < b


def less_or_equal(a: Operand, b: Operand) -> bool:
    """`a <= b` for two numbers or two texts; false for any other pair."""
    if isinstance(a, str):
        return isinstance(b, str) and a <= b
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    return isinstance(a, (int, float)) and isinstance(b, (int, float)) and a <= b


def greater(a: Operand, b: Operand) -> bool:
    """`a > b` for two numbers or two texts; false for any other pair."""
    return less(b, a)


def greater_or_equal(a: Operand, b: Operand) -> bool:
    """`a >= b` for two numbers or two texts; false for any other pair."""
    return less_or_equal(b, a)


def contains(whole: Operand, part: Operand) -> bool:
    """Whether a text holds a text, a list an equal member, an object a key; false for anything else."""
    if isinstance(whole, list):
        return is_member(part, whole)
    return isinstance(part, str) and isinstance(whole, (str, dict)) and part in whole


def is_member(value: Operand, members: Operand) -> bool:
    """Whether a list has a member equal to `value`; false when `members` is no list."""
    if not isinstance(members, list):
        return False
    if value is MISSING:
        value = None
    # Python searches fast; its equality is coarser than JSON's only in taking true for 1.
    if isinstance(value, bool):
        return any(member is value for member in members)
    if isinstance(value, (int, float)):
        return value in members and value in [member for member in members if not isinstance(member, bool)]
    if not isinstance(value, (list, dict)):
        return value in members
    place = -1
    try:
        while not equal(value, members[place := members.index(value, place + 1)]):
            pass
    except ValueError:
        return False
    return True


def exists(value: Operand) -> bool:
    """Whether the value is present and not null."""
    return value is not MISSING and value is not None


def is_empty(value: Operand) -> bool:
    """Whether the value is missing, null, or a text, list or object with nothing in it."""
    return value is MISSING or value is None or (isinstance(value, (str, list, dict)) and not value)


def starts_with(value: Operand, start: Operand) -> bool:
    """Whether both are texts and the first begins with the second."""
    return isinstance(value, str) and isinstance(start, str) and value.startswith(start)


def ends_with(value: Operand, end: Operand) -> bool:
    """Whether both are texts and the first ends with the second."""
    return isinstance(value, str) and isinstance(end, str) and value.endswith(end)


def before(a: Operand, b: Operand) -> bool:
    """Whether both are RFC 3339 instants with an offset, and the first is earlier."""
    if not isinstance(a, str) or not isinstance(b, str):
        return False
    first, second = instant(a), instant(b)
    return first is not None and second is not None and first < second


def after(a: Operand, b: Operand) -> bool:
    """Whether both are RFC 3339 instants with an offset, and the first is later."""
    return before(b, a)


def is_type(value: Operand, name: Operand) -> bool:
    """Whether the value has the JSON Schema type `name`; a missing value has none.

    >>> is_type(1.0, "integer"), is_type(True, "number"), is_type(MISSING, "null")
    (True, False, False)
    """
    match name:
        case "string":
            return isinstance(value, str)
        case "number":
            return _is_number(value)
        case "integer":
            return value.is_integer() if isinstance(value, float) else _is_number(value)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return False


def _is_number(value: Operand) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal_flat(a: Json, b: Json) -> bool:
    # Python takes true for 1; JSON does not.
    return isinstance(a, bool) is isinstance(b, bool) and a == b


def _equal_deep(a: Json, b: Json) -> bool:
    pending: list[tuple[Json, Json]] = [(a, b)]
    compared = 0
    while pending:
        one, other = pending.pop()
        compared += 1
        if compared > MAX_COMPARED:
            raise EvaluationError("CONDITION_ERROR", f"the values compared have more than {MAX_COMPARED} parts")
        if one is other:
            continue
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pending.extend((value, other[key]) for key, value in one.items())
        elif isinstance(one, (list, dict)) or isinstance(other, (list, dict)) or not _equal_flat(one, other):
            return False
    return True
