"""JSON Schema 2020-12 over JSON values, through jsonschema-rs.

Patterns run on a linear-time engine, so a schema that somebody typed cannot hang the server; remote references are
never fetched.
"""

from functools import lru_cache
from itertools import islice
from urllib.parse import unquote

import jsonschema_rs
import msgspec

from services.definitions.patch import value_at
from services.definitions.structure import pointer
from services.json import Json
from services.problem import Problem

_SHOWN_MESSAGE = 500
_MAX_PROBLEMS = 50
_MAX_EXPANSION = 100_000
# Compiled, in bytes: what takes more is slow to match, if only by a constant.
_MAX_PATTERN = 2_000_000


def problems_of_schema(schema: Json, path: str = "") -> list[Problem]:
    """What keeps `schema` from being a JSON Schema; empty when it is one.

    >>> [problem.path for problem in problems_of_schema({"type": "objekt"}, "/input")]
    ['/input/type']
    """
    try:
        size = expansion(schema)
    except RecursionError:
        return [Problem(code="SCHEMA_INVALID", path=path, message="the schema is nested too deep to be read")]
    if size > _MAX_EXPANSION:
        message = f"with every `$ref` written out the schema would have more than {_MAX_EXPANSION:,} parts"
        return [Problem(code="SCHEMA_INVALID", path=path, message=message)]
    try:
        _validator(msgspec.json.encode(schema))
    except jsonschema_rs.ValidationError as error:
        return [
            Problem(code="SCHEMA_INVALID", path=path + pointer(*error.instance_path), message=_shown(error.message))
        ]
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return [Problem(code="SCHEMA_INVALID", path=path, message=_shown(str(error)))]
    return []


def problems_of_value(schema: Json, value: Json, path: str = "") -> list[Problem]:
    """Where `value` does not fit `schema`, the first fifty places; empty when it fits.

    >>> problems_of_value({"type": "object", "required": ["topic"]}, {})[0].message
    '"topic" is a required property'
    """
    try:
        errors = list(islice(_validator(msgspec.json.encode(schema)).iter_errors(value), _MAX_PROBLEMS))
    except ValueError:  # the library reads some hundred levels
        return [Problem(code="SCHEMA_MISMATCH", path=path, message="the value is nested too deep to be judged")]
    return [
        Problem(code="SCHEMA_MISMATCH", path=path + pointer(*error.instance_path), message=_shown(error.message))
        for error in errors
    ]


def with_defaults(schema: Json, value: Json) -> Json:
    """`value` with the top-level `default`s of an object schema filled in.

    >>> with_defaults({"properties": {"n": {"default": 3}, "m": {}}}, {"m": 1})
    {'n': 3, 'm': 1}
    """
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    defaults = {
        name: member["default"]
        for name, member in properties.items()
        if isinstance(member, dict) and "default" in member
    }
    return {**defaults, **value}


def expansion(schema: Json) -> int:
    """How many objects the schema has when every `$ref` within it is written out, once where it comes back to itself.

    >>> expansion({"$defs": {"a": {"type": "string"}}, "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]})
    7
    """
    sizes: dict[str, int] = {}

    def size(node: Json) -> int:
        if isinstance(node, list):
            return sum(map(size, node))
        if not isinstance(node, dict):
            return 0
        target = node.get("$ref")
        return 1 + sum(map(size, node.values())) + (of_target(target) if isinstance(target, str) else 0)

    def of_target(reference: str) -> int:
        if reference not in sizes:
            sizes[reference] = 0  # until it is known; what comes back to itself adds nothing more
            sizes[reference] = size(referred_to(schema, reference))
        return sizes[reference]

    return size(schema)


def referred_to(schema: Json, reference: str) -> Json:
    """What a reference within the schema points to; null for any other.

    >>> referred_to({"$defs": {"a": {"type": "string"}}}, "#/$defs/a")
    {'type': 'string'}
    """
    if not reference.startswith("#"):
        return None
    try:
        return value_at(schema, unquote(reference[1:]))
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _validator(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        msgspec.json.decode(schema), pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_PATTERN), offline=True
    )


def _shown(message: str) -> str:
    return message if len(message) <= _SHOWN_MESSAGE else message[: _SHOWN_MESSAGE - 1] + "…"
