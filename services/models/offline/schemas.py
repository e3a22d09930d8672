"""JSON Schemas made plain enough to be filled: references followed, `allOf` merged, kinds named."""

from typing import Any

_MAX_HOPS = 32
# Which kind a keyword belongs to, for schemas that leave `type` out.
_KEYWORD_KINDS = {
    "properties": "object",
    "required": "object",
    "minProperties": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "maxItems": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
}
_TIGHTER = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


class Unfillable(Exception):
    """No extract can be a value of this schema."""

    def __init__(self, why: str, field: str) -> None:
        super().__init__(f"{field or 'the answer'}: {why}")


def resolved(schema: Any, root: dict[str, Any], field: str) -> dict[str, Any]:
    """`schema` without `$ref` and `allOf` at its top.

    >>> resolved({"allOf": [{"minimum": 1}, {"$ref": "#/$defs/n"}]}, {"$defs": {"n": {"minimum": 3}}}, "n")
    {'minimum': 3}
    """
    schema = as_object(schema, field)
    for _ in range(_MAX_HOPS):
        if "$ref" in schema:
            rest = {key: rule for key, rule in schema.items() if key != "$ref"}
            schema = _merged(_target(schema["$ref"], root, field), rest)
        elif "allOf" in schema:
            parts = [resolved(part, root, field) for part in schema["allOf"]]
            schema = {key: rule for key, rule in schema.items() if key != "allOf"}
            for part in parts:
                schema = _merged(schema, part)
        else:
            return schema
    raise Unfillable("its references go round in circles", field)


def as_object(schema: Any, field: str) -> dict[str, Any]:
    """A schema as an object: `true` says nothing, `false` allows nothing."""
    if schema is False:
        raise Unfillable("nothing is allowed there", field)
    return {} if schema is True else schema


def kinds_of(schema: dict[str, Any]) -> list[str]:
    """The kinds of value a schema allows, null last; a schema that says nothing is taken for a string.

    >>> kinds_of({"type": ["null", "string"]}), kinds_of({"items": {}}), kinds_of({})
    (['string', 'null'], ['array'], ['string'])
    """
    named = schema.get("type")
    if named is None:
        named = next((kind for keyword, kind in _KEYWORD_KINDS.items() if keyword in schema), "string")
    kinds = [named] if isinstance(named, str) else list(named)
    return sorted(kinds, key=lambda kind: kind == "null")


def _target(reference: str, root: dict[str, Any], field: str) -> dict[str, Any]:
    node: Any = root
    if not reference.startswith("#"):
        raise Unfillable(f"{reference} is not in the schema", field)
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            raise Unfillable(f"{reference} is not in the schema", field)
    return as_object(node, field)


def _merged(some: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Both schemas in one, as far as keywords can be joined; the finished value is checked against the original."""
    merged = dict(some)
    for key, rule in others.items():
        if key not in merged:
            merged[key] = rule
        elif key == "properties":
            shared = {name: {"allOf": [merged[key][name], rule[name]]} for name in rule if name in merged[key]}
            merged[key] = {**merged[key], **rule, **shared}
        elif key == "required":
            merged[key] = list(dict.fromkeys([*merged[key], *rule]))
        elif key == "enum":
            merged[key] = [member for member in merged[key] if member in rule]
        elif key in _TIGHTER:
            merged[key] = _TIGHTER[key](merged[key], rule)
        elif key == "type":
            merged[key] = _common(merged[key], rule)
        else:
            merged[key] = rule
    return merged


def _common(some: str | list[str], others: str | list[str]) -> list[str]:
    left = [some] if isinstance(some, str) else some
    right = [others] if isinstance(others, str) else others
    whole = (
        {"integer"} if ("number" in left and "integer" in right) or ("integer" in left and "number" in right) else set()
    )
    return [kind for kind in dict.fromkeys([*left, *right]) if (kind in left and kind in right) or kind in whole]
