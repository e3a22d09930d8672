"""What crosses from a program to us: values of Python as JSON."""

import base64
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from math import isfinite
from uuid import UUID

import msgspec

from services.json import Json

_MAX_DEPTH = 64
_MAX_MAGNITUDE = 10**300


class NoJson(ValueError):
    """A value that JSON has no form for; says which would have been right."""


def as_json(value: object, depth: int = 0) -> Json:
    """The value as JSON, as whoever wrote it expects: tuples and sets are lists, and times, decimals and bytes texts.

    >>> as_json({"on": date(2026, 1, 31), 7: (1, Decimal("2.50")), "tags": {"b", "a"}})
    {'on': '2026-01-31', '7': [1, '2.50'], 'tags': ['a', 'b']}

    Raises:
        NoJson: it has none: a number that is none, a text with U+0000, something without end or deeper than 64.
    """
    if depth > _MAX_DEPTH:
        raise NoJson(f"the value is nested deeper than {_MAX_DEPTH} levels")
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int() | float():
            return _number(value)
        case dict():
            return {_key(key): as_json(member, depth + 1) for key, member in value.items()}
        case list() | tuple():
            return [as_json(item, depth + 1) for item in value]
        case set() | frozenset():
            return _in_order(as_json(item, depth + 1) for item in value)
        case date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
    # An object of a class that the program defines is known here by its attributes alone.
    if isinstance(attributes := getattr(value, "attributes", None), dict):
        return as_json(attributes, depth)
    raise NoJson(f"a {type(value).__name__} is no JSON; make a dict, a list, a text or a number of it")


def _text(text: str) -> str:
    if "\0" in text:
        raise NoJson("a text holds the character U+0000, which cannot be kept; leave it out")
    return text


def _number(number: float) -> Json:
    if isinstance(number, float) and not isfinite(number):
        raise NoJson(f"{number} is no number of JSON; give None in its place")
    if abs(number) > _MAX_MAGNITUDE:
        raise NoJson("a number beyond 1e300 is no JSON that can be kept; give it as a text")
    return number


def _key(key: object) -> str:
    match key:
        case str():
            return _text(key)
        case None | bool():
            return {None: "null", True: "true", False: "false"}[key]
        case int() | float():
            return str(_number(key))
    raise NoJson(f"the key of a dict is a text, not a {type(key).__name__}")


def _in_order(items: Iterable[Json]) -> list[Json]:
    """A set's items in an order that is the same every time."""
    return sorted(items, key=lambda item: msgspec.json.encode(item, order="sorted"))
