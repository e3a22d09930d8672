"""JSON Schemas as annotations of Python, as far as a type checker can hold a program to them and refuse no right one.

What is built of parts, such as a list of objects, is checked when the tool is called: a checker takes a list of one
type for a list of another only if the two are the same, so it would refuse programs that are right.
"""

from collections.abc import Iterable
from urllib.parse import unquote

from services.definitions.patch import value_at
from services.json import Json, JsonObject

ANY = "Any"

_MAX_CHOICES = 50
_MAX_CHOICE_CHARACTERS = 100
_MAX_DEPTH = 64
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_OBJECT = "dict[str, Any]"
# A list of integers is no list of numbers to a checker, so items of other types are left open.
_ITEMS = frozenset({"str", "int", "bool", _OBJECT})


class Annotations:
    """The annotations of what stands in one schema.

    >>> annotations = Annotations({"$defs": {"Level": {"enum": ["low", "high"]}}})
    >>> annotations.of({"$ref": "#/$defs/Level"})
    "Literal['low', 'high']"
    >>> annotations.of({"type": "array", "items": {"$ref": "#/$defs/Level"}})
    'list[str]'
    >>> annotations.of({"type": ["string", "null"]})
    'str | None'
    """

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._targets: dict[tuple[str, bool], str] = {}

    def of(self, part: Json, depth: int = 0, *, is_item: bool = False) -> str:
        """The type of what fits `part`; `Any` where no type says it.

        Items of a list are texts, and no choice of them: a list of texts is none of choices to a checker.
        """
        if not isinstance(part, dict) or depth > _MAX_DEPTH:
            return ANY
        if isinstance(reference := part.get("$ref"), str):
            return self._target(reference, depth, is_item=is_item)
        if "const" in part:
            return _choice([part["const"]], is_item=is_item)
        if isinstance(choices := part.get("enum"), list):
            return _choice(choices, is_item=is_item)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(members := part.get(keyword), list):
                return _union(self.of(member, depth + 1, is_item=is_item) for member in members)
        names = part.get("type")
        if isinstance(names, list):
            return _union(self._of_type(name, part, depth) for name in names)
        return self._of_type(names, part, depth)

    def _of_type(self, name: Json, part: JsonObject, depth: int) -> str:
        if name == "object":
            return _OBJECT
        if name == "array":
            item = self.of(part.get("items"), depth + 1, is_item=True)
            return f"list[{item if item in _ITEMS else ANY}]"
        return _SIMPLE.get(name, ANY) if isinstance(name, str) else ANY

    def _target(self, reference: str, depth: int, *, is_item: bool) -> str:
        key = (reference, is_item)
        if key not in self._targets:
            self._targets[key] = ANY  # until it is known: what comes back to itself is left open
            self._targets[key] = self.of(self._found(reference), depth + 1, is_item=is_item)
        return self._targets[key]

    def _found(self, reference: str) -> Json:
        """What a reference within the schema points to; null for any other."""
        if not reference.startswith("#"):
            return None
        try:
            return value_at(self._schema, unquote(reference[1:]))
        except ValueError:
            return None


def _choice(values: list[Json], *, is_item: bool) -> str:
    if is_item:
        return "str" if values and all(isinstance(value, str) for value in values) else ANY
    if 0 < len(values) <= _MAX_CHOICES and all(_is_literal(value) for value in values):
        return f"Literal[{', '.join(map(repr, values))}]"
    return ANY


def _is_literal(value: Json) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_CHOICE_CHARACTERS
    return value is None or (isinstance(value, int) and abs(value) < 2**63)


def _union(members: Iterable[str]) -> str:
    """The members without repetitions; whatever is joined to `Any` is open."""
    distinct = dict.fromkeys(members)
    return ANY if not distinct or ANY in distinct else " | ".join(distinct)
