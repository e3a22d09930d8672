"""Typed values out of decoded JSON, with every problem at once instead of the first."""

from typing import Any, TypeVar

import msgspec

from services.definitions.near_value import is_below_least, item_type, near_value
from services.definitions.patch import Move, Operation, Remove, Replace
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


def read_fields(
    type_: type[T], raw: dict[str, Json], path: str, problems: list[Problem], *, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields of `raw` that `type_` accepts, by their Python names; what it does not accept goes to `problems`.

    `also` are fields that somebody else reads, which an unknown one may be a misspelling of.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    problems += _unknown_fields([name for name in raw if name not in fields], raw, path, (*fields, *also))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in raw:
            try:
                values[field.name] = msgspec.convert(raw[name], field.type, strict=True)
            except msgspec.ValidationError as error:
                problems.append(_wrong_value(error, path + pointer(name), field, raw[name]))
        elif field.required:
            problems.append(Problem(code="REQUIRED", path=path, message=f"`{name}` is missing", allowed=(name,)))
    return values


def _unknown_fields(names: list[str], raw: dict[str, Json], path: str, allowed: tuple[str, ...]) -> list[Problem]:
    """A problem for each field that nothing reads. Two of them are never moved to one place."""
    problems: list[Problem] = []
    free = set(allowed) - set(raw)
    for name in names:
        place, near = path + pointer(name), suggestion(name, allowed)
        patch: Operation = Remove(path=place)
        if near is not None and near in free:
            free.remove(near)
            patch = Move(from_=place, path=path + pointer(near))
        message = f"there is no field `{name[:100]}` here"
        problems.append(
            Problem(code="UNKNOWN_FIELD", path=place, message=message, allowed=allowed, suggestion=near, patch=(patch,))
        )
    return problems


def _wrong_value(error: msgspec.ValidationError, path: str, field: msgspec.structs.FieldInfo, value: Json) -> Problem:
    message, _, place = str(error).partition(" - at `$")
    # msgspec writes `[0].name` or `[...]` where a JSON Pointer writes `/0/name`.
    parts = [part for part in place.rstrip("`").replace("[", ".").replace("]", "").split(".") if part]
    allowed = tuple(str(each) for each in getattr(field.type, "__args__", ()) if isinstance(each, str | int))
    return Problem(
        code="WRONG_VALUE",
        path=path + pointer(*parts),
        message=message,
        allowed=allowed,
        suggestion=suggestion(value, allowed) if isinstance(value, str) else None,
        patch=_mended(value, field, path, parts),
    )


def _mended(value: Json, field: msgspec.structs.FieldInfo, path: str, parts: list[str]) -> tuple[Operation, ...]:
    match parts:
        case []:
            if not field.required and (value is None or is_below_least(value, field.type)):
                return (Remove(path=path),)  # its default is what is meant
            near = near_value(value, field.type)
        case [index] if isinstance(value, list) and index.isdecimal():
            near = near_value(value[int(index)], item_type(field.type))
        case _:
            near = msgspec.UNSET
    return () if near is msgspec.UNSET else (Replace(path=path + pointer(*parts), value=near),)
