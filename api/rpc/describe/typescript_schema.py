"""JSON Schema (2020-12) as TypeScript: the types of what is known by a schema alone.

Every value that fits the schema has the type. The other way round a type says less: bounds, patterns, formats, `not`,
`if` and what depends on other properties are left to whoever checks the value.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

import msgspec

from api.rpc.describe.typescript_types import Use, comment, key
from api.rpc.json import is_array, is_object

Shape: TypeAlias = Literal["string", "number", "boolean", "array", "object", "null"]
Unique: TypeAlias = Callable[[str], str]

_ALL: tuple[Shape, ...] = ("string", "number", "boolean", "array", "object", "null")
_ANY: Mapping[Shape, str] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "array": "Json[]",
    "object": "{ [key: string]: Json }",
    "null": "null",
}
_OF_PYTHON: Mapping[type, Shape] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_IMPLYING: Mapping[str, Shape] = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "patternProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"), "array"),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
# Every object has these, so that TypeScript takes one that does not say them for one that has them as functions.
_INHERITED = frozenset(
    {
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    }
)
_MAX_INTEGER = 2**53 - 1
# The compiler follows types deeper than that, but not much.
_MAX_DEPTH = 32
_MAX_VALUES = 1_000


class _Text(NamedTuple):
    """A type, and what it has to stand in brackets for: nothing, `[]`, or also `&`."""

    text: str
    binds: Literal["atom", "intersection", "union"] = "atom"

    def within(self, *tolerated: str) -> str:
        return self.text if self.binds in ("atom", *tolerated) else f"({self.text})"


_JSON = _Text("Json")
_NEVER = _Text("never")


def declarations(name: str, schema: Any, use: Use, unique: Unique) -> list[str]:
    """The alias `name` of what fits a schema, and one for each part of it that is referred to.

    In an input, a property at the top that has a default may be left out, and a schema without `type` means what its
    keywords are about: `properties` an object. `unique` gives the names of the others: one that is free.

    >>> print(*declarations("Input", {"properties": {"n": {"type": "integer"}}}, "input", str))
    export type Input = {
      n?: number | undefined;
    };
    <BLANKLINE>
    """
    return _Writer(name, schema, use, unique).declarations()


class _Writer:
    def __init__(self, name: str, schema: Any, use: Use, unique: Unique) -> None:
        self._root = schema
        self._use: Use = use
        self._unique = unique
        self._names = {"": name}
        self._waiting = [""]
        self._current = ""
        self._has_resources = _has_resources(schema)

    def declarations(self) -> list[str]:
        written: list[str] = []
        while self._waiting:
            self._current = self._waiting.pop()
            schema = self._at(self._current)
            text = self._type(schema, frozenset(_ALL), 0, is_direct=True).text
            lines = [*comment(_said_of(schema), ""), f"export type {self._names[self._current]} = {text};", ""]
            written.append("\n".join(lines))
        return written

    def _type(self, schema: Any, shapes: frozenset[Shape], depth: int, *, is_direct: bool) -> _Text:
        """What fits a schema, and is of one of these shapes; direct is what no object or array is around."""
        if schema is False:
            return _NEVER
        if not is_object(schema):
            return _any(shapes)
        if depth > _MAX_DEPTH:
            return _unsaid("it is nested too deeply")
        shapes = self._shapes(schema, shapes)
        everything = _any(shapes)
        parts = [self._own(schema, shapes, depth), *self._referred(schema, is_direct=is_direct)]
        parts += [self._type(each, shapes, depth + 1, is_direct=is_direct) for each in _members(schema, "allOf")]
        for keyword in ("anyOf", "oneOf"):
            if choices := _members(schema, keyword):
                parts.append(_union(self._type(each, shapes, depth + 1, is_direct=is_direct) for each in choices))
        return _intersection([part for part in parts if part not in (everything, _JSON)]) or everything

    def _inner(self, schema: Any, depth: int) -> _Text:
        return self._type(schema, frozenset(_ALL), depth + 1, is_direct=False)

    def _shapes(self, schema: Mapping[str, Any], shapes: frozenset[Shape]) -> frozenset[Shape]:
        declared = schema.get("type")
        if declared is not None:
            listed = declared if is_array(declared) else [declared]
            named = {"number" if type_ == "integer" else type_ for type_ in listed}
            return frozenset(shape for shape in shapes if shape in named)
        implied = {shape for keyword, shape in _IMPLYING.items() if keyword in schema}
        if self._use == "input" and len(implied) == 1 and implied <= shapes:
            return frozenset(shape for shape in shapes if shape in implied)
        return shapes

    def _own(self, schema: Mapping[str, Any], shapes: frozenset[Shape], depth: int) -> _Text:
        """What the schema's own keywords say, without those that lead to other schemas."""
        if "const" in schema:
            return _union(_literal(value) for value in [schema["const"]] if _shape_of(value) in shapes)
        values = schema.get("enum")
        if is_array(values) and len(values) <= _MAX_VALUES:
            return _union(_literal(value) for value in values if _shape_of(value) in shapes)
        if shapes == frozenset(_ALL) and not any(_IMPLYING.get(keyword) in ("array", "object") for keyword in schema):
            return _JSON
        return _union(self._of_shape(shape, schema, depth) for shape in _ALL if shape in shapes)

    def _of_shape(self, shape: Shape, schema: Mapping[str, Any], depth: int) -> _Text:
        match shape:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case _:
                return _Text(_ANY[shape])

    def _object(self, schema: Mapping[str, Any], depth: int) -> _Text:
        properties = _named(schema, "properties")
        required = _members(schema, "required")
        types = {
            name: self._inner(properties.get(name, True), depth) for name in dict.fromkeys([*properties, *required])
        }
        optional = {name for name in types if name not in required or self._has_default(name, schema)}
        lines: list[str] = []
        for name, type_ in types.items():
            lines += comment(_said_of(properties.get(name)), "")
            if name in optional:
                text = "unknown" if name in _INHERITED else f"{type_.text} | undefined"
                lines.append(f"{key(name)}?: {text};")
            else:
                lines.append(f"{key(name)}: {type_.text};")
        others = self._others(schema, depth)
        if others is None and not lines:
            others = _JSON
        if others is not None:
            index = (
                "unknown" if optional & _INHERITED else _index([others, *types.values()], has_optional=bool(optional))
            )
            lines.append(f"[key: string]: {index};")
        if not types:
            return _Text(f"{{ {lines[0].removesuffix(';')} }}")
        return _Text("\n".join(["{", *("  " + line.replace("\n", "\n  ") for line in lines), "}"]))

    def _others(self, schema: Mapping[str, Any], depth: int) -> _Text | None:
        """What the properties that the schema does not name may hold; None where it says nothing of them.

        TypeScript takes an object for one of a type though it has more. It questions that in a literal, and where the
        two have nothing in common.
        """
        patterns = _named(schema, "patternProperties")
        additional = schema.get("additionalProperties")
        if additional is False and not patterns:
            return None if schema.get("properties") or schema.get("required") else _NEVER
        if additional is None and not patterns:
            return None
        schemas = [*patterns.values(), True if additional is None else additional]
        return _union(self._inner(each, depth) for each in schemas)

    def _has_default(self, name: str, schema: Mapping[str, Any]) -> bool:
        member = _named(schema, "properties").get(name)
        return self._use == "input" and schema is self._root and is_object(member) and "default" in member

    def _array(self, schema: Mapping[str, Any], depth: int) -> _Text:
        item = self._inner(schema.get("items", True), depth)
        first = _members(schema, "prefixItems")
        if not first:
            return _Text(f"{item.within()}[]")
        at_least = schema.get("minItems", 0)
        items = [self._inner(each, depth) for each in first]
        texts = [type_.text if place < at_least else f"{type_.within()}?" for place, type_ in enumerate(items)]
        if schema.get("items") is not False:
            texts.append(f"...{item.within()}[]")
        return _Text(f"[{', '.join(texts)}]")

    def _referred(self, schema: Mapping[str, Any], *, is_direct: bool) -> Iterator[_Text]:
        if "$dynamicRef" in schema:
            yield _unsaid("$dynamicRef")
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return
        place = self._place(reference)
        if place is None:
            yield _unsaid(f"$ref {reference}")
        elif is_direct and self._current in self._reached(place):
            yield _unsaid(f"$ref {reference} comes back to itself")
        else:
            yield _Text(self._name(place))

    def _name(self, place: str) -> str:
        if place not in self._names:
            words = re.findall(r"[A-Za-z0-9]+", place.rpartition("/")[2])
            self._names[place] = self._unique(self._names[""] + "".join(word[0].upper() + word[1:] for word in words))
            self._waiting.append(place)
        return self._names[place]

    def _place(self, reference: str) -> str | None:
        """The JSON Pointer that a reference is to a part of this schema; None for any other."""
        if not reference.startswith("#") or self._has_resources:
            return None
        place = unquote(reference[1:])
        return place if isinstance(self._at(place), dict | bool) else None

    def _at(self, place: str) -> Any:
        found = self._root
        if place and not place.startswith("/"):
            return None
        for part in place.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if is_object(found):
                found = found.get(name)
            else:
                found = found[int(name)] if is_array(found) and name.isdecimal() and int(name) < len(found) else None
        return found

    def _reached(self, place: str) -> set[str]:
        """The places that a type leads to without an object or array in between, where a type cannot contain itself."""
        reached: set[str] = set()
        waiting = [place]
        while waiting:
            here = waiting.pop()
            if here not in reached:
                reached.add(here)
                found = (self._place(reference) for reference in _direct_references(self._at(here)))
                waiting += [there for there in found if there is not None]
        return reached


