"""Everything that is wrong with a document is said at once, each problem at its place."""

from collections.abc import Mapping
from uuid import UUID

import pytest

from services.definitions.catalog import Catalog
from services.definitions.check import check
from services.definitions.document import MAX_FAN_OUT, MAX_STEPS
from services.json import Json, JsonObject

READER = UUID("019a0000-0000-7000-8000-000000000001")
CATALOG = Catalog(roles={"Reader": READER, "Writer": UUID(int=2)}, tools=frozenset({"files.read"}))


def codes(document: Json) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in check(document, CATALOG).problems]


def steps(*given: Mapping[str, Json], **document: Json) -> JsonObject:
    return {"name": "flow", "steps": [{"kind": "transform", "inputMapping": {}, **step} for step in given], **document}


def test_a_document_in_the_classic_form_is_accepted_as_it_is() -> None:
    classic: JsonObject = {
        "name": "Deep Research",
        "steps": [
            {"name": "Search A", "roleName": "Reader", "parallelGroup": "search", "stepType": "parallel", "order": 0},
            {"name": "Search B", "roleId": str(READER), "parallelGroup": "search", "stepType": "parallel", "order": 0},
            {
                "name": "Synthesize",
                "roleName": "Writer",
                "order": 3,
                "stepType": "sequential",
                "inputMapping": {"a": "{{context.Search A}}", "b": "{{context.Search B.text}}"},
                "maxRetries": 2,
                "retryDelay": 500,
                "timeout": 60_000,
            },
        ],
    }

    checked = check(classic, CATALOG)

    assert checked.problems == ()
    assert checked.document is not None
    assert [step.role_name for step in checked.document.steps] == ["Reader", "Reader", "Writer"]


def test_all_structural_problems_come_at_once() -> None:
    document: JsonObject = {
        "name": "9lives",
        "stepz": [],
        "steps": [{"name": "A", "kind": "lm", "roleNam": "Reader"}, 3, {"name": "B", "maxRetries": 99}],
    }

    assert sorted(codes(document)) == [
        ("UNKNOWN_FIELD", "/steps/0/roleNam"),
        ("UNKNOWN_FIELD", "/stepz"),
        ("WRONG_VALUE", "/name"),
        ("WRONG_VALUE", "/steps/0/kind"),
        ("WRONG_VALUE", "/steps/1"),
        ("WRONG_VALUE", "/steps/2/maxRetries"),
    ]


def test_a_slip_of_the_pen_is_recognised() -> None:
    (problem,) = check({**steps({"name": "A"}), "descripton": ""}, CATALOG).problems

    assert problem.suggestion == "description"
    assert "outputSchema" in problem.allowed


