"""The value of a type that a wrong value very likely stands for."""

import re
import types
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from services.definitions.document import NAME
from services.expressions.errors import suggestion
from services.json import Json

_NUMERAL = re.compile(r"\s*([+-]?[0-9]{1,15})(?:\.0*)?\s*", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_FIRST = re.compile(r"^[^A-Za-z]+")


class Choice(NamedTuple):
    """One of the types that a union takes, with what is said about it."""

    type: Any
    about: tuple[msgspec.Meta, ...] = ()


def near_value(value: Json, type_: Any) -> Json | msgspec.UnsetType:
    """What `value` was meant to be; UNSET when that is not clear.

    >>> near_value("agnet", Literal["agent", "llm"]), near_value("12", int), near_value("a, b", list[str])
    ('agent', 12, ['a', 'b'])
    """
    return next((near for near in _candidates(value, choices(type_)) if _fits(near, type_)), msgspec.UNSET)


def is_below_least(value: Json, type_: Any) -> bool:
    """Whether `value` is zero or less where more is needed: somebody wanted none of it, and not the least of it."""
    if not isinstance(value, int | float):
        return False
    return any(about.ge is not None and value < about.ge > 0 for choice in choices(type_) for about in choice.about)


def choices(type_: Any) -> list[Choice]:
    """The types that `type_` takes, one by one.

    >>> [choice.type for choice in choices(int | None)]
    [<class 'int'>, <class 'NoneType'>]
    """
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        about = tuple(each for each in arguments[1:] if isinstance(each, msgspec.Meta))
        return [Choice(inner.type, inner.about + about) for inner in choices(arguments[0])]
    if origin in (Union, types.UnionType):
        return [choice for argument in arguments for choice in choices(argument)]
    return [Choice(type_)]


def _candidates(value: Json, choices: list[Choice]) -> Iterator[Json]:
    if isinstance(value, str):
        literals = [each for choice in choices if get_origin(choice.type) is Literal for each in get_args(choice.type)]
        yield suggestion(value, [each for each in literals if isinstance(each, str)])
        if numeral := _NUMERAL.fullmatch(value):
            yield from _numbers(int(numeral[1]), choices)
        if any(about == NAME for choice in choices for about in choice.about):
            yield _as_name(value)
        if any(get_origin(choice.type) in (list, tuple) for choice in choices):
            yield [part.strip() for part in value.split(",")]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _numbers(value, choices)
        if any(choice.type is str for choice in choices):
            yield str(value)


def _numbers(number: int | float, choices: list[Choice]) -> Iterator[Json]:
    """The number as a whole one, or else the nearest one that is not out of range."""
    if number == int(number):
        yield int(number)
    for least, most in ((about.ge, about.le) for choice in choices for about in choice.about):
        if least is not None and most is not None and not least <= number <= most:
            yield int(min(max(number, least), most))


def _as_name(text: str) -> str:
    """The text with what a name cannot hold left out: `Über-Plan (neu)` is `Uber-Plan neu`."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NOT_FIRST.sub("", _NOT_IN_NAMES.sub(" ", ascii_only)).strip()


def _fits(value: Json, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError:
        return False
    return value is not None
