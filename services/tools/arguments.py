"""The arguments of a tool: what its schema says of them, and how what somebody gives is read as that.

Models and templates write numbers as text now and then; where only one reading fits, that is taken.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, get_type_hints

import msgspec

from services.definitions.patterns import portable
from services.json import Json, JsonObject
from services.problem import said
from services.schema import problems_of_value, referred_to

# A schema that comes back to itself is not followed for ever.
_MAX_DEPTH = 32
_WORDS: dict[str, bool] = {"true": True, "false": False, "1": True, "0": False}


class Unfitting(ValueError):
    """What was given does not fit; the message says where, and what would."""


def of_signature(name: str, function: Callable[..., Awaitable[Any]]) -> type[msgspec.Struct]:
    """The arguments of `async def f(context, *, argument: type = default)`, for the tool of that name."""
    types = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()
    fields = [
        (it.name, types[it.name], msgspec.NODEFAULT if it.default is it.empty else it.default) for it in parameters
    ]
    title = "".join(part.capitalize() for part in name.replace(".", "_").split("_"))
    return msgspec.defstruct(title, fields, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True)


def schema_of(arguments: type[msgspec.Struct]) -> JsonObject:
    """The JSON Schema of the arguments, self-contained."""
    (schema,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    own = components.pop(arguments.__name__, schema)
    return portable({**own, "$defs": components} if components else own)


def typed(arguments: type[msgspec.Struct], given: Json) -> msgspec.Struct:
    """What was given, as the arguments that a signature asks for.

    Raises:
        Unfitting: it cannot be read as them.
    """
    try:
        return msgspec.convert(given, arguments, strict=False)
    except msgspec.ValidationError as error:
        accepted = (field.encode_name for field in msgspec.structs.fields(arguments))
        raise Unfitting(f"{error}; it takes {_listed(accepted)}") from None


def fitting(schema: JsonObject, given: Json) -> JsonObject:
    """What was given, as the object that a JSON Schema asks for.

    >>> fitting({"properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}, {"n": "3", "s": "3"})
    {'n': 3, 's': '3'}

    Raises:
        Unfitting: it is no such object.
    """
    read = _coerced(schema, given, schema, 0)
    properties = schema.get("properties")
    accepted = _listed(properties if isinstance(properties, dict) else ())
    if not isinstance(read, dict):
        raise Unfitting(f"an object is expected; it takes {accepted}")
    if problems := problems_of_value(schema, read):
        raise Unfitting(f"{said(problems)}; it takes {accepted}")
    return read


def _coerced(schema: Json, given: Json, root: JsonObject, depth: int) -> Json:
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return given
    match given:
        case dict():
            properties, others = schema.get("properties"), schema.get("additionalProperties")
            known = properties if isinstance(properties, dict) else {}
            return {key: _coerced(known.get(key, others), value, root, depth + 1) for key, value in given.items()}
        case list():
            return [_coerced(schema.get("items"), value, root, depth + 1) for value in given]
        case str() | float():
            return _as_one_of(frozenset(_types(schema, root, depth)), given)
        case _:
            return given


def _as_one_of(types: frozenset[str], given: str | float) -> Json:
    """A text or a float, as the one of the types that it can be read as; unchanged where it fits already."""
    if not isinstance(given, str):
        is_whole = "number" not in types and "integer" in types and float(given).is_integer()
        return int(given) if is_whole else given
    if "string" in types:
        return given
    try:
        if "integer" in types:
            return msgspec.convert(given, int, strict=False)
        if "number" in types:
            return msgspec.convert(given, float, strict=False)
    except msgspec.ValidationError:
        pass
    if "boolean" in types and given.lower() in _WORDS:
        return _WORDS[given.lower()]
    return None if "null" in types and given.lower() == "null" else given


def _types(schema: Json, root: JsonObject, depth: int) -> Iterator[str]:
    """The types that a value may have; all of them where the schema does not say."""
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        yield "string"
        return
    named = schema.get("type")
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(named, str):
        yield named
    elif isinstance(named, list):
        yield from (it for it in named if isinstance(it, str))
    elif isinstance(choices, list):
        for choice in choices:
            yield from _types(choice, root, depth + 1)
    else:
        yield "string"  # anything at all: nothing is made of a text


def _resolved(schema: Json, root: JsonObject) -> Json:
    """The schema, or the one of the same document that it refers to."""
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return schema
        schema = referred_to(root, reference)
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
