"""What the keywords of a JSON Schema (2020-12) say of a value, one by one.

Facts are what is known of a value: every one of these nodes holds of it. To leave one out is never wrong, only less.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import unquote

import msgspec

from services.definitions.patch import value_at
from services.json import Json

Node: TypeAlias = dict[str, Any]
Facts: TypeAlias = tuple[Node, ...]

_REFERENCES = (b'"$ref":', b'"$dynamicRef":', b'"$recursiveRef":')
_MAX_VALUES = 200
_MAX_FACTS = 200

# `number` is the last two; to JSON Schema every whole number is an integer, however it is written.
_SIMPLE = ("null", "boolean", "object", "array", "string")
_NUMBERS = frozenset({"integer", "fraction"})
_TYPES = frozenset(_SIMPLE) | _NUMBERS
_NODE_OF_TYPE: Mapping[str, Node] = {name: {"type": name} for name in (*_SIMPLE, "number")}

# What says nothing about which values fit, or says it together with another keyword.
ANNOTATIONS = frozenset(
    {
        "$anchor", "$comment", "$defs", "$dynamicAnchor", "$schema", "$vocabulary", "contentEncoding",
        "contentMediaType", "contentSchema", "default", "definitions", "deprecated", "description", "else", "examples",
        "format", "maxContains", "minContains", "readOnly", "then", "title", "writeOnly",
    }
)  # fmt: skip
# What says nothing about values of other types than these.
OF_TYPE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), frozenset({"string"})),
    **dict.fromkeys(
        ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"),
        frozenset({"array"}),
    ),
    **dict.fromkeys(
        (
            "properties", "patternProperties", "additionalProperties", "required", "minProperties", "maxProperties",
            "propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
        ),
        frozenset({"object"}),
    ),
}  # fmt: skip
TOGETHER: Mapping[str, Sequence[str]] = {"if": ("then", "else"), "contains": ("minContains", "maxContains")}
# What means the same wherever it stands, with those that it goes together with.
ALONE = frozenset(
    {
        "const", "contains", "dependentRequired", "dependentSchemas", "enum", "exclusiveMaximum", "exclusiveMinimum",
        "if", "maximum", "maxItems", "maxLength", "maxProperties", "minimum", "minItems", "minLength", "minProperties",
        "multipleOf", "not", "pattern", "propertyNames", "uniqueItems",
    }
)  # fmt: skip


class Schemas:
    """A schema with all that stands in it."""

    def __init__(self, root: Json) -> None:
        self.root = root
        # By identity: the nodes of a schema stay as they are, and those made of them are kept here.
        self._texts: dict[int, tuple[Any, bytes]] = {}
        self._without: dict[tuple[int, str], tuple[Node, Node]] = {}

    def text(self, node: Any) -> bytes:
        """The node as JSON, the same for nodes that say the same."""
        if id(node) not in self._texts:
            self._texts[id(node)] = (node, msgspec.json.encode(node, order="sorted"))
        return self._texts[id(node)][1]

    def is_closed(self, node: Any) -> bool:
        """Whether the node refers to nothing, so that it means the same in another schema."""
        text = self.text(node)
        return not any(keyword in text for keyword in _REFERENCES)

    def target(self, reference: Any) -> tuple[Json] | None:
        """What a reference within the schema points to, in a tuple; None for any other."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        path = unquote(reference[1:])
        try:
            # A schema within the schema looks for what it refers to in itself.
            inner = [value_at(self.root, path[:end]) for end, letter in enumerate(path + "/") if letter == "/" and end]
        except ValueError:
            return None
        if any(isinstance(node, dict) and "$id" in node for node in inner):
            return None
        return (inner[-1] if inner else self.root,)

    def facts(self, schema: Json) -> Facts | None:
        """What `schema` says of a value that fits it; None when nothing does."""
        found: list[Node] = []
        pending, seen = [schema], set[int]()
        while pending:
            node = pending.pop()
            if node is False:
                return None
            if not isinstance(node, dict) or id(node) in seen or len(found) == _MAX_FACTS:
                continue
            if "$id" in node and node is not self.root:
                continue
            seen.add(id(node))
            found.append(node)
            parts: Any = node.get("allOf", ())
            pending.extend(parts)
            if (target := self.target(node.get("$ref"))) is not None:
                pending.append(target[0])
        return tuple(found)

    def cases(self, facts: Facts) -> list[Facts | None] | None:
        """The cases that the facts leave open, one of which holds; None when there is but one."""
        for index, fact in enumerate(facts):
            for keyword in ("anyOf", "oneOf"):
                if keyword in fact:
                    rest = (*facts[:index], self._node_without(fact, keyword), *facts[index + 1 :])
                    options = (self.facts(option) for option in fact[keyword])
                    return [None if option is None else rest + option for option in options]
        known = types(facts)
        apart = [name for name in _SIMPLE if name in known] + (["number"] if known & _NUMBERS else [])
        return [(*facts, _NODE_OF_TYPE[name]) for name in apart] if len(apart) > 1 else None

    def named(self, facts: Facts) -> frozenset[str]:
        """The properties that the facts name."""
        return frozenset(name for fact in facts for name in fact.get("properties", ()))

    def property(self, facts: Facts, name: str) -> Facts | None:
        """What is known of that property, where there is one; None when there is none."""
        parts: list[Json] = []
        for fact in facts:
            if name in (properties := fact.get("properties", {})):
                parts.append(properties[name])
            elif "patternProperties" not in fact:  # else one of these may name it
                parts.append(fact.get("additionalProperties", True))
        return self._all(parts)

    def other_property(self, facts: Facts, patterns: frozenset[str]) -> Facts | None:
        """What is known of a property that nothing names, and none of these patterns."""
        return self._all(
            [
                fact.get("additionalProperties", True)
                for fact in facts
                if patterns.issuperset(fact.get("patternProperties", ()))
            ]
        )

    def item(self, facts: Facts, index: int) -> Facts | None:
        """What is known of the item there; None when there is none."""
        if any(fact.get("maxItems", index + 1) <= index for fact in facts):
            return None
        parts: list[Json] = []
        for fact in facts:
            first = fact.get("prefixItems", ())
            parts.append(first[index] if index < len(first) else fact.get("items", True))
        return self._all(parts)

    def _all(self, parts: Sequence[Json]) -> Facts | None:
        found: Facts = ()
        for part in parts:
            its = self.facts(part)
            if its is None:
                return None
            found += its
        return found[:_MAX_FACTS]

    def _node_without(self, node: Node, keyword: str) -> Node:
        key = (id(node), keyword)
        if key not in self._without:
            self._without[key] = (node, {name: value for name, value in node.items() if name != keyword})
        return self._without[key][1]


