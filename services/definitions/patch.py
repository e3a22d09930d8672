"""JSON Patch (RFC 6902): the changes to a document that make a problem go away, and how they are applied."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from services.json import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")

_Holder: TypeAlias = "dict[str, Json] | list[Json]"
_Change: TypeAlias = Callable[[Any, str], None]


class Add(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="add"):
    """Put `value` at `path`: a new member, in the place of one of that name, or before the item of that index."""

    path: str
    value: Json


class Remove(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="remove"):
    """Take away what stands at `path`."""

    path: str


class Replace(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="replace"):
    """Put `value` in the place of what stands at `path`."""

    path: str
    value: Json


class Move(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="move"):
    """Take away what stands at `from` and add it at `path`."""

    from_: str = msgspec.field(name="from")
    path: str


Operation: TypeAlias = Add | Remove | Replace | Move


def apply(document: Json, operations: Iterable[Operation]) -> Json:
    """The document after all operations, one after the other; `document` itself stays as it is.

    >>> apply({"nam": "a", "steps": [1, 2]}, [Move(from_="/nam", path="/name"), Remove(path="/steps/0")])
    {'steps': [2], 'name': 'a'}

    Raises:
        ValueError: a path is no JSON Pointer, or leads to nothing.
    """
    for operation in operations:
        document = _applied(document, operation)
    return document


def value_at(document: Json, path: str) -> Json:
    """What stands at a JSON Pointer.

    >>> value_at({"steps": [{"a/b": 1}]}, "/steps/0/a~1b")
    1

    Raises:
        ValueError: `path` is no JSON Pointer, or leads to nothing.
    """
    for part in _parts(path):
        holder = _holder(document, path)
        document = holder[_key(holder, part, path)]  # type: ignore[index]
    return document


def below(place: str, operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations for a document that stands at `place` of a larger one.

    >>> below("/orchestrations/0", [Remove(path="/stepz")])
    (Remove(path='/orchestrations/0/stepz'),)
    """
    return tuple(
        msgspec.structs.replace(operation, from_=place + operation.from_, path=place + operation.path)
        if isinstance(operation, Move)
        else msgspec.structs.replace(operation, path=place + operation.path)
        for operation in operations
    )


def _applied(document: Json, operation: Operation) -> Json:
    match operation:
        case Add(path=path, value=value):
            return _added(document, path, value)
        case Remove(path=path):
            return _removed(document, path)
        case Replace(path=path, value=value):
            value_at(document, path)
            return value if path == "" else _changed(document, _parts(path), path, _replacing(path, value))
        case Move(from_=source, path=target):
            if target.startswith(source + "/"):
                raise ValueError(f"{source} cannot be moved into itself, to {target}")
            value = value_at(document, source)
            return value if source == target == "" else _added(_removed(document, source), target, value)


def _added(document: Json, path: str, value: Json) -> Json:
    def add(holder: Any, part: str) -> None:
        if isinstance(holder, dict):
            holder[part] = value
            return
        index = len(holder) if part == "-" else _index(part, path)
        if index > len(holder):
            raise ValueError(f"{path}: the list has {len(holder)} items, so none can be added at {index}")
        holder.insert(index, value)

    return value if path == "" else _changed(document, _parts(path), path, add)


def _removed(document: Json, path: str) -> Json:
    def remove(holder: Any, part: str) -> None:
        del holder[_key(holder, part, path)]

    if path == "":
        raise ValueError("the whole document cannot be removed")
    return _changed(document, _parts(path), path, remove)


def _replacing(path: str, value: Json) -> _Change:
    def replace(holder: Any, part: str) -> None:
        holder[_key(holder, part, path)] = value

    return replace


def _changed(node: Json, parts: list[str], path: str, change: _Change) -> Json:
    """A copy of `node` in which `change` was made to the list or object that holds the place."""
    holder: Any = _holder(node, path).copy()
    first, *rest = parts
    if rest:
        key = _key(holder, first, path)
        holder[key] = _changed(holder[key], rest, path, change)
    else:
        change(holder, first)
    return holder


def _holder(node: Json, path: str) -> _Holder:
    if isinstance(node, dict | list):
        return node
    raise ValueError(f"{path} leads below a value that holds nothing")


def _key(holder: _Holder, part: str, path: str) -> str | int:
    """The key of an existing member, or the index of an existing item."""
    if isinstance(holder, dict):
        if part in holder:
            return part
        raise ValueError(f"{path} leads to nothing: there is no {part[:100]!r}")
    index = _index(part, path)
    if index < len(holder):
        return index
    raise ValueError(f"{path} leads to nothing: the list has {len(holder)} items and none at {index}")


def _index(part: str, path: str) -> int:
    if _INDEX.fullmatch(part) is None:
        raise ValueError(f"{path}: {part[:100]!r} is no index of a list")
    return int(part)


def _parts(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        raise ValueError(f"{path[:100]!r} is no JSON Pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
