"""Random JSON Schemas, each with a value that fits it."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any

NAMES = (
    "a",
    "b",
    "name",
    "two words",
    "kebab-case",
    "1st",
    "größe",
    "constructor",
    "toString",
    "if",
    "x-1",
    "",
    "$",
    "*/",
)
TEXTS = ("", "a", 'it "quotes"', "\\", "\n", "ü", "*/", "\u2028", "`${x}`")
NUMBERS = (0, 1, -1, 1.5, -0.25, 1e21, 2**53 - 1)
_MAX_DEPTH = 4


class Pair(NamedTuple):
    """A schema, and a value that fits it."""

    schema: Json
    value: Json


class Pairs:
    """What `seed` leads to."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._defs: dict[str, Json] = {}

    def next(self) -> Pair:
        """Another pair; where its schema refers to parts of its own, they are there."""
        self._defs = {}
        pair = self._any(0)
        if self._defs and isinstance(pair.schema, dict):
            return Pair({**pair.schema, "$defs": self._defs}, pair.value)
        return pair

    def _any(self, depth: int) -> Pair:
        makers: list[Callable[[int], Pair]] = [self._plain, self._listed, self._constant, self._nullable, self._open]
        if depth < _MAX_DEPTH:
            makers += [self._object, self._object, self._map, self._array, self._tuple, self._choice, self._all]
            makers += [self._tree, self._chosen, self._untyped]
        return self._random.choice(makers)(depth)

    def _plain(self, depth: int) -> Pair:
        return self._random.choice(
            [
                Pair({"type": "string", "description": self._random.choice(TEXTS)}, self._random.choice(TEXTS)),
                Pair({"type": "string", "minLength": 1, "pattern": "^a"}, "a"),
                Pair({"type": "string", "format": "date-time"}, "2026-01-02T03:04:05Z"),
                Pair({"type": "number"}, self._random.choice(NUMBERS)),
                Pair({"type": "integer", "minimum": 3}, 7),
                Pair({"type": "boolean"}, self._random.random() < 0.5),
                Pair({"type": "null"}, None),
                Pair({"type": "object"}, {"any": [1, {"thing": None}]}),
                Pair({"type": "array"}, [1, "a", [None]]),
            ]
        )

    def _listed(self, depth: int) -> Pair:
        values = self._random.sample([*TEXTS, *NUMBERS, None, True, [], {}, [1, "a"], {"a": {"b": [None]}}], 5)
        return Pair({"enum": values}, self._random.choice(values))

    def _constant(self, depth: int) -> Pair:
        value = self._random.choice([*TEXTS, *NUMBERS, None, False, [], {}, [[]], {"two words": 1}])
        return Pair({"const": value}, value)

    def _nullable(self, depth: int) -> Pair:
        return Pair({"type": ["string", "null"]}, self._random.choice(["a", None]))

    def _open(self, depth: int) -> Pair:
        return Pair(self._random.choice([True, {}, {"not": {"const": "never"}}]), self._random.choice(["a", [1], None]))

    def _object(self, depth: int) -> Pair:
        members = {name: self._any(depth + 1) for name in self._random.sample(NAMES, self._random.randint(1, 4))}
        required = [name for name in members if self._random.random() < 0.5]
        value = {
            name: member.value for name, member in members.items() if name in required or self._random.random() < 0.5
        }
        schema: Json = {
            "type": "object",
            "properties": {name: member.schema for name, member in members.items()},
            "required": required,
        }
        match self._random.randrange(5):
            case 0:
                schema["additionalProperties"] = False
            case 1:
                others = self._any(depth + 1)
                schema["additionalProperties"] = others.schema
                value["another"] = others.value
            case 2 if value:  # else the two have nothing in common
                value["another"] = {"of": "any kind"}
            case 3:
                others = self._any(depth + 1)
                schema |= {"patternProperties": {"^p[0-9]": others.schema}, "additionalProperties": False}
                value["p1"] = others.value
            case _:
                schema["dependentRequired"] = {"nowhere": ["found"]}
        return Pair(schema, value)

    def _map(self, depth: int) -> Pair:
        member = self._any(depth + 1)
        return Pair(
            {"type": "object", "additionalProperties": member.schema}, {"x": member.value, "two words": member.value}
        )

    def _array(self, depth: int) -> Pair:
        item = self._any(depth + 1)
        return Pair({"type": "array", "items": item.schema}, [item.value] * self._random.randint(0, 2))

    def _tuple(self, depth: int) -> Pair:
        items = [self._any(depth + 1) for _ in range(self._random.randint(1, 3))]
        length = self._random.randint(0, len(items))
        schema: Json = {"type": "array", "prefixItems": [item.schema for item in items]}
        value = [item.value for item in items[:length]]
        match self._random.randrange(3):
            case 0:
                schema |= {"items": False, "minItems": length}
            case 1 if length == len(items):
                rest = self._any(depth + 1)
                schema["items"] = rest.schema
                value.append(rest.value)
            case _:
                pass
        return Pair(schema, value)

    def _choice(self, depth: int) -> Pair:
        members = [self._any(depth + 1) for _ in range(3)]
        return Pair({"anyOf": [member.schema for member in members]}, self._random.choice(members).value)

    def _chosen(self, depth: int) -> Pair:
        """One of several records that a tag tells apart."""
        members = [self._object(depth + 1) for _ in range(2)]
        schemas: list[Json] = [
            {
                **member.schema,
                "properties": {**member.schema["properties"], "tag": {"const": place}},
                "required": [*member.schema["required"], "tag"],
            }
            for place, member in enumerate(members)
        ]
        place = self._random.randrange(2)
        return Pair({"oneOf": schemas}, {**members[place].value, "tag": place})

    def _all(self, depth: int) -> Pair:
        first, second = self._any(depth + 1), self._any(depth + 1)
        members = {"first": first.schema, "second": second.schema}
        named: list[Json] = [{"properties": {name: schema}, "required": [name]} for name, schema in members.items()]
        value = {"first": first.value, "second": second.value}
        return self._random.choice(
            [
                Pair({"type": "object", "allOf": named}, value),
                Pair({"type": "object", "properties": members, "anyOf": [{"required": ["first"]}, named[1]]}, value),
                Pair({**named[0], "type": "object", "allOf": [{"type": "object"}, {"maxProperties": 9}]}, value),
            ]
        )

    def _tree(self, depth: int) -> Pair:
        name = f"{self._random.choice(['node', 'a/b', 'two words'])}{len(self._defs)}"
        self._defs[name] = True
        label = self._any(depth + 1)
        here = {"$ref": "#/$defs/" + name.replace("/", "~1").replace(" ", "%20")}
        self._defs[name] = {
            "type": "object",
            "properties": {
                "label": label.schema,
                "next": {"anyOf": [here, {"type": "null"}]},
                "below": {"type": "array", "items": here},
            },
            "required": ["label"],
        }
        leaf = {"label": label.value, "next": None}
        return Pair(here, {"label": label.value, "next": leaf, "below": [leaf]})

    def _untyped(self, depth: int) -> Pair:
        item = self._any(depth + 1)
        return self._random.choice(
            [
                Pair({"properties": {"a": item.schema}}, {"a": item.value}),
                Pair({"items": item.schema}, [item.value]),
                Pair({"minimum": 1}, 1),
                Pair({"type": ["object", "array", "string"], "properties": {"a": item.schema}}, "a"),
            ]
        )
