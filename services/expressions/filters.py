"""The filters of a tag: `<<path | upper | truncate(80)>>`."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from services.expressions.errors import EvaluationError, ExpressionError, kind_of, suggestion
from services.expressions.text import compact, text_of
from services.json import Json

# What one render may put into texts.
MAX_OUTPUT_BYTES: Final = 1_048_576

FilterFunction: TypeAlias = Callable[[Json, Json], Json]


class Filter(msgspec.Struct, frozen=True):
    """One filter of a tag with its argument, which is null for those that take none."""

    name: str
    apply: FilterFunction
    argument: Json = None

    @property
    def is_default(self) -> bool:
        """Whether this filter gives a value where there is none."""
        return self.name == "default"


def filter_of(name: str, arguments: list[Json], position: int) -> Filter:
    """The filter called `name`.

    Raises:
        ExpressionError: FILTER_UNKNOWN, or FILTER_INVALID when the arguments do not fit.
    """
    if name not in _FILTERS:
        raise ExpressionError(
            "FILTER_UNKNOWN",
            f"there is no filter {name!r}",
            allowed=FILTERS,
            suggestion=suggestion(name, FILTERS),
            position=position,
        )
    function, takes = _FILTERS[name]
    if takes is None:
        if arguments:
            raise _misused(name, "takes no argument", position)
        return Filter(name=name, apply=function)
    if len(arguments) != 1:
        raise _misused(name, f"takes one argument: {name}({takes})", position)
    argument = arguments[0]
    is_count = isinstance(argument, int) and not isinstance(argument, bool) and argument >= 0
    if (takes == "'text'" and not isinstance(argument, str)) or (takes == "count" and not is_count):
        raise _misused(name, f"takes one argument: {name}({takes})", position)
    return Filter(name=name, apply=function, argument=argument)


def apply_filters(
    filters: tuple[Filter, ...], value: Json, *, write: Callable[[Json], str], made: Callable[[int], None]
) -> Json:
    """The value after every filter, left to right. Null passes all but `default` and `json` unchanged.

    `write` gives the JSON of a list or an object. `made` is told how many characters each filter gave; it may raise
    when there were too many.
    """
    for each in filters:
        if value is None and each.name not in _TAKE_NULL:
            continue
        is_written = each.name == "json" and isinstance(value, (list, dict))
        value = write(value) if is_written else each.apply(value, each.argument)
        if isinstance(value, str) and len(value) > MAX_OUTPUT_BYTES:
            raise _too_long(each.name)
        if isinstance(value, str):
            made(len(value))
    return value


def _misused(name: str, rule: str, position: int) -> ExpressionError:
    return ExpressionError("FILTER_INVALID", f"the filter {name} {rule}", position=position)


def _unfit(name: str, needs: str, value: Json) -> EvaluationError:
    return EvaluationError("TEMPLATE_ERROR", f"the filter {name} needs {needs}, and got {kind_of(value)}")


def _too_long(name: str) -> EvaluationError:
    return EvaluationError("TEMPLATE_ERROR", f"the filter {name} gives more than {MAX_OUTPUT_BYTES} bytes")


def _default(value: Json, argument: Json) -> Json:
    return argument if value is None else value


def _json(value: Json, _: Json) -> Json:
    return compact(value)


def _length(value: Json, _: Json) -> Json:
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise _unfit("length", "a text, a list or an object", value)


def _upper(value: Json, _: Json) -> Json:
    return _text("upper", value).upper()


def _lower(value: Json, _: Json) -> Json:
    return _text("lower", value).lower()


def _trim(value: Json, _: Json) -> Json:
    return _text("trim", value).strip()


def _first(value: Json, _: Json) -> Json:
    return next(iter(_list("first", value)), None)


def _last(value: Json, _: Json) -> Json:
    return next(reversed(_list("last", value)), None)


def _join(value: Json, separator: Json) -> Json:
    between = text_of(separator)
    texts: list[str] = []
    size = 0
    for item in _list("join", value):
        texts.append(text_of(item))
        size += len(texts[-1]) + len(between)
        if size - len(between) > MAX_OUTPUT_BYTES:
            raise _too_long("join")
    return between.join(texts)


def _truncate(value: Json, count: Json) -> Json:
    return _text("truncate", value)[: count if isinstance(count, int) else 0]


def _text(name: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    raise _unfit(name, "a text", value)


def _list(name: str, value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    raise _unfit(name, "a list", value)


_FILTERS: Final[dict[str, tuple[FilterFunction, str | None]]] = {
    "default": (_default, "json"),
    "json": (_json, None),
    "length": (_length, None),
    "upper": (_upper, None),
    "lower": (_lower, None),
    "trim": (_trim, None),
    "first": (_first, None),
    "last": (_last, None),
    "join": (_join, "'text'"),
    "truncate": (_truncate, "count"),
}
_TAKE_NULL = frozenset({"default", "json"})

FILTERS: Final = tuple(_FILTERS)
