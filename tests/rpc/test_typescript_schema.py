"""JSON Schemas as TypeScript types: each value that fits a schema compiles as its type; what does not, does not."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api.rpc.describe.typescript_schema import declarations
from api.rpc.describe.typescript_types import Use
from services.schema import problems_of_schema, problems_of_value
from tests.node import TSC, TSC_5_9, compile_typescript
from tests.rpc.schemas import Pairs

JSON = "export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };\n"
PAIRS = 120
UNTYPED: dict[str, Any] = {"properties": {"n": {"type": "integer"}}}


def module(name: str, schema: Any, use: Use, *statements: str) -> str:
    """The types of a schema, and what is said with them."""
    taken = {name}

    def unique(wanted: str) -> str:
        while wanted in taken:
            wanted += "_"
        taken.add(wanted)
        return wanted

    return "\n".join([JSON, *declarations(name, schema, use, unique), *statements, ""])


def literal(value: Any) -> str:
    """A value as an expression. It is spread, since TypeScript questions in a literal what no type names."""
    if isinstance(value, dict):
        members = ", ".join(f"{json.dumps(name)}: {literal(member)}" for name, member in value.items())
        return f"{{ ...{{ {members} }} }}"
    return f"[{', '.join(map(literal, value))}]" if isinstance(value, list) else json.dumps(value)


@pytest.mark.parametrize("compiler", [TSC, TSC_5_9], ids=["7.0", "5.9"])
@pytest.mark.parametrize("seed", range(3))
def test_a_value_that_fits_a_schema_compiles_as_its_type(tmp_path: Path, seed: int, compiler: Path) -> None:
    pairs = Pairs(seed)
    for number in range(PAIRS):
        schema, value = pairs.next()
        assert (problems_of_schema(schema), problems_of_value(schema, value)) == ([], []), (schema, value)
        statements = f"export const value: Whole = {literal(value)};"
        for use in ("input", "output"):
            (tmp_path / f"pair{number}_{use}.ts").write_text(module("Whole", schema, use, statements), "utf-8")

    findings = compile_typescript(tmp_path, compiler=compiler)

    assert findings == []


# What a schema says, a value that its type takes, and one that it refuses.
JUDGED: Mapping[str, tuple[Any, str, str]] = {
    "a missing property": ({"type": "object", "required": ["a"]}, "{ a: 1 }", "{}"),
    "an excess property": ({"type": "object", "properties": {"a": {}}}, "{ a: 1 }", "{ a: 1, b: 1 }"),
    "a property of a map": ({"type": "object", "additionalProperties": {"type": "number"}}, "{ a: 1 }", '{ a: "1" }'),
    "none at all": ({"type": "object", "additionalProperties": False}, "{}", "{ a: 1 }"),
    "another literal": ({"enum": ["a", 1, None]}, "null", '"b"'),
    "another constant": ({"const": {"a": [1]}}, "{ a: [1] }", "{ a: [2] }"),
    "another type": ({"type": ["string", "null"]}, "null", "1"),
    "an item of another type": ({"type": "array", "items": {"type": "boolean"}}, "[true]", "[1]"),
    "too short a tuple": ({"prefixItems": [{"type": "string"}], "minItems": 1, "items": False}, '["a"]', "[]"),
    "too long a tuple": ({"prefixItems": [{"type": "string"}], "items": False}, "[]", '["a", "b"]'),
    "something else behind a tuple": (
        {"prefixItems": [{"type": "string"}], "items": {"type": "number"}},
        '["a", 1, 2]',
        '["a", "b"]',
    ),
    "none of the choices": ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "1", "true"),
    "a field of another choice": (
        {
            "oneOf": [
                {"type": "object", "properties": {"k": {"const": "a"}, "x": {}}, "required": ["k"]},
                {"type": "object", "properties": {"k": {"const": "b"}, "y": {}}, "required": ["k"]},
            ]
        },
        '{ k: "a", x: 1 }',
        '{ k: "a", y: 1 }',
    ),
    "less than all": (
        {"type": "object", "allOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "{ a: 1, b: 1 }",
        "{ a: 1 }",
    ),
    "neither of two": (
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        '{ a: "x" }',
        "{}",
    ),
    "something wrong deep in a tree": (
        {
            "$ref": "#/$defs/tree",
            "$defs": {"tree": {"type": "object", "properties": {"kids": {"items": {"$ref": "#/$defs/tree"}}}}},
        },
        "{ kids: [{ kids: [{}] }] }",
        "{ kids: [{ kids: [1] }] }",
    ),
    "nothing fits": ({"type": "object", "properties": {"a": False}}, "{}", "{ a: 1 }"),
    "what is no JSON": ({}, "{ a: [null] }", "() => 1"),
    "no object where the keywords are about one": (UNTYPED, "{ n: 1 }", "[]"),
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the compiler objects to: the file and the code of each."""
    folder = tmp_path_factory.mktemp("judged")
    for number, (schema, right, wrong) in enumerate(JUDGED.values()):
        statements = [f"export const right: Whole = {right};", f"export const wrong: Whole = {wrong};"]
        for name, statement in zip(("right", "wrong"), statements, strict=True):
            (folder / f"{name}{number}.ts").write_text(module("Whole", schema, "input", statement))
    return [finding.partition("(")[0] for finding in compile_typescript(folder)]


