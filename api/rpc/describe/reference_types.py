"""The schemas of an OpenAPI document as HTML: an expression for a type, a table for its fields."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any, TypeAlias

import msgspec

Schema: TypeAlias = Mapping[str, Any]

_CODE = re.compile(r"`([^`]+)`")
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "length ≥ {}",
    "maxLength": "length ≤ {}",
    "minItems": "items ≥ {}",
    "maxItems": "items ≤ {}",
    "pattern": "matches `{}`",
}


def prose(text: str) -> str:
    """Text as HTML; what stands between backticks is code.

    >>> prose("`a < b` & so on")
    '<code>a &lt; b</code> &amp; so on'
    """
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def type_id(name: str) -> str:
    """The anchor of a named type."""
    return f"type-{name}"


def expression(schema: Schema) -> str:
    """A schema the way a TypeScript programmer would write it, with a link to each type that has a name.

    >>> expression({"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Box"}}, {"type": "null"}]})
    '<a href="#type-Box">Box</a>[] | null'
    """
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f'<a href="#{type_id(name)}">{name}</a>'
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(_literal(value) for value in schema["enum"])
    if arms := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(expression(arm) for arm in arms))
    return _of_type(schema)


def fields(schema: Schema) -> str:
    """A table of an object's fields; for what is no object, or has none, the expression of its type."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if not properties:
        return f"<p><code>{expression(schema)}</code></p>"
    required = schema.get("required", ())
    rows = "".join(_row(name, property, name in required) for name, property in properties.items())
    head = "<tr><th scope=col>field</th><th scope=col>type</th><th scope=col>meaning</th></tr>"
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _of_type(schema: Schema) -> str:
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(expression(item) for item in schema['prefixItems'])}]"
        case "array":
            item = expression(schema.get("items", {}))
            return f"({item})[]" if " | " in item else f"{item}[]"
        case "object" if schema.get("properties"):
            inner = "; ".join(f"{escape(name)}: {expression(part)}" for name, part in schema["properties"].items())
            return f"{{ {inner} }}"
        case "object":
            values: Schema | bool = schema.get("additionalProperties", True)
            return f"{{ [key]: {'JSON' if isinstance(values, bool) else expression(values)} }}"
        case "integer":
            return "integer"
        case str(name):
            return f"{name} ({escape(schema['format'])})" if "format" in schema else name
        case _:
            return "JSON"


def _row(name: str, schema: Schema, is_required: bool) -> str:
    meaning = [prose(text) for text in (_description(schema), _limits(schema), _default(schema)) if text]
    optional = "" if is_required else "?"
    return (
        f"<tr><th scope=row><code>{escape(name)}{optional}</code></th>"
        f"<td><code>{expression(schema)}</code></td><td>{' '.join(meaning)}</td></tr>"
    )


def _description(schema: Schema) -> str:
    # What may be null is described where it is not.
    arms: list[Schema] = [schema, *schema.get("anyOf", ())]
    return next((arm["description"] for arm in arms if "description" in arm), "")


def _limits(schema: Schema) -> str:
    said = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    for arm in schema.get("anyOf", ()):
        said += [text.format(arm[name]) for name, text in _LIMITS.items() if name in arm]
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _default(schema: Schema) -> str:
    return f"Default: `{_json(schema['default'])}`." if "default" in schema else ""


def _literal(value: Any) -> str:
    return escape(_json(value), quote=False)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
