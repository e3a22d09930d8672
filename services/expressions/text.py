"""JSON as text, the way a template shows it."""

import json
import math

from services.expressions.errors import EvaluationError
from services.json import Json

# Above this ECMAScript, and so RFC 8785, writes a number with an exponent.
_EXPONENT_FROM = 1e21

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


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
        if isinstance(value, (int, float)) and math.isfinite(value):
            return str(_shortest(value))
        text = _encode(value)
        # Only floats print a dot and a zero, or an exponent; most values have neither and are done.
        return _encode(_shortest(value)) if ".0" in text or "e+" in text else text
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise EvaluationError("TEMPLATE_ERROR", "the value cannot be written as JSON") from None


def least_size(value: Json, limit: int) -> int:
    """How many characters the value has as JSON, at least. Stops counting soon after `limit`.

    >>> least_size({"a": [1, "b"]}, 1_000)
    13
    """
    size = 0
    pending = [value]
    while pending and size <= limit:
        each = pending.pop()
        if isinstance(each, str):
            size += len(each) + 2
        elif isinstance(each, list):
            size += 2 + max(len(each) - 1, 0)
            pending.extend(each)
        elif isinstance(each, dict):
            size += 2 + max(len(each) - 1, 0) + sum(len(key) + 3 for key in each)
            pending.extend(each.values())
        elif each is None or isinstance(each, bool):
            size += 4
        else:
            # Ten bits hold three digits and a little.
            size += max(each.bit_length() * 3 // 10, 1) if isinstance(each, int) else 1
    return size


def _shortest(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT_FROM:
        return int(value)
    if isinstance(value, list):
        return [_shortest(item) for item in value]
    if isinstance(value, dict):
        return {key: _shortest(item) for key, item in value.items()}
    return value
