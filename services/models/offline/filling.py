"""A JSON value for a JSON Schema, filled from what was read; what comes out is always valid."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from services.failure import failed
from services.json import Json
from services.models.offline import sentences
from services.models.offline.naming import Meaning, meaning_of, words_in
from services.models.offline.numbers import nearest, range_of
from services.models.offline.reading import Reading
from services.models.offline.schemas import Unfillable, kinds_of, resolved
from services.models.offline.wording import Wording
from services.schema import problems_of_schema, problems_of_value

APPROVED_FROM = 0.6

_MAX_VALUES = 20_000
_MAX_ITEMS = 5_000
_MAX_DEPTH = 32
_OPTIONAL_DEPTH = 6
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,6})?(?![\w%])")
_YEAR = re.compile(r"\b[12]\d{3}\b")
_SCALE = re.compile(r"\b(\d{1,3})\s*(?:-|–|to|and|\.\.)\s*(\d{1,4})\b")
_APPROVING = frozenset(
    {"approve", "approved", "accept", "accepted", "pass", "passed", "yes", "ok", "publish", "ready", "good", "done"}
)
_OBJECTING = frozenset(
    {"revise", "revision", "reject", "rejected", "fail", "failed", "no", "needs", "rework", "decline", "bad"}
)
_LIST_LENGTH: dict[Meaning, int] = {"terms": 8, "points": 5}
_PROSE: frozenset[Meaning] = frozenset({"title", "feedback", "text", "summary", "terms", "points"})
_JUDGEMENT: frozenset[Meaning] = frozenset({"score", "approval", "objection", "count"})


def fill(schema: dict[str, Any], reading: Reading) -> Json:
    """A value of `schema` that says what `reading` offers for each field.

    Raises:
        Failed: OUTPUT_INVALID, not to be retried, when no extract can satisfy the schema.
    """
    try:
        value = None if (wrong := problems_of_schema(schema)) else _Filler(schema, reading).value(schema, _Place(""))
    except Unfillable as error:
        raise failed(
            "OUTPUT_INVALID", f"offline/extractive cannot fill the schema: {error}", retryable=False
        ) from error
    if problems := wrong or problems_of_value(schema, value):
        raise failed("OUTPUT_INVALID", f"offline/extractive cannot fill the schema at {problems[0]}", retryable=False)
    return value


class _Place(msgspec.Struct, frozen=True):
    """Where a value stands: its field's name, its position in the nearest list (None: in no list), how deep.

    With `distinct` the list wants different values.
    """

    name: str
    position: int | None = None
    depth: int = 0
    distinct: bool = False

    def under(self, name: str) -> "_Place":
        return msgspec.structs.replace(self, name=name, depth=self.depth + 1)

    def item(self, position: int, *, distinct: bool) -> "_Place":
        return msgspec.structs.replace(
            self, position=position, depth=self.depth + 1, distinct=distinct or self.distinct
        )


class _Filler:
    """Fills one schema. Everything read is prepared once and shared by all fields."""

    def __init__(self, root: dict[str, Any], reading: Reading) -> None:
        self._root = root
        self._reading = reading
        self._left = _MAX_VALUES
        self._wording = Wording(reading)

    def value(self, schema: Any, place: _Place) -> Json:
        self._left -= 1
        if self._left < 0 or place.depth > _MAX_DEPTH:
            raise Unfillable("it is too large or too deep", place.name)
        schema = resolved(schema, self._root, place.name)
        echo = self._echo(schema, place)
        if echo is not None:
            return echo
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._member(schema, place)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._variant(schema, key, place)
        return self._first([(kind, schema) for kind in kinds_of(schema)], schema, place)

    def _echo(self, schema: dict[str, Any], place: _Place) -> Json:
        """The input's own value of that name, unless the field asks for something written or judged."""
        own = self._reading.input.get(place.name)
        if own is None or place.position is not None:
            return None
        if meaning_of(place.name) in _PROSE | _JUDGEMENT:
            return None
        return own if self._fits(schema, own) else None

    def _variant(self, schema: dict[str, Any], key: str, place: _Place) -> Json:
        base = {name: rule for name, rule in schema.items() if name != key}
        variants = [resolved({"allOf": [base, variant]}, self._root, place.name) for variant in schema[key]]
        return self._first([("", variant) for variant in sorted(variants, key=_is_null)], schema, place)

    def _first(self, attempts: list[tuple[str, dict[str, Any]]], whole: dict[str, Any], place: _Place) -> Json:
        """The first attempt's value that fits; a single attempt is checked with the whole answer."""
        last = Unfillable("nothing fits", place.name)
        for kind, schema in attempts:
            try:
                value = self._of_kind(kind, schema, place) if kind else self.value(schema, place)
            except Unfillable as error:
                last = error
                continue
            if len(attempts) == 1 or self._fits(whole, value):
                return value
        raise last

    def _of_kind(self, kind: str, schema: dict[str, Any], place: _Place) -> Json:
        match kind:
            case "object":
                return self._object(schema, place)
            case "array":
                return self._array(schema, place)
            case "string":
                return self._string(schema, place)
            case "integer" | "number":
                return self._number(schema, place, whole=kind == "integer")
            case "boolean":
                return self._truth(schema, place)
            case _:
                return None

    def _object(self, schema: dict[str, Any], place: _Place) -> Json:
        members, required = schema.get("properties", {}), schema.get("required", [])
        others, most = schema.get("additionalProperties", True), schema.get("maxProperties")
        filled: dict[str, Json] = {}
        for name in [*members, *(name for name in required if name not in members)]:
            if name in required:
                filled[name] = self.value(members.get(name, others), place.under(name))
            elif place.depth < _OPTIONAL_DEPTH and (most is None or len({*filled, *required}) < most):
                try:
                    filled[name] = self.value(members[name], place.under(name))
                except Unfillable:
                    continue
        for number in range(1, int(schema.get("minProperties", 0)) + 1):
            if len(filled) < schema["minProperties"]:
                filled[f"field{number}"] = self.value(others, place.under(f"field{number}"))
        return {name: filled[name] for name in [*members, *filled] if name in filled}

    def _array(self, schema: dict[str, Any], place: _Place) -> Json:
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        if least > _MAX_ITEMS:
            raise Unfillable(f"it wants {least} items", place.name)
        heads, rule = schema.get("prefixItems", []), schema.get("items", True)
        wanted = max(least, self._usual_length(schema, rule, place))
        wanted = wanted if most is None else min(wanted, int(most))
        distinct = bool(schema.get("uniqueItems"))
        found, seen = list[Json](), set[bytes]()
        for position in range(wanted + (60 if distinct else 0)):
            if len(found) >= wanted:
                break
            item_rule = heads[len(found)] if len(found) < len(heads) else rule
            try:
                item = self.value(item_rule, place.item(position, distinct=distinct))
            except Unfillable:
                if len(found) >= least:
                    break
                raise
            key = msgspec.json.encode(item, order="sorted")
            if not distinct or key not in seen:
                seen.add(key)
                found.append(item)
        return found

    def _usual_length(self, schema: dict[str, Any], rule: Any, place: _Place) -> int:
        """How many items a list gets when the schema leaves it open: no more than there is to say."""
        heads = len(schema.get("prefixItems", []))
        if rule is False:
            return heads
        kind = next(iter(kinds_of(resolved(rule, self._root, place.name))), "null")
        meaning = meaning_of(place.name, str(schema.get("description", "")))
        if kind == "string":
            there_are = len(self._wording.choices(meaning))
            return max(heads, min(_LIST_LENGTH.get(meaning, 5), there_are))
        return max(heads, min(3, len(self._wording.keys)) if kind == "object" else 1)

    def _member(self, schema: dict[str, Any], place: _Place) -> Json:
        rest = {name: rule for name, rule in schema.items() if name != "enum"}
        members = [member for member in schema["enum"] if self._fits(rest, member)]
        if not members:
            raise Unfillable("no member of its enum fits", place.name)
        if place.distinct and place.position is not None:
            return members[place.position % len(members)]
        return max(members, key=self._liking) if len(members) > 1 else members[0]

    def _liking(self, member: Json) -> int:
        """How well a member of an enum suits: by the score for verdicts, by its words' presence otherwise."""
        if not isinstance(member, str):
            return 0
        words = words_in(member)
        is_approving = not _APPROVING.isdisjoint(words)
        if is_approving or not _OBJECTING.isdisjoint(words):
            return 1_000 if is_approving == (self._wording.score >= APPROVED_FROM) else -1
        return self._wording.weight(words)

    def _string(self, schema: dict[str, Any], place: _Place) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        if least > sentences.MAX_CHARACTERS:
            raise Unfillable(f"it wants {least} characters", place.name)
        for text in self._texts(schema, place):
            sized = self._wording.sized(text, least, None if most is None else int(most))
            if sized is not None and ("pattern" not in schema or self._fits(schema, sized)):
                return sized
        raise Unfillable("nothing that was read matches its pattern or length", place.name)

    def _texts(self, schema: dict[str, Any], place: _Place) -> Iterator[str]:
        """What the field could say, best first."""
        description = str(schema.get("description", ""))
        meaning = meaning_of(place.name, description)
        if place.position is None:
            yield self._wording.single(meaning, f"{place.name} {description}")
        else:
            yield self._wording.nth(meaning, place.position, distinct=place.distinct)
        if "pattern" in schema:
            yield from self._wording.everything()

    def _number(self, schema: dict[str, Any], place: _Place, *, whole: bool) -> int | float:
        allowed = range_of(schema, whole=whole)
        for target in self._targets(schema, place, whole=whole):
            number = nearest(target, allowed)
            if number is not None:
                return number
        raise Unfillable("no number is within its bounds", place.name)

    def _targets(self, schema: dict[str, Any], place: _Place, *, whole: bool) -> Iterator[float]:
        if place.distinct and place.position is not None:
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            yield low + (place.position if whole else place.position / 128)
        meaning = meaning_of(place.name, str(schema.get("description", "")))
        if meaning == "score":
            yield self._scaled(schema, whole=whole)
        elif meaning == "count":
            yield self._wording.word_count
        elif meaning == "year" and (year := _YEAR.search(self._wording.text)):
            yield int(year[0])
        allowed = range_of(schema, whole=whole)
        told = (float(found) for found in _NUMBER.findall(self._wording.text[:20_000]))
        yield from (number for number in list(told)[place.position or 0 :][:1] if allowed.holds(number))
        yield from (0.0, 1.0, schema.get("minimum", 0.0), schema.get("maximum", 0.0))

    def _scaled(self, schema: dict[str, Any], *, whole: bool) -> float:
        """The score on the field's scale: its bounds, else the one its description names, else 0–1 (whole: 0–100)."""
        named = _SCALE.search(str(schema.get("description", "")))
        low, high = (float(named[1]), float(named[2])) if named else (0.0, 100.0 if whole else 1.0)
        low = schema.get("minimum", schema.get("exclusiveMinimum", low))
        high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, high)))
        return round(low + self._wording.score * (high - low), 2)

    def _truth(self, schema: dict[str, Any], place: _Place) -> bool:
        if place.distinct and place.position is not None:
            return place.position % 2 == 0
        meaning = meaning_of(place.name, str(schema.get("description", "")))
        if meaning in ("approval", "objection"):
            return (self._wording.score >= APPROVED_FROM) == (meaning == "approval")
        return self._wording.mentions(words_in(place.name))

    def _fits(self, schema: dict[str, Any], value: Json) -> bool:
        shared = {key: self._root[key] for key in ("$defs", "definitions") if key in self._root}
        return not problems_of_value({**shared, **schema}, value)


def _is_null(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "null" or schema.get("const", 0) is None