@pytest.mark.parametrize(
    "document", [None, [], "text", 3, {}, {"name": "a"}, {"name": "a", "steps": []}, {"steps": {}}]
)
def test_what_is_no_document_is_a_problem_and_not_an_exception(document: Json) -> None:
    checked = check(document, CATALOG)

    assert checked.document is None
    assert checked.problems


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (steps({"name": "A"}, {"name": "A"}), [("DUPLICATE_NAME", "/steps/1/name")]),
        (steps({"name": "context"}), [("RESERVED_NAME", "/steps/0/name")]),
        (steps({"name": "A", "order": 1}, {"name": "B", "order": 1}), [("ORDER_CONFLICT", "/steps/1/order")]),
        (
            steps({"name": "A", "parallelGroup": "g"}, {"name": "B"}, {"name": "C", "parallelGroup": "g"}),
            [("GROUP_NOT_CONTIGUOUS", "/steps/2/parallelGroup")],
        ),
        (
            steps(
                {"name": "A", "parallelGroup": "g", "outputMapping": {"k": 1}},
                {"name": "B", "parallelGroup": "g", "outputMapping": {"k": 2}},
            ),
            [("CONTEXT_CONFLICT", "/steps/1/outputMapping")],
        ),
        (steps({"name": "A", "kind": "agent", "roleName": "Raeder"}), [("UNKNOWN_ROLE", "/steps/0/roleName")]),
        (steps({"name": "A", "kind": "agent"}), [("REQUIRED", "/steps/0")]),
        (steps({"name": "A", "kind": "agent", "roleId": str(UUID(int=9))}), [("UNKNOWN_ROLE", "/steps/0/roleId")]),
        (
            steps({"name": "A", "kind": "agent", "roleName": "Writer", "roleId": str(READER)}),
            [("ROLE_CONFLICT", "/steps/0/roleName")],
        ),
        (steps({"name": "A", "kind": "tool", "tool": "files.reed"}), [("UNKNOWN_TOOL", "/steps/0/tool")]),
        (steps({"name": "A", "kind": "tool", "tool": "system.create_role"}), [("UNKNOWN_TOOL", "/steps/0/tool")]),
        (steps({"name": "A", "tool": "files.read"}), [("FIELD_OF_OTHER_KIND", "/steps/0/tool")]),
        (steps({"name": "A", "stepType": "parallel"}), [("REQUIRED", "/steps/0")]),
        (steps({"name": "A", "stepType": "looop"}), [("WRONG_VALUE", "/steps/0/stepType")]),
        (steps({"name": "A"}, input={"type": "objekt"}), [("SCHEMA_INVALID", "/input/type")]),
        (steps({"name": "A", "outputSchema": {"pattern": "("}}), [("SCHEMA_INVALID", "/steps/0/outputSchema/pattern")]),
        (steps(*({"name": f"S{i}"} for i in range(MAX_STEPS + 1))), [("TOO_MANY_STEPS", "/steps")]),
        (
            steps(*({"name": f"S{i}", "parallelGroup": "g"} for i in range(MAX_FAN_OUT + 1))),
            [("FAN_OUT_TOO_LARGE", "/steps")],
        ),
    ],
)
def test_each_broken_rule_is_named_at_its_place(document: Json, expected: list[tuple[str, str]]) -> None:
    assert codes(document) == expected


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"inputMapping": {"x": "<<context.nope>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": ["a", {"y": "<<Later.text>>"}]}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<steps.Later.status>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<item.a>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<input.nope>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<context.input.nope>>"}}, "/steps/1/inputMapping"),
        ({"condition": {"field": "context.nope", "operator": "exists"}}, "/steps/1/condition"),
        ({"condition": "nope.score > 1"}, "/steps/1/condition"),
        ({"outputMapping": {"x": "<<context.Later>>"}}, "/steps/1/outputMapping"),
    ],
)
def test_a_name_that_nothing_gives_is_refused(step: JsonObject, path: str) -> None:
    schema: JsonObject = {"type": "object", "properties": {"topic": {}}, "additionalProperties": False}
    document = steps({"name": "First"}, {"name": "Second", **step}, {"name": "Later"}, input=schema)

    assert codes(document) == [("UNKNOWN_REFERENCE", path)]


def test_what_may_be_missing_is_not_refused() -> None:
    mapping: Json = {"a": "<<context.nope?>>", "b": "<<context.nope | default('x')>>"}

    assert codes(steps({"name": "A", "inputMapping": mapping})) == []


def test_a_key_that_a_later_step_writes_is_explained() -> None:
    document = steps({"name": "A", "inputMapping": {"x": "<<context.B>>"}}, {"name": "B"})

    (problem,) = check(document, CATALOG).problems

    assert problem.message == "context.B: 'B' is written by 'B', which has not finished by then"


def test_members_of_a_group_do_not_see_each_other() -> None:
    document = steps(
        {"name": "A", "parallelGroup": "g"}, {"name": "B", "parallelGroup": "g", "inputMapping": {"x": "<<context.A>>"}}
    )

    assert codes(document) == [("UNKNOWN_REFERENCE", "/steps/1/inputMapping")]


def test_what_does_not_parse_is_named_inside_its_mapping() -> None:
    document = steps(
        {
            "name": "A",
            "inputMapping": {"deep": ["ok", {"$expr": "1 +"}]},
            "condition": {"field": "input.a", "operator": "~", "value": 1},
        }
    )

    assert [(code, path) for code, path in codes(document) if code != "UNKNOWN_REFERENCE"] == [
        ("OPERATOR_UNKNOWN", "/steps/0/condition/operator"),
        ("EXPRESSION_INVALID", "/steps/0/inputMapping/deep/1/$expr"),
    ]


def test_problems_of_the_second_of_two_namesakes_stand_at_the_second() -> None:
    document = steps({"name": "A"}, {"name": "A", "inputMapping": {"x": "<<context.nope>>"}})

    assert codes(document) == [("DUPLICATE_NAME", "/steps/1/name"), ("UNKNOWN_REFERENCE", "/steps/1/inputMapping")]
