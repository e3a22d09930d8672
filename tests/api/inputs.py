"""Inputs made from a procedure's own types, so that a new procedure is tested without being asked."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from api.rpc import Procedure

SOME_UUID = "00000000-0000-7000-8000-000000000000"


def smallest_input(procedure: Procedure[..., Any]) -> Any:
    """An input that fits the procedure's types, with nothing that may be left out; UNSET when it takes none."""
    if procedure.input_type is None:
        return msgspec.UNSET
    return _value(inspect.type_info(procedure.input_type))


def _value(shape: inspect.Type) -> Any:
    match shape:
        case inspect.Metadata(type=inner):
            return _value(inner)
        case inspect.StructType(fields=fields):
            return {field.encode_name: _value(field.type) for field in fields if field.required}
        case inspect.StrType():
            return "Something"
        case inspect.IntType():
            return 1
        case inspect.UUIDType():
            return SOME_UUID
        case inspect.VarTupleType():
            return []
        case inspect.AnyType():
            return {}
        case inspect.UnionType():
            return None
        case _:
            raise TypeError(f"say here what the smallest {shape} is")


def replaced(value: Any, path: tuple[str | int, ...], with_: Any) -> Any:
    """`value` with what stands at `path` replaced; a path that leads nowhere adds a key there, or changes nothing."""
    if not path:
        return with_
    first, *rest = path
    if isinstance(value, Mapping):
        return {**value, str(first): replaced(value.get(str(first), {}), tuple(rest), with_)}
    if isinstance(value, list) and isinstance(first, int) and first < len(value):
        return [replaced(item, tuple(rest), with_) if index == first else item for index, item in enumerate(value)]
    return value
