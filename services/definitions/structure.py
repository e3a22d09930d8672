"""Typed values out of decoded JSON, with every problem at once instead of the first."""

from collections.abc import Collection
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec.inspect import is_struct_type

from services.definitions.near_value import choices, is_below_least, near_value
from services.definitions.nearby import nearby
from services.definitions.patch import Move, Operation, Remove, Replace
from services.expressions.errors import suggestion
from services.json import Json
from services.problem import Problem

T = TypeVar("T", bound=msgspec.Struct)

# A problem each, up to here: what has more of them is no document.
_MAX_UNKNOWN = 20


def pointer(*parts: str | int) -> str:
    """A JSON Pointer (RFC 6901).

    >>> pointer("steps", 0, "a/b")
    '/steps/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def read_fields(
    type_: type[T],
    raw: dict[str, Json],
    path: str,
    problems: list[Problem],
    *,
    also: tuple[str, ...] = (),
    apart: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of `raw` that `type_` accepts, by their Python names; what it does not accept goes to `problems`.

    `also` are fields that somebody else reads, which an unknown one may be a misspelling of; `apart` are those of
    `type_` that somebody else reads.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    problems += _unknown_fields([name for name in raw if name not in fields], raw, path, (*fields, *also))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                problems.append(Problem(code="REQUIRED", path=path, message=f"`{name}` is missing", allowed=(name,)))
        elif name not in apart:
            value = read_value(field.type, raw[name], path + pointer(name), problems, may_go=not field.required)
            if value is not msgspec.UNSET:
                values[field.name] = value
    return values


def read_value(type_: Any, value: Json, path: str, problems: list[Problem], *, may_go: bool) -> Any:
    """The value as one of `type_`; UNSET when it is none, or something in it is wrong, which goes to `problems`.

    One that `may_go` can be left out as well.
    """
    for choice in choices(type_):
        arguments = get_args(choice.type)
        if isinstance(value, dict) and is_struct_type(choice.type):
            return _read_struct(choice.type, value, path, problems)
        if isinstance(value, dict) and get_origin(choice.type) is dict and arguments[1] is not Any:
            return _read_members(arguments[0], arguments[1], value, path, problems)
        if isinstance(value, list) and get_origin(choice.type) in (list, tuple) and arguments[0] is not Any:
            return _read_items(get_origin(choice.type), arguments[0], value, path, problems)
    try:
        return msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        problems.append(_wrong_value(value, type_, path, _plainly(error, type_), may_go=may_go))
        return msgspec.UNSET


def _read_struct(type_: type[msgspec.Struct], raw: dict[str, Json], path: str, problems: list[Problem]) -> Any:
    found = len(problems)
    values = read_fields(type_, raw, path, problems)
    return type_(**values) if len(problems) == found else msgspec.UNSET


def _read_members(key: Any, type_: Any, raw: dict[str, Json], path: str, problems: list[Problem]) -> Any:
    found = len(problems)
    members = {
        name: read_value(type_, value, path + pointer(name), problems, may_go=False) for name, value in raw.items()
    }
    for name in raw:
        try:
            msgspec.convert(name, key, strict=True)
        except msgspec.ValidationError as error:
            near = near_value(name, key)
            renamed = isinstance(near, str) and near not in raw
            patch = (Move(from_=path + pointer(name), path=path + pointer(str(near))),) if renamed else ()
            message = f"the name {name[:100]!r}: {_plainly(error, key)}"
            problems.append(Problem(code="WRONG_VALUE", path=path + pointer(name), message=message, patch=patch))
    return members if len(problems) == found else msgspec.UNSET


def _read_items(made: Any, type_: Any, raw: list[Json], path: str, problems: list[Problem]) -> Any:
    found = len(problems)
    items = [read_value(type_, item, path + pointer(index), problems, may_go=False) for index, item in enumerate(raw)]
    return made(items) if len(problems) == found else msgspec.UNSET


def _unknown_fields(names: list[str], raw: dict[str, Json], path: str, known: tuple[str, ...]) -> list[Problem]:
    """A problem for each of the first fields that nothing reads. Two of them are never moved to one place."""
    problems: list[Problem] = []
    free = set(known) - set(raw)
    for name in names[:_MAX_UNKNOWN]:
        place, allowed = path + pointer(name), nearby(name, known)
        near = suggestion(name, allowed)
        patch: Operation = Remove(path=place)
        if near is not None and near in free:
            free.remove(near)
            patch = Move(from_=place, path=path + pointer(near))
        message = f"there is no field `{name[:100]}` here"
        problems.append(
            Problem(code="UNKNOWN_FIELD", path=place, message=message, allowed=allowed, suggestion=near, patch=(patch,))
        )
    return problems


def _wrong_value(value: Json, type_: Any, path: str, message: str, *, may_go: bool) -> Problem:
    """The problem of a value that is none of `type_`; one that `may_go` can be left out instead."""
    allowed = [
        str(each)
        for choice in choices(type_)
        if get_origin(choice.type) is Literal
        for each in get_args(choice.type)
        if isinstance(each, str | int)
    ]
    return Problem(
        code="WRONG_VALUE",
        path=path,
        message=message,
        allowed=tuple(allowed),
        suggestion=suggestion(value, allowed) if isinstance(value, str) else None,
        patch=_mended(value, type_, path, may_go=may_go),
    )


def _plainly(error: msgspec.ValidationError, type_: Any) -> str:
    """What is wrong in words: those of the type where it has some for its pattern."""
    message = str(error).partition(" - at `$")[0]
    described = [about.description for choice in choices(type_) for about in choice.about if about.pattern is not None]
    if "matching regex" not in message or not described or described[0] is None:
        return message
    return f"expected {described[0][0].lower()}{described[0][1:]}"


def _mended(value: Json, type_: Any, path: str, *, may_go: bool) -> tuple[Operation, ...]:
    if may_go and (value is None or is_below_least(value, type_)):
        return (Remove(path=path),)  # its default is what is meant
    near = near_value(value, type_)
    return () if near is msgspec.UNSET else (Replace(path=path, value=near),)
