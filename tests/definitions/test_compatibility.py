"""What breaks those who rely on a version, and what does not: as a table, and as a law about random schemas."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.definitions.compatibility import breaking_changes, input_gaps
from services.definitions.inclusion import gaps
from services.schema import problems_of_schema, problems_of_value, with_defaults

TOPIC = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
CLOSED = {**TOPIC, "additionalProperties": False}
CATS = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}
DOGS = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}}
MANY = {f"p{number}": {"type": "string"} for number in range(8_000)}
BIRDS = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "bird"}}}


def tree(value: Any) -> Any:
    kids = {"type": "array", "items": {"$ref": "#/$defs/tree"}}
    return {"$defs": {"tree": {"type": "object", "properties": {"value": value, "kids": kids}}}, "$ref": "#/$defs/tree"}


def topics(**more: Any) -> Any:
    return {**CLOSED, "properties": {**TOPIC["properties"], **more}}


# Inputs: each second takes all that the first takes.
COMPATIBLE = {
    "anything was taken and is": (True, {}),
    "nothing was taken": (False, {"type": "null"}),
    "an optional property more": (CLOSED, topics(n={"type": "integer"})),
    "a property with a default more": (
        CLOSED,
        {**topics(n={"type": "integer", "default": 3}), "required": ["topic", "n"]},
    ),
    "no longer required": (TOPIC, {**TOPIC, "required": []}),
    "another default": (topics(n={"default": 3}), topics(n={"default": 4})),
    "what has a default comes to be required": (
        topics(n={"default": 3}),
        {**topics(n={"default": 3}), "required": ["topic", "n"]},
    ),
    "an integer is a number": ({"type": "integer"}, {"type": "number"}),
    "null besides": ({"type": "string"}, {"type": ["string", "null"]}),
    "types as options": ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    "a value more": ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
    "wider bounds": (
        {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 4},
        {"minimum": 0, "exclusiveMaximum": 10, "multipleOf": 2},
    ),
    "wider lengths": ({"type": "string", "minLength": 2, "maxLength": 3}, {"minLength": 1, "maxLength": 3}),
    "a closed object opened": (CLOSED, TOPIC),
    "other texts": ({**TOPIC, "title": "A"}, {**TOPIC, "description": "B", "examples": [1], "x-order": 1}),
    "a format, which nobody holds to": ({"type": "string"}, {"type": "string", "format": "email"}),
    "an option more": ({"oneOf": [CATS, DOGS]}, {"oneOf": [DOGS, BIRDS, CATS]}),
    "deeper in a tree": (tree({"type": "integer"}), tree({"type": "number"})),
    "a definition by another name": (
        {"$defs": {"a": {"type": "string"}}, "items": {"$ref": "#/$defs/a"}},
        {"$defs": {"b": {"type": "string"}}, "items": {"$ref": "#/$defs/b"}},
    ),
    "the same pattern": ({"pattern": "^a"}, {"pattern": "^a", "title": "A"}),
    "items of a list of told length": (
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
        {"prefixItems": [{"type": "number"}, {"type": "string"}]},
    ),
    "maps with wider values": (
        {"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
        {"patternProperties": {"^x": {"type": "number"}}, "additionalProperties": False},
    ),
    "what cannot be both": ({"type": "string"}, {"not": {"type": "integer"}}),
    "either way": ({"type": "integer"}, {"if": {"minimum": 3}, "then": {"type": "number"}}),
}
# Each second refuses something that the first takes, at that place.
BREAKING = {
    "required": (TOPIC, {**TOPIC, "required": ["topic", "n"]}, "/required"),
    "a type fewer": ({"type": ["string", "null"]}, {"type": "string"}, ""),
    "a fraction": ({"type": "number"}, {"type": "integer"}, "/type"),
    "a value fewer": ({"enum": ["a", "b"]}, {"enum": ["a"]}, ""),
    "a bound": ({"type": "integer"}, {"type": "integer", "minimum": 1}, "/minimum"),
    "a narrower bound": ({"exclusiveMinimum": 1}, {"exclusiveMinimum": 1.5}, "/exclusiveMinimum"),
    "a pattern": ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}, "/pattern"),
    "closed": (TOPIC, CLOSED, "/additionalProperties"),
    "a property fewer": (topics(n={}), CLOSED, "/additionalProperties"),
    "a default fewer": (
        {**topics(n={"default": 3}), "required": ["topic", "n"]},
        {**topics(n={}), "required": ["topic", "n"]},
        "/required",
    ),
    "a default that does not fit": (CLOSED, topics(n={"type": "integer", "default": "x"}), "/properties/n/default"),
    "deep inside": (tree({"type": "number"}), tree({"type": "integer"}), "/$ref"),
    "an option fewer": ({"oneOf": [CATS, DOGS]}, {"oneOf": [CATS]}, "/oneOf"),
    "options that overlap": ({"type": "integer"}, {"oneOf": [{"type": "integer"}, {"minimum": 3}]}, "/oneOf"),
    "nothing": ({"type": "string"}, False, ""),
}  # fmt: skip
# It cannot be told, so it counts as breaking.
UNTOLD = {
    "another pattern that takes as much": ({"pattern": "^a$"}, {"pattern": "^(a)$"}),
    "what nobody has looked at": ({"type": "object"}, {"type": "object", "unevaluatedProperties": {"type": "null"}}),
    "a reference out of the schema": ({}, {"$ref": "https://json-schema.org/draft/2020-12/schema"}),
    "a reference to an anchor": ({}, {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"}),
    "a reference to itself": ({}, {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    "a schema of its own inside": ({}, {"properties": {"a": {"$id": "https://x.example/a", "$ref": "#"}}}),
    "the whole again, without its defaults": (
        {"properties": {"a": {}}}, {"properties": {"a": {"$ref": "#"}, "b": {"default": 1}}, "required": ["b"]},
    ),
    "too much": ({"properties": MANY}, {"properties": MANY, "title": "the same"}),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPATIBLE)
def test_what_takes_all_that_was_taken_is_compatible(case: str) -> None:
    assert input_gaps(*COMPATIBLE[case]) == []


@pytest.mark.parametrize("case", BREAKING)
def test_what_refuses_something_is_breaking_where_it_does(case: str) -> None:
    before, after, place = BREAKING[case]

    assert [gap.place for gap in input_gaps(before, after)][:1] == [place]


@pytest.mark.parametrize("case", UNTOLD)
def test_what_cannot_be_told_counts_as_breaking(case: str) -> None:
    before, after = UNTOLD[case]

    assert input_gaps(before, after) != []


def test_a_schema_is_compatible_with_itself_whatever_it_says() -> None:
    for before, after, *_ in (*COMPATIBLE.values(), *BREAKING.values(), *UNTOLD.values()):
        assert (input_gaps(before, before), input_gaps(after, after)) == ([], [])


def test_an_input_may_take_more_and_an_output_may_promise_more() -> None:
    document = {"input": CLOSED, "outputSchema": TOPIC}

    assert breaking_changes(document, {"input": TOPIC, "outputSchema": CLOSED}) == []
    assert breaking_changes({}, {"outputSchema": TOPIC}) == []
    assert breaking_changes(document, document) == []


def test_every_place_that_breaks_somebody_is_told() -> None:
    before = {"input": TOPIC, "outputSchema": {**TOPIC, "required": ["topic"]}}
    after = {
        "input": {**TOPIC, "properties": {"topic": {"type": "string", "maxLength": 9}}},
        "outputSchema": {"type": "object", "properties": {"topic": {"type": "integer"}}},
    }

    found = breaking_changes(before, after)

    assert {problem.code for problem in found} == {"BREAKING_CHANGE"}
    assert [(problem.path, problem.message) for problem in found] == [
        (
            "/input/properties/topic/maxLength",
            "it is not sure that `maxLength` holds; an input that was taken would be refused",
        ),
        ("/outputSchema", "`topic` may be missing; less would be promised of the output"),
        (
            "/outputSchema/properties/topic/type",
            "`integer` may stand here, and does not fit; less would be promised of the output",
        ),
    ]


def test_an_output_that_promises_nothing_any_more_is_breaking() -> None:
    assert [problem.path for problem in breaking_changes({"outputSchema": TOPIC}, {})] != []


NAMES = st.sampled_from(["a", "b", "cc"])
LEAVES = st.sampled_from([None, True, False, 0, 1, 2, 3, -1, 1.0, 0.5, 2.5, "", "a", "b", "ab", "abc", [], {}])
VALUES = st.recursive(
    LEAVES, lambda it: st.lists(it, max_size=3) | st.dictionaries(NAMES, it, max_size=3), max_leaves=5
)
TYPE_NAMES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
NUMBERS = st.sampled_from([0, 1, 2, 3, 0.5, 2.0, -1])
COUNTS = st.integers(0, 3)


def keywords(parts: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    lists, maps = st.lists(parts, min_size=1, max_size=2), st.dictionaries(NAMES, parts, max_size=2)
    return {
        "type": TYPE_NAMES | st.lists(TYPE_NAMES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS),
        "multipleOf": st.sampled_from([1, 2, 3, 0.5]),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), COUNTS),
        "pattern": st.sampled_from(["^a", "b$"]),
        "uniqueItems": st.booleans(),
        "items": parts,
        "prefixItems": lists,
        "contains": parts,
        "minContains": COUNTS,
        "properties": maps,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), parts, max_size=2),
        "additionalProperties": parts,
        "propertyNames": st.sampled_from([{"maxLength": 1}, {"enum": ["a", "b"]}, True]),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=1),
        "dependentSchemas": st.dictionaries(NAMES, parts, max_size=1),
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), lists),
        **dict.fromkeys(("not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems"), parts),
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
        "default": VALUES,
        "format": st.just("email"),
    }


def nodes(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    told = keywords(parts)
    some = st.lists(st.sampled_from(sorted(told)), max_size=3, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries({name: told[name] for name in names}))


PARTS = st.recursive(st.booleans() | nodes(st.booleans()), nodes, max_leaves=4)
DEFINED = nodes(PARTS | st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, st.sampled_from(["one", "two"])))


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """A schema with two definitions, which may refer to themselves deeper in a value."""
    root = draw(nodes(PARTS))
    inner = {"type": "object", "properties": {"a": {"$ref": "#/$defs/one"}, "b": draw(PARTS)}}
    return {**root, "$defs": {"one": draw(st.just(inner) | PARTS), "two": draw(PARTS)}}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """A schema and one that was made of it by a few edits, or another."""
    before = draw(schemas())
    after = _copied(before)
    for _ in range(draw(st.integers(0, 3))):
        _edit(draw, after)
    return (before, after) if draw(st.booleans()) else (after, before)


def _edit(draw: st.DrawFn, schema: Any) -> None:
    """Change, add or take away a keyword, at the top or in something below it."""
    node = schema
    while draw(st.booleans()):
        below = [it for it in _below(node) if isinstance(it, dict)]
        if not below:
            break
        node = draw(st.sampled_from(below))
    told = keywords(PARTS)
    name = draw(st.sampled_from(sorted({*told, *(set(node) & set(told))})))
    if name in node and draw(st.booleans()):
        del node[name]
    else:
        node[name] = _copied(draw(told[name]))


def _copied(schema: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(schema))


def _below(node: Any) -> Sequence[Any]:
    found: list[Any] = []
    for name, value in node.items():
        if name in ("properties", "patternProperties", "$defs", "dependentSchemas"):
            found += value.values()
        elif name in ("allOf", "anyOf", "oneOf", "prefixItems"):
            found += value
        elif name not in ("const", "enum", "default", "dependentRequired"):
            found.append(value)
    return found


def takes(schema: Any, value: Any) -> bool:
    return not problems_of_value(schema, with_defaults(schema, value))


@settings(max_examples=400)
@given(pair=pairs(), values=st.lists(VALUES, min_size=20, max_size=40))
def test_what_fits_the_narrower_fits_the_wider(pair: tuple[Any, Any], values: list[Any]) -> None:
    before, after = pair
    if problems_of_schema(before) or problems_of_schema(after):
        return
    told = {"$defs", "properties", "enum", "const"}

    if gaps(before, after) == []:
        assert [it for it in values if not problems_of_value(before, it) and problems_of_value(after, it)] == [], told
    if input_gaps(before, after) == []:
        assert [it for it in values if takes(before, it) and not takes(after, it)] == []
