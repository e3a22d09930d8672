"""Whether every value that fits one JSON Schema fits another: proven, or refused with the places that keep it from it.

It never says yes where some value fits the first and not the second. It says no also where it cannot tell: the second
is taken apart keyword by keyword, and each has to follow from what the first says, by a rule that stands here. What the
first says beyond these rules is left out, which only makes it allow more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from services.definitions.keywords import (
    ALONE,
    ANNOTATIONS,
    OF_TYPE,
    TOGETHER,
    Facts,
    Node,
    Schemas,
    follows,
    required,
    types,
    types_of,
    values,
)
from services.definitions.structure import pointer
from services.json import Json
from services.schema import problems_of_value

# About half a second at most: a fact of a value, looked at once.
_MAX_LOOKED_AT = 15_000
_MAX_NESTED = 60
_MAX_APART = 6
_SHOWN = 80

_Pair: TypeAlias = tuple[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in the second schema, a JSON Pointer, that refuses what the first allows, or may do so; and why."""

    place: str
    message: str


def gaps(narrow: Json, wide: Json) -> list[Gap]:
    """What keeps the values of `narrow` from fitting `wide`; empty when every one of them does.

    >>> gaps({"type": "integer"}, {"type": ["number", "null"]})
    []
    >>> gaps({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"maxLength": 9}}})[0].place
    '/properties/a/maxLength'
    """
    if msgspec.json.encode(narrow, order="sorted") == msgspec.json.encode(wide, order="sorted"):
        return []
    comparison = _Comparison(Schemas(narrow), Schemas(wide))
    try:
        return comparison.compare(comparison.narrow.facts(narrow), wide, "")
    except _TooMuch:
        return [Gap("", "the two are too large, or nested too deep, to be compared")]


class _TooMuch(Exception):
    """A comparison takes more than it may."""


