"""JSON as text, the way a template shows it."""

import math
import re
from typing import Any

import msgspec

from services.expressions.errors import EvaluationError
from services.json import Json

# Above this ECMAScript, and so RFC 8785, writes a number with an exponent.
_EXPONENT_FROM = 1e21

_encode = msgspec.json.Encoder().encode
_EXPONENT = re.compile(r"[0-9]e")
# From here on integers are counted faster all together.
_LONG = 16
_CAREFUL = {float, list, dict}


def text_of(value: Json) -> str:
    """A value inside a text: null is empty, text stands as it is, the rest is compact JSON.

    >>> [text_of(value) for value in (None, "a", True, 1.0, 0.75, ["a", 1])]
    ['', 'a', 'true', '1', '0.75', '["a",1]']
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return compact(value)


def compact(value: Json) -> str:
    """The value as JSON without blanks, numbers in their shortest form.

    >>> compact({"a": [1.0, None, "é"]})
    '{"a":[1,null,"é"]}'

    Raises:
        EvaluationError: TEMPLATE_ERROR, when the value is nested too deeply or holds what JSON cannot.
    """
    try:
        # What texts hold most often, without the encoder's preparations.
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(_shortest_number(value))
        text = _encode(value).decode()
        # Where a float may stand that is not in its shortest form, or what is no number and turned into null.
        is_doubtful = ".0" in text or "null" in text or _EXPONENT.search(text)
        return _encode(_shortest(value)).decode() if is_doubtful else text
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise EvaluationError("TEMPLATE_ERROR", "the value cannot be written as JSON") from None


def least_size(value: Any, limit: int) -> int:
    """How many characters the value has as JSON, at least. Stops counting soon after `limit`.

    >>> least_size({"a": [1, "b"]}, 1_000)
    13
    """
    size = 0
    pending: list[Any] = [value]
    while pending and size <= limit:
        each: Any = pending.pop()
        # By type and the frequent ones first: there may be hundreds of thousands.
        kind: object = each.__class__
        if kind is int:
            size += each.bit_length() * 3 // 10 or 1  # ten bits hold three digits and a little
        elif kind is str:
            size += len(each) + 2
        elif kind is dict:
            size += 1 + (len(each) or 1) + sum(map(len, each)) + 3 * len(each)
            pending += each.values()
        elif kind is list:
            size += 1 + (len(each) or 1)
            if len(each) > _LONG and set(map(type, each)) == {int}:
                size += sum([bits * 3 // 10 or 1 for bits in map(int.bit_length, each)])
            else:
                pending += each
        else:
            size += 1 if kind is float else 4
    return size


def _shortest(value: Json) -> Any:
    if isinstance(value, float):
        number = _shortest_number(value)
        text = repr(number)
        return msgspec.Raw(text.encode()) if "e" in text else number
    if isinstance(value, list):
        # A long list is most often one of plain values.
        return [_shortest(item) for item in value] if _CAREFUL & set(map(type, value)) else value
    if isinstance(value, dict):
        return {key: _shortest(item) for key, item in value.items()}
    return value


def _shortest_number(value: int | float) -> int | float:
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise ValueError(value)
    return int(value) if value.is_integer() and abs(value) < _EXPONENT_FROM else value
