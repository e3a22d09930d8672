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
from tests.definitions.slips import branch, caught, listed, loop, steps

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
        role_step(roleName=None, roleId="00000000-0000-0000-0000-000000000001", stepType=None),
        step(maxRetries=0, retry={"backoff": "fixed"}, tools=None, steps=[], cases=[], timeout=None),
        {"name": "flow", "steps": [{"name": "L", "stepType": "loop", "maxIterations": 2, "steps": step()["steps"]}]},
        steps(loop({"name": "A"}, until="loop.index > 1", collect=[1, "<<output>>"], onLimit="fail")),
        steps(loop({"name": "A"}, onError={"default": None}, compensate=listed({"name": "B"}))),
        steps(branch({"when": {"all": ["input.a"]}}, {"when": True}, **{"else": []})),
        steps(branch({"weight": 1}, {"weight": 2}, splitBy="<<input.n>>")),
        steps({"name": "A", **caught({"errors": ["TIMEOUT"], "as": "it"}, {})}),
        steps({"name": "M", "kind": "map", "items": [], "steps": listed({"name": "A"}), "as": "hit"}),
        steps({"name": "M", "kind": "map", "items": {"$path": "$.input.a"}, "steps": listed({"name": "A"})}),
        steps({"name": "W", "kind": "wait", "forMs": 0}, {"name": "V", "kind": "wait", "forMs": "<<input.n>>"}),
        steps({"name": "W", "kind": "wait", "until": "2030-01-31T12:00:00Z"}),
        steps({"name": "F", "kind": "fail"}, {"name": "S", "kind": "stop", "output": "<<input.n>>"}),
        steps({"name": "A", "outputMapping": {"$literal": {"a": 1}}}),
        steps(
            {"name": "A", "parallelGroup": "g"},
            groups={"g": {"join": "n_of", "n": 1, "merge": {"A": "append"}}},
            limits={"maxCostUsd": "2.50", "maxStepRuns": 9},
            defaults={"retry": {"errors": ["*"], "jitter": "full"}},
            onFailure=listed({"name": "B"}),
            **{"finally": listed({"name": "C"})},
        ),
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
        steps(loop()),
        steps(loop({"name": "A"}, maxIterations=None)),
        steps(loop({"name": "A"}, maxIterations=1_001)),
        steps(loop({"name": "A", "maxTurns": 1})),
        steps(loop({"name": "A"}, until="")),
        steps(loop({"name": "A"}, until=3)),
        steps(branch()),
        steps(branch({})),
        steps(branch({"when": "input.a", "steps": []})),
        steps(branch({"when": {"field": "input.a"}})),
        steps(branch({"when": "input.a"}, **{"else": {"name": "B"}})),
        steps({"name": "M", "kind": "map", "steps": listed({"name": "A"})}),
        steps({"name": "M", "kind": "map", "items": [], "maxItems": 0, "steps": listed({"name": "A"})}),
        steps({"name": "W", "kind": "wait"}),
        steps({"name": "W", "kind": "wait", "until": 3}),
        steps({"name": "W", "kind": "wait", "forMs": -1}),
        steps({"name": "F", "kind": "fail", "code": "too late"}),
        steps({"name": "A", **caught()}),
        steps({"name": "A", **caught({"steps": []})}),
        steps({"name": "A", **caught({}, default=1)}),
        steps({"name": "A", "onError": {}}),
        steps({"name": "A", "onError": "stop"}),
        steps({"name": "A", "compensate": [{"kind": "transform", "inputMapping": {}}]}),
        steps({"name": "A", "outputMapping": {"$expr": "output"}}),
        steps({"name": "A", "outputMapping": {"$literal": 3}}),
        steps({"name": "A"}, limits={"maxCostUsd": 2.5}),
        steps({"name": "A"}, defaults={"maxRetrys": 2}),
        steps({"name": "A", "parallelGroup": "g"}, groups={"g": {"join": "some"}}),
        steps({"name": "A"}, **{"finally": [3]}),
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
