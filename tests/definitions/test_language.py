"""The JSON Schema of the language: what is accepted fits it, what is wrong does not."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bundles import BundleRole
from services.definitions import yaml12
from services.definitions.check import check
from services.definitions.document import Document, as_json
from services.definitions.language import document_schema, file_schema
from services.expressions import OPERATORS, ExpressionError, compile_condition, compile_template
from services.json import Json, JsonObject
from services.schema import problems_of_schema, problems_of_value
from tests.definitions.documents import CATALOG, documents

DOCUMENT = document_schema()
FILE = file_schema(BundleRole)
CONDITION: JsonObject = {**DOCUMENT, "$ref": "#/$defs/Condition"}
MAPPING: JsonObject = {**DOCUMENT, "$ref": "#/$defs/Mapping"}

words = st.sampled_from(["input.n", "<<input.n>>", "$.input.n", "input.n > 1", "text", "", "string", "1 +", "<<a b"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$path", "$expr", "$literal", "key", "other"]), inner, max_size=2)
    ),
    max_leaves=8,
)
comparisons = st.fixed_dictionaries(
    {"field": words | st.none(), "operator": st.sampled_from([*OPERATORS, "="])},
    optional={"value": values, "all": values},
)
conditions = st.recursive(
    st.booleans() | words | comparisons | st.none(),
    lambda inner: (
        st.builds(lambda key, inside: {key: inside}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3))
        | st.builds(lambda inside: {"not": inside}, inner)
    ),
    max_leaves=6,
)


def step(**fields: Json) -> JsonObject:
    return {"name": "flow", "steps": [{"name": "A", "kind": "transform", "inputMapping": {}, **fields}]}


def role_step(**fields: Json) -> JsonObject:
    return {"name": "flow", "steps": [{"name": "A", "roleName": "Reader", **fields}]}


def fits(schema: JsonObject, value: Json) -> bool:
    return problems_of_value(schema, value) == []


@pytest.mark.parametrize("schema", [DOCUMENT, FILE])
def test_it_is_a_schema(schema: JsonObject) -> None:
    assert problems_of_schema(schema) == []


@given(documents())
def test_a_document_that_has_no_problems_fits(document: Document) -> None:
    assert problems_of_value(DOCUMENT, as_json(document)) == []
    assert problems_of_value(FILE, as_json(document)) == []


@pytest.mark.parametrize("file", sorted(Path("examples").glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_fit(file: Path) -> None:
    assert problems_of_value(FILE, yaml12.read(file.read_text())) == []


@pytest.mark.parametrize(
    "document",
    [
        role_step(stepType="sequential"),
        role_step(stepType="parallel", parallelGroup="g"),
        role_step(stepType="conditional", condition=True),
        {"name": "flow", "steps": [{"name": "A", "roleId": "00000000-0000-0000-0000-000000000001"}]},
        role_step(tool=None, condition=None, outputSchema=None, parallelGroup=None, maxTurns=None),
        role_step(outputSchema=True, tools=["files.read"], maxTurns=3, prompt="Do."),
        step(inputMapping={"$path": "$.context"}, outputMapping={"$literal": "<<", "more": {"$expr": 3, "$path": 4}}),
    ],
)
def test_every_form_that_is_accepted_fits(document: JsonObject) -> None:
    assert check(document, CATALOG).problems == ()
    assert problems_of_value(DOCUMENT, document) == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"name": "flow", "steps": []},
        {"name": "9lives", "steps": step()["steps"]},
        {"rolecall": 2, **step()},
        {"descripton": "", **step()},
        {"tags": ["-"], **step()},
        {"input": 3, **step()},
        {"input": {"type": "objekt"}, **step()},
        {"output": "<<output>>", **step()},
        {"outputSchema": {"required": "a"}, **step()},
        {"name": "flow", "steps": [3]},
        {"name": "flow", "steps": [{"kind": "transform", "inputMapping": {}}]},
        {"name": "flow", "steps": [{"name": f"S{n}", "kind": "transform", "inputMapping": {}} for n in range(201)]},
        step(name="context"),
        step(name="-"),
        step(kind="loop"),
        step(kind=None),
        step(order=-1),
        step(parallelGroup=""),
        step(maxRetries=20),
        step(retryDelay=0.5),
        step(timeout=0),
        step(timeout="60s"),
        step(inputMapping=None),
        step(inputMapping="<<context>>"),
        step(inputMapping={"a": [{"$path": 3}]}),
        step(inputMapping={"a": {"$path": "context"}}),
        step(inputMapping={"a": {"$expr": ""}}),
        step(outputMapping=[]),
        step(outputSchema={"properties": {"a": {"type": "text"}}}),
        step(roleName="Reader"),
        step(tool="files.read"),
        step(maxTurns=3),
        step(stepType="looop"),
        step(stepType="parallel"),
        step(stepType="conditional", condition=None),
        step(roleNam="Reader"),
        role_step(roleName=None),
        role_step(maxTurns=0),
        role_step(tool="files.read"),
        role_step(kind="llm", tools=[]),
        {"name": "flow", "steps": [{"name": "A"}]},
        {"name": "flow", "steps": [{"name": "A", "kind": "tool"}]},
        step(condition={}),
        step(condition=3),
        step(condition=""),
        step(condition={"all": True}),
        step(condition={"all": [], "any": []}),
        step(condition={"not": {"field": "input.n"}}),
        step(condition={"field": "input.n", "operator": "~", "value": 1}),
        step(condition={"field": "input.n", "operator": ">"}),
        step(condition={"field": "input.n", "operator": "exists", "value": False}),
        step(condition={"field": "input.n", "operator": "in", "value": "a"}),
        step(condition={"field": "input.n", "operator": "starts_with", "value": 1}),
        step(condition={"field": "input.n", "operator": "is_type", "value": "text"}),
        step(condition={"field": "input.n", "operator": "==", "value": 1, "also": 2}),
    ],
)
def test_what_is_wrong_in_structure_is_refused_by_both(document: Json) -> None:
    assert check(document, CATALOG).problems != ()
    assert problems_of_value(DOCUMENT, document) != []


@given(conditions)
def test_a_condition_that_compiles_fits(condition: Json) -> None:
    try:
        compile_condition(condition)
    except ExpressionError:
        return

    assert problems_of_value(CONDITION, condition) == []


@given(st.dictionaries(st.sampled_from(["$path", "$expr", "$literal", "a", "b"]), values, max_size=3))
def test_a_mapping_that_compiles_fits(mapping: JsonObject) -> None:
    try:
        compile_template(mapping, jsonpath=True)
    except ExpressionError:
        return

    assert problems_of_value(MAPPING, mapping) == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"roles": [{"name": "A", "basePrompt": "B", "tools": ["meta"]}], "orchestrations": [step()]}, True),
        ({}, True),
        (step(), True),
        ({"roles": [{"name": "A"}]}, False),
        ({"roles": [{"name": "A", "basePrompt": "B", "parameters": {"temperature": 3}}]}, False),
        ({"orchestrations": [{"name": "flow", "steps": []}]}, False),
        ({"rolls": []}, False),
        ([], False),
    ],
)
def test_a_file_holds_a_document_or_roles_and_documents(file: Json, expected: bool) -> None:
    assert fits(FILE, file) is expected


def test_every_field_has_a_text_that_an_editor_can_show() -> None:
    structs: dict[str, Any] = {
        name: found for name, found in FILE["$defs"].items() if name not in ("Value", "Schema", "Mapping")
    }

    silent = [
        f"{name}.{field}"
        for name, found in structs.items()
        for field, about in found.get("properties", {}).items()
        if not about.get("description")
    ]

    assert silent == []
