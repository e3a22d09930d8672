"""What is wrong with an input, said so that whoever sent it can mend it."""

import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from api.rpc.codes import RpcError
from api.rpc.json import is_array, is_object
from api.rpc.names import nearest

# A message shows this much of what was sent, and an answer lists this many problems; an attacker's input is longer.
_SHOWN = 100
_LISTED = 20

_PLACE = re.compile(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]")
_EXPECTED = re.compile(r"Expected (`.*?`.*?)(?:, got `.*`)?$")
_JSON_NAMES = {"int": "integer", "str": "string", "float": "number", "bool": "boolean"}


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing that is wrong.

    `path` is a JSON Pointer (RFC 6901) into the input; `allowed` lists what may stand there; `suggestion` is the
    nearest of these, when one is near.
    """

    code: str
    path: str
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str | None = None


class Place(NamedTuple):
    """Where in an input a problem lies: what was sent there, and what type was wanted if that is known."""

    path: str
    value: Any
    type: Any


def pointer(*parts: str | int) -> str:
    """A JSON Pointer.

    >>> pointer("steps", 0, "a/b")
    '/steps/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def refused(problems: Sequence[Problem]) -> RpcError:
    """The BAD_REQUEST that tells these problems, in its message and one by one in its data."""
    listed = list(problems[:_LISTED])
    return RpcError("BAD_REQUEST", "; ".join(_sentence(problem) for problem in listed), data={"problems": listed})


def explained(error: msgspec.ValidationError, type_: Any, value: Any) -> RpcError:
    """Why `value` is no `type_`: msgspec's finding, with what would have been accepted in its place."""
    message, _, where = str(error).partition(" - at ")
    place = _located(Place("", value, type_), where)
    if message.startswith(("Object contains unknown", "Object missing required")):
        return refused(_field_problems(place) or [_value_problem(place, message)])
    return refused([_value_problem(place, message)])


def missing_input(type_: type[msgspec.Struct]) -> RpcError:
    """The refusal of a call that came without the input it needs."""
    return refused(_field_problems(Place("", {}, type_)))


def _sentence(problem: Problem) -> str:
    hints = [f"did you mean `{problem.suggestion}`?"] if problem.suggestion else []
    # The other messages have said it themselves.
    if problem.allowed and problem.code != "REQUIRED" and not problem.message.startswith("Expected"):
        hints.append(f"accepted: {', '.join(problem.allowed)}")
    return f"{problem.path or 'input'}: {problem.message}" + (f" ({' '.join(hints)})" if hints else "")


def _field_problems(place: Place) -> list[Problem]:
    value = place.value
    if not is_object(value) or not _is_struct(place.type):
        return []
    fields = {field.encode_name: field for field in msgspec.structs.fields(place.type)}
    accepted = tuple(fields) + ((tag,) if (tag := _tag_field(place.type)) else ())
    unknown = [
        Problem(
            code="UNKNOWN_FIELD",
            path=place.path + pointer(name[:_SHOWN]),
            message=f"there is no field `{name[:_SHOWN]}` here",
            allowed=accepted,
            suggestion=nearest(name, accepted),
        )
        for name in value
        if name not in accepted
    ]
    missing = [
        Problem(code="REQUIRED", path=place.path, message=f"`{name}` is missing", allowed=(name,))
        for name, field in fields.items()
        if field.required and name not in value
    ]
    return unknown + missing


def _value_problem(place: Place, message: str) -> Problem:
    allowed = _choices(place.type) or _expected(message)
    if "missing required field" in message:
        tag = message.split("`")[1]
        return Problem(code="REQUIRED", path=place.path, message=f"`{tag}` is missing", allowed=(tag,))
    return Problem(
        code="WRONG_VALUE",
        path=place.path,
        message=_in_json_terms(message)[: 2 * _SHOWN],
        allowed=allowed,
        suggestion=nearest(place.value, allowed) if isinstance(place.value, str) and _choices(place.type) else None,
    )


def _expected(message: str) -> tuple[str, ...]:
    found = _EXPECTED.match(message)
    return tuple(_in_json_terms(found[1]).replace("`", "").split(" | ")) if found else ()


def _in_json_terms(message: str) -> str:
    return re.sub(r"\b(int|str|float|bool)\b(?=[^']*$)", lambda name: _JSON_NAMES[name[1]], message)


def _choices(type_: Any) -> tuple[str, ...]:
    if get_origin(type_) is Literal:
        return tuple(str(choice) for choice in get_args(type_))
    members: Mapping[str, Any] = getattr(type_, "__members__", {})
    return tuple(str(member.value) for member in members.values())


def _located(place: Place, where: str) -> Place:
    for name, index in _PLACE.findall(where):
        place = _child(Place(place.path, place.value, _narrowed(place.type, place.value)), name or index)
    return Place(place.path, place.value, _narrowed(place.type, place.value))


def _child(place: Place, step: str) -> Place:
    value = place.value
    if is_array(value) and step.isdigit():
        at = int(step)
        # A key given twice may have been refused for an array that the last one replaced.
        item = value[at] if at < len(value) else None
        return Place(place.path + pointer(at), item, _item_type(place.type, at))
    if is_object(value):
        if step == "...":
            return _wrong_member(place, value)
        return Place(place.path + pointer(step), value.get(step), _field_type(place.type, step))
    # Sets and unusual types: msgspec's own message will have to do.
    return place


def _wrong_member(place: Place, members: dict[str, Any]) -> Place:
    # msgspec does not say which key of a mapping; the first whose value does not convert is the one.
    value_type = (*get_args(place.type), Any, Any)[1]
    for key, member in members.items():
        try:
            msgspec.convert(member, value_type, str_keys=True)
        except msgspec.ValidationError:
            return Place(place.path + pointer(key[:_SHOWN]), member, value_type)
    return place


def _narrowed(type_: Any, value: Any) -> Any:
    """The member of a union that `value` was read as; other types as they are."""
    if get_origin(type_) is Annotated:
        return _narrowed(get_args(type_)[0], value)
    if get_origin(type_) not in (Union, types.UnionType):
        return type_
    arms = [_narrowed(arm, value) for arm in get_args(type_)]
    if is_object(value):
        arms = [arm for arm in arms if _takes_object(arm, value)]
    elif is_array(value):
        arms = [arm for arm in arms if get_origin(arm) in (list, tuple, set, frozenset)]
    else:
        arms = [arm for arm in arms if _choices(arm)]
    return arms[0] if len(arms) == 1 else type_


def _takes_object(arm: Any, members: dict[str, Any]) -> bool:
    if not _is_struct(arm):
        return get_origin(arm) is dict or arm is dict
    tag_field = _tag_field(arm)
    return tag_field is None or members.get(tag_field) == _config(arm).tag


def _field_type(type_: Any, name: str) -> Any:
    if _is_struct(type_):
        return next((field.type for field in msgspec.structs.fields(type_) if field.encode_name == name), None)
    tags = [_config(arm).tag for arm in get_args(type_) if _is_struct(arm) and _tag_field(arm) == name]
    return Literal[tuple(tags)] if tags else None


def _item_type(type_: Any, at: int) -> Any:
    arguments = get_args(type_)
    if get_origin(type_) is tuple and Ellipsis not in arguments:
        return arguments[at] if at < len(arguments) else None
    return arguments[0] if arguments else None


def _is_struct(type_: Any) -> bool:
    return isinstance(get_origin(type_) or type_, msgspec.StructMeta)


def _tag_field(type_: Any) -> str | None:
    return _config(type_).tag_field


def _config(type_: Any) -> Any:
    return (get_origin(type_) or type_).__struct_config__