@pytest.mark.parametrize("name", JUDGED)
def test_a_type_takes_what_fits_and_refuses_what_does_not(findings: list[str], name: str) -> None:
    number = list(JUDGED).index(name)

    assert (findings.count(f"right{number}.ts"), findings.count(f"wrong{number}.ts") > 0) == (0, True)


def written(schema: Any, use: Use = "input") -> str:
    return "\n".join(declarations("T", schema, use, lambda name: name))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/a"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#anchor"},
        {"$dynamicRef": "#node"},
        {"$defs": {"a": {"$id": "https://a.example/", "type": "string"}}, "$ref": "#/$defs/a"},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]},
    ],
)
def test_what_cannot_be_said_is_json_with_a_reason(schema: Any) -> None:
    assert re.fullmatch(r"export type T = Json /\* .+ \*/( \| .+)?;\n", written(schema))


def test_references_that_go_round_are_broken_where_they_close(tmp_path: Path) -> None:
    defs = {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}
    (tmp_path / "round.ts").write_text(module("T", {"$defs": defs, "$ref": "#/$defs/a"}, "output"))

    assert compile_typescript(tmp_path) == []


def test_a_schema_that_is_nested_without_end_ends(tmp_path: Path) -> None:
    schema: Any = {"type": "string"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"in": schema}, "required": ["in"]}
    (tmp_path / "deep.ts").write_text(module("T", schema, "output"))

    assert (compile_typescript(tmp_path), written(schema).count("in:")) == ([], 33)


def test_a_type_does_not_double_with_each_level() -> None:
    schema: Any = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"in": schema}, "additionalProperties": {"type": "number"}}

    assert written(schema).count("in?:") == 20


def test_a_default_at_the_top_may_be_left_out_of_an_input_only() -> None:
    inner = {"type": "object", "properties": {"n": {"default": 1}}, "required": ["n"]}
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "default": 1}, "in": inner},
        "required": ["n", "in"],
    }

    assert "n?: number | undefined;" in written(schema)
    assert "n: Json;" in written(schema)
    assert "n: number;" in written(schema, "output")


def test_descriptions_are_comments_on_one_line() -> None:
    schema = {"type": "object", "description": "All */ of\nit.", "properties": {"a": {"title": "An  a."}}}

    assert written(schema) == "/** All *∕ of it. */\nexport type T = {\n  /** An a. */\n  a?: Json | undefined;\n};\n"


def test_in_an_output_a_schema_without_a_type_says_nothing_of_other_types() -> None:
    assert written(UNTYPED, "output") == (
        "export type T = string | number | boolean | Json[] | {\n  n?: number | undefined;\n} | null;\n"
    )
