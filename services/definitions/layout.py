"""Documents and roles as people write them: what their place says is left out, and fields stand in a settled sequence.

What was read from the result is what was written: the sequence of keys and an `order` that counts on mean nothing.
"""

from typing import Any

import msgspec

from services.definitions.document import Document, Step, as_json
from services.json import Json, JsonObject

# What a step is comes first and what it holds last; between them stands what only some kinds have.
_FIRST = (
    "name", "kind", "order", "parallelGroup", "roleName", "tool", "orchestration", "version", "wait", "condition",
)  # fmt: skip
_LAST = (
    "inputMapping", "contextKeys", "outputSchema", "outputMapping", "idempotencyKey", "maxRetries", "retryDelay",
    "retry", "timeout", "totalTimeout", "steps", "cases", "else", "onError", "compensate",
)  # fmt: skip
_STEP = (*_FIRST, *(name for name in Step.__struct_encode_fields__ if name not in (*_FIRST, *_LAST)), *_LAST)
# What stands in a list under these fields.
_PARTS = {"cases": ("name", "when", "weight", "steps"), "catch": ("errors", "as", "steps")}
_GROUP = ("join", "n", "minSuccess", "onMemberFailure", "maxConcurrency", "merge")
_ROLE = ("name", "description", "tools", "needsTools", "model", "basePrompt", "parameters", "outputSchema")
# Of a JSON Schema: what it says of the whole, then of its parts; any other keyword between them.
_SCHEMA_FIRST = ("$schema", "$id", "title", "description", "type", "required", "additionalProperties")
_SCHEMA_LAST = ("properties", "items", "allOf", "anyOf", "oneOf", "not", "default", "$defs")
_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_VALUES = frozenset({"default", "const", "enum", "examples"})
_SCHEMAS = ("input", "outputSchema", "form")
_STEPS = ("steps", "else", "compensate", "onFailure", "finally")


def document_layout(document: Document) -> JsonObject:
    """The document as it is written.

    >>> step = Step(name="Say", kind="transform", input_mapping={"b": 1, "a": 2})
    >>> document_layout(Document(name="flow", steps=(step,)))["steps"]
    [{'name': 'Say', 'kind': 'transform', 'inputMapping': {'a': 2, 'b': 1}}]
    """
    return {name: _field(name, value) for name, value in as_json(document).items()}


def role_layout(role: msgspec.Struct) -> JsonObject:
    """The role as it is written; what has its default is left out."""
    return _ranked(as_json(role), _ROLE)


def _ranked(part: JsonObject, names: tuple[str, ...]) -> JsonObject:
    return {name: _field(name, part[name]) for name in names if name in part}


def _field(name: str, value: Any) -> Json:
    """What stands under a field of a document, of a step, of a role or of a part of them."""
    if name in _STEPS:
        return _steps(value)
    if name in _SCHEMAS:
        return _schema(value)
    if name in _PARTS:
        return [_ranked(part, _PARTS[name]) for part in value]
    if name == "groups":
        return {key: _ranked(value[key], _GROUP) for key in sorted(value)}
    if name == "onError" and isinstance(value, dict):
        return {key: _field(key, item) for key, item in sorted(value.items())}
    return _sorted(value)


def _steps(steps: list[JsonObject]) -> list[Json]:
    # All of them or none: one number among steps without any would be hard to place.
    counts_on = all(step["order"] == place for place, step in enumerate(steps))
    names = tuple(name for name in _STEP if name != "order" or not counts_on)
    return [_ranked(step, names) for step in steps]


def _schema(schema: Json) -> Json:
    """A JSON Schema, or what stands in one: what it says of the whole before what it says of its parts."""
    if isinstance(schema, list):
        return [_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {keyword: _of_keyword(keyword, schema[keyword]) for keyword in sorted(schema, key=_rank)}


def _of_keyword(keyword: str, value: Json) -> Json:
    if keyword in _NAMED_SCHEMAS and isinstance(value, dict):
        return {name: _schema(value[name]) for name in sorted(value)}
    return _sorted(value) if keyword in _VALUES else _schema(value)


def _rank(keyword: str) -> tuple[int, str]:
    if keyword in _SCHEMA_FIRST:
        return _SCHEMA_FIRST.index(keyword) - len(_SCHEMA_FIRST), ""
    return (1 + _SCHEMA_LAST.index(keyword), "") if keyword in _SCHEMA_LAST else (0, keyword)


def _sorted(value: Json) -> Json:
    """A value of which nothing is known: the keys of its objects by their letters."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