def _direct_references(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if is_object(here):
            if isinstance(here.get("$ref"), str):
                yield here["$ref"]
            waiting += [member for keyword in ("allOf", "anyOf", "oneOf") for member in _members(here, keyword)]


def _has_resources(schema: Any) -> bool:
    """Whether a part of the schema is known by an id of its own, from which references in it start."""
    waiting: list[Any] = list(schema.values()) if is_object(schema) else []
    while waiting:
        here = waiting.pop()
        if is_object(here) and isinstance(here.get("$id"), str):
            return True
        waiting += here.values() if is_object(here) else here if is_array(here) else ()
    return False


def _members(schema: Mapping[str, Any], keyword: str) -> Sequence[Any]:
    members = schema.get(keyword)
    return members if is_array(members) else ()


def _named(schema: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    named = schema.get(keyword)
    return named if is_object(named) else {}


def _any(shapes: frozenset[Shape]) -> _Text:
    return _JSON if shapes == frozenset(_ALL) else _union(_Text(_ANY[shape]) for shape in _ALL if shape in shapes)


def _union(types: Iterable[_Text]) -> _Text:
    distinct = [type_ for type_ in dict.fromkeys(types) if type_ != _NEVER]
    if _JSON in distinct:
        return _JSON
    if len(distinct) < 2:
        return distinct[0] if distinct else _NEVER
    return _Text(" | ".join(type_.within("intersection", "union") for type_ in distinct), "union")


def _intersection(types: Sequence[_Text]) -> _Text | None:
    distinct = list(dict.fromkeys(types))
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    return _Text(" & ".join(type_.within("intersection") for type_ in distinct), "intersection")


def _index(types: Sequence[_Text], *, has_optional: bool) -> str:
    """What may stand under any key, also under the named ones."""
    if len(types) > 1 and any("{" in type_.text for type_ in types):
        return "unknown"  # written out again at each level, a type would double with each
    parts = dict.fromkeys(type_.text for type_ in types)
    return " | ".join([*parts, "undefined"] if has_optional else parts)


def _unsaid(why: str) -> _Text:
    return _Text(f"Json /* {_one_line(why)} */")


def _literal(value: Any, depth: int = 0) -> _Text:
    if depth > _MAX_DEPTH:
        return _JSON
    if is_array(value):
        return _Text(f"[{', '.join(_literal(item, depth + 1).text for item in value)}]")
    if is_object(value):
        members = "; ".join(f"{key(name)}: {_literal(member, depth + 1).text}" for name, member in value.items())
        return _Text(f"{{ {members} }}" if members else "{ [key: string]: never }")
    if isinstance(value, int | float) and not abs(value) <= _MAX_INTEGER:
        return _Text("number")
    return _Text(msgspec.json.encode(value).decode())


def _shape_of(value: Any) -> Shape:
    if is_object(value):
        return "object"
    return "array" if is_array(value) else _OF_PYTHON[type(value)]


def _said_of(schema: Any) -> str:
    said = schema.get("description", schema.get("title")) if is_object(schema) else None
    return _one_line(said) if isinstance(said, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.replace("*/", "*∕").split())