def types_of(named: Any) -> frozenset[str]:
    """The types that the keyword `type` names.

    >>> sorted(types_of("number"))
    ['fraction', 'integer']
    """
    names = [named] if isinstance(named, str) else named
    return frozenset[str]().union(*(_NUMBERS if name == "number" else {name} for name in names))


def types(facts: Facts) -> frozenset[str]:
    """The types that a value can have."""
    known = _TYPES
    for fact in facts:
        if "type" in fact:
            known &= types_of(fact["type"])
        if "const" in fact:
            known &= {_type(fact["const"])}
        if "enum" in fact:
            known &= set(map(_type, fact["enum"]))
    return known


def values(facts: Facts) -> Sequence[Json] | None:
    """All values that are left, and maybe more; None when they are not told, or many."""
    for fact in facts:
        if "const" in fact:
            return [fact["const"]]
        if "enum" in fact and len(fact["enum"]) <= _MAX_VALUES:
            return fact["enum"]
    if (known := types(facts)) <= {"null", "boolean"}:
        return [None] * ("null" in known) + [False, True] * ("boolean" in known)
    return None


def required(facts: Facts) -> frozenset[str]:
    """The properties that an object has in any case."""
    return frozenset(name for fact in facts for name in fact.get("required", ()))


def follows(facts: Facts, keyword: str, value: Any) -> bool:
    """Whether a bound that a keyword sets follows from the bounds of the facts."""
    rule = _RULES.get(keyword)
    return rule is not None and rule(facts, value)


def _least(*keywords: str) -> Callable[[Facts, Any], bool]:
    return lambda facts, value: any(fact[it] >= value for fact in facts for it in keywords if it in fact)


def _most(*keywords: str) -> Callable[[Facts, Any], bool]:
    return lambda facts, value: any(fact[it] <= value for fact in facts for it in keywords if it in fact)


def _above(facts: Facts, value: Any) -> bool:
    return _least("exclusiveMinimum")(facts, value) or any(fact.get("minimum", value) > value for fact in facts)


def _below(facts: Facts, value: Any) -> bool:
    return _most("exclusiveMaximum")(facts, value) or any(fact.get("maximum", value) < value for fact in facts)


def _multiple(facts: Facts, value: Any) -> bool:
    if value == 1 and "fraction" not in types(facts):
        return True
    return any(
        isinstance(given := fact.get("multipleOf"), int) and isinstance(value, int) and given % value == 0
        for fact in facts
    )


def _unique(facts: Facts, value: Any) -> bool:
    return not value or any(fact.get("uniqueItems") is True or fact.get("maxItems", 2) <= 1 for fact in facts)


def _enough_properties(facts: Facts, value: Any) -> bool:
    return len(required(facts)) >= value or _least("minProperties")(facts, value)


_RULES: Mapping[str, Callable[[Facts, Any], bool]] = {
    "minimum": _least("minimum", "exclusiveMinimum"),
    "maximum": _most("maximum", "exclusiveMaximum"),
    "exclusiveMinimum": _above,
    "exclusiveMaximum": _below,
    "multipleOf": _multiple,
    "minLength": _least("minLength"),
    "maxLength": _most("maxLength"),
    "minItems": _least("minItems"),
    "maxItems": _most("maxItems"),
    "uniqueItems": _unique,
    "minProperties": _enough_properties,
    "maxProperties": _most("maxProperties"),
}


def _type(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "fraction"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