@dataclass
class _Comparison:
    """A comparison of two schemas. `under_way` are the references that are being compared, and how deep in a value."""

    narrow: Schemas
    wide: Schemas
    left: int = _MAX_LOOKED_AT
    nested: int = 0
    depth: int = 0
    under_way: dict[_Pair, int] = field(default_factory=dict[_Pair, int])

    def compare(self, facts: Facts | None, wide: Json, place: str) -> list[Gap]:
        """What keeps values of which the facts hold from fitting `wide`, which stands at `place`."""
        if facts is None or wide is True:
            return []
        if not isinstance(wide, dict):
            return [Gap(place, "something may stand here, and nothing fits")] if types(facts) else []
        self._spend(1 + len(facts))
        self.nested += 1
        if self.nested > _MAX_NESTED:
            raise _TooMuch
        try:
            if self.wide.is_closed(wide) and self._is_known(facts, wide):
                return []
            return self._of_node(facts, wide, place)
        finally:
            self.nested -= 1

    def inside(self, facts: Facts | None, wide: Json, place: str) -> list[Gap]:
        """As `compare`, of a part of the value."""
        self.depth += 1
        try:
            return self.compare(facts, wide, place)
        finally:
            self.depth -= 1

    def _spend(self, facts: int) -> None:
        self.left -= facts
        if self.left < 0:
            raise _TooMuch

    def _property(self, facts: Facts, name: str) -> Facts | None:
        self._spend(len(facts))
        return self.narrow.property(facts, name)

    def _is_known(self, facts: Facts, wide: Node) -> bool:
        return any(self.narrow.text(fact) == self.wide.text(wide) for fact in facts)

    def _of_node(self, facts: Facts, wide: Node, place: str) -> list[Gap]:
        known = values(facts)
        if known is not None and self.wide.is_closed(wide):
            return self._of_values(known, facts, wide, place)
        found = [gap for keyword in wide for gap in self._of_keyword(facts, wide, keyword, place + pointer(keyword))]
        if not found or (cases := self.narrow.cases(facts)) is None:
            return found
        return next((found for case in cases if (found := self.compare(case, wide, place))), [])

    def _of_values(self, known: Sequence[Json], facts: Facts, wide: Node, place: str) -> list[Gap]:
        self._spend(len(known))
        closed = [fact for fact in facts if self.narrow.is_closed(fact)]
        for value in known:
            if problems_of_value(wide, value) and not any(problems_of_value(fact, value) for fact in closed):
                return [Gap(place, f"{_shown(value)} may stand here, and does not fit")]
        return []

    def _of_keyword(self, facts: Facts, wide: Node, keyword: str, at: str) -> list[Gap]:
        value = wide[keyword]
        match keyword:
            case "$id":
                # What it refers to would be looked for in another place.
                return [] if wide is self.wide.root else [Gap(at, "a schema within a schema cannot be compared")]
            case _ if keyword in ANNOTATIONS or keyword.startswith("x-"):
                return []
            case _ if keyword in OF_TYPE and OF_TYPE[keyword].isdisjoint(types(facts)):
                return []
            case "$ref" | "allOf" | "anyOf" | "oneOf" | "not" | "if":
                return self._of_applicator(facts, wide, keyword, at)
            case "properties" | "patternProperties" | "additionalProperties" | "dependentSchemas":
                return self._of_properties(facts, wide, keyword, at)
            case "items" | "prefixItems":
                return self._of_items(facts, wide, keyword, at)
            case "type":
                more = types(facts) - types_of(value)
                return [Gap(at, f"{_said(more)} may stand here, and does not fit")] if more else []
            case "required":
                missing = [name for name in value if name not in required(facts)]
                return [Gap(at, f"`{name}` may be missing") for name in missing]
            case _:
                return [] if follows(facts, keyword, value) else self._unless_known(facts, wide, keyword, at)

    def _unless_known(self, facts: Facts, wide: Node, keyword: str, at: str) -> list[Gap]:
        """Nothing when one of the facts says the same, word by word."""
        names = (keyword, *TOGETHER.get(keyword, ()))
        is_closed = keyword in ALONE and all(self.wide.is_closed(wide.get(name)) for name in names)
        if is_closed and any(all(self._is_same(fact, wide, name) for name in names) for fact in facts):
            return []
        return [Gap(at, f"it is not sure that `{keyword}` holds")]

    def _is_same(self, fact: Node, wide: Node, keyword: str) -> bool:
        if keyword not in fact or keyword not in wide:
            return (keyword in fact) == (keyword in wide)
        return self.narrow.text(fact[keyword]) == self.wide.text(wide[keyword])

    def _of_applicator(self, facts: Facts, wide: Node, keyword: str, at: str) -> list[Gap]:
        value = wide[keyword]
        match keyword:
            case "$ref":
                return self._of_reference(facts, value, at)
            case "allOf":
                return [gap for i, part in enumerate(value) for gap in self.compare(facts, part, f"{at}/{i}")]
            case "anyOf":
                if any(not self.compare(facts, option, at) for option in value):
                    return []
                return [Gap(at, "it is not sure that one of these holds")]
            case "oneOf":
                if any(self._is_the_only_one(facts, value, i) for i in range(len(value))):
                    return []
                return [Gap(at, "it is not sure that exactly one of these holds")]
            case "not":
                is_apart = self._are_apart(facts, self.wide.facts(value))
                return [] if is_apart else self._unless_known(facts, wide, keyword, at)
            case _:
                branches = (wide.get("then", True), wide.get("else", True))
                if all(not self.compare(facts, branch, at) for branch in branches):
                    return []
                return self._unless_known(facts, wide, keyword, at)

    def _of_reference(self, facts: Facts, reference: str, at: str) -> list[Gap]:
        target = self.wide.target(reference)
        if target is None:
            return [Gap(at, f"it cannot be told what {_shown(reference)} allows")]
        pair = (tuple(map(id, facts)), reference)
        if pair in self.under_way:
            # Deeper in the value than where it began, a comparison may rely on itself: values end somewhere.
            return [] if self.under_way[pair] < self.depth else [Gap(at, "it refers to itself")]
        self.under_way[pair] = self.depth
        try:
            return [Gap(at, gap.message) for gap in self.compare(facts, target[0], at)[:1]]
        finally:
            del self.under_way[pair]

    def _is_the_only_one(self, facts: Facts, options: Sequence[Json], index: int) -> bool:
        if self.compare(facts, options[index], ""):
            return False
        others = (option for i, option in enumerate(options) if i != index)
        return all(self._are_apart(facts, self.wide.facts(option)) for option in others)

    def _are_apart(self, facts: Facts | None, other: Facts | None, deep: int = 0) -> bool:
        """Whether no value fits both, as far as their types, values and required properties tell."""
        if facts is None or other is None or types(facts).isdisjoint(types(other)):
            return True
        known, others = values(facts), values(other)
        if known is not None and others is not None:
            return {_encoded(_plain(it)) for it in known}.isdisjoint(_encoded(_plain(it)) for it in others)
        if types(facts) != {"object"} or deep == _MAX_APART:
            return False
        return any(
            self._are_apart(self._property(facts, name), self.wide.property(other, name), deep + 1)
            for name in required(facts)
        )

    def _of_properties(self, facts: Facts, wide: Node, keyword: str, at: str) -> list[Gap]:
        value = wide[keyword]
        if keyword == "additionalProperties":
            return self._of_others(
                facts, value, at, frozenset(wide.get("properties", ())), frozenset(wide.get("patternProperties", ()))
            )
        found: list[Gap] = []
        for name, part in value.items():
            match keyword:
                case "properties":
                    found += self.inside(self._property(facts, name), part, at + pointer(name))
                case "dependentSchemas":
                    found += self.compare(facts, part, at + pointer(name))
                case _:
                    found += self._of_pattern(facts, name, part, at + pointer(name))
        return found

    def _of_pattern(self, facts: Facts, pattern: str, wide: Json, at: str) -> list[Gap]:
        for fact in facts:
            if pattern in (patterns := fact.get("patternProperties", {})) and not self.inside(
                self.narrow.facts(patterns[pattern]), wide, at
            ):
                return []
        return self._of_others(facts, wide, at, frozenset(), frozenset())

    def _of_others(
        self, facts: Facts, wide: Json, at: str, named: frozenset[str], patterns: frozenset[str]
    ) -> list[Gap]:
        """The gaps of the properties that are none of the named; of those that no pattern names."""
        for name in self.narrow.named(facts):
            if name not in named and (found := self.inside(self._property(facts, name), wide, at)):
                return [Gap(at, f"`{name}`: {found[0].message}")]
        return self.inside(self.narrow.other_property(facts, patterns), wide, at)

    def _of_items(self, facts: Facts, wide: Node, keyword: str, at: str) -> list[Gap]:
        first: Sequence[Json] = wide.get("prefixItems", ())
        if keyword == "prefixItems":
            parts = enumerate(first)
            return [gap for i, it in parts for gap in self.inside(self.narrow.item(facts, i), it, f"{at}/{i}")]
        told = max((len(fact.get("prefixItems", ())) for fact in facts), default=0)
        for index in range(len(first), max(told, len(first)) + 1):
            if found := self.inside(self.narrow.item(facts, index), wide["items"], at):
                return found
        return []


def _plain(value: Json) -> Json:
    """The value with its whole numbers as integers: to JSON Schema, 1.0 is 1."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _shown(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _said(more: frozenset[str]) -> str:
    names = {"a fraction" if name == "fraction" else f"`{name}`" for name in more}
    return ", ".join(sorted(names))
