"""Typed values out of decoded JSON, with every problem at once instead of the first."""

from typing import Any, TypeVar

import msgspec

from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem

T = TypeVar("T", bound=msgspec.Struct)


def pointer(*parts: str | int) -> str:
    """A JSON Pointer (RFC 6901).

    >>> pointer("steps", 0, "a/b")
    '/steps/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def read_fields(type_: type[T], raw: dict[str, Json], path: str, problems: list[Problem]) -> dict[str, Any]:
    """The fields of `raw` that `type_` accepts, by their Python names; what it does not accept goes to `problems`."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    problems += [unknown_field(name, path, tuple(fields)) for name in raw if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            try:
                values[field.name] = msgspec.convert(raw[name], field.type, strict=True)
            except msgspec.ValidationError as error:
                problems.append(_wrong_value(error, path + pointer(name), field.type))
        elif field.required:
            problems.append(Problem(code="REQUIRED", path=path, message=f"`{name}` is missing", allowed=(name,)))
    return values


def unknown_field(name: str, path: str, allowed: tuple[str, ...]) -> Problem:
    """The problem of a field that nothing reads."""
    return Problem(
        code="UNKNOWN_FIELD",
        path=path + pointer(name),
        message=f"there is no field `{name[:100]}` here",
        allowed=allowed,
        suggestion=suggestion(name, allowed),
    )


def _wrong_value(error: msgspec.ValidationError, path: str, type_: Any) -> Problem:
    message, _, place = str(error).partition(" - at `$")
    allowed = tuple(str(value) for value in getattr(type_, "__args__", ()) if isinstance(value, str | int))
    return Problem(code="WRONG_VALUE", path=path + _as_pointer(place.rstrip("`")), message=message, allowed=allowed)


def _as_pointer(place: str) -> str:
    # msgspec writes `[0].name` or `[...]` where a JSON Pointer writes `/0/name`.
    parts = place.replace("[", ".").replace("]", "").split(".")
    return pointer(*(part for part in parts if part))
