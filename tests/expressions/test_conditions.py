"""Conditions: the operators, how values compare, and what is refused at save."""

import json
from pathlib import Path
from typing import Any

from pytest import mark, param, raises

from services.expressions import OPERATORS, EvaluationError, ExpressionError, compile_condition

VECTORS = json.loads((Path(__file__).parent / "vectors" / "conditions.json").read_text())


@mark.parametrize("case", [param(case, id=json.dumps(case["condition"])) for case in VECTORS["cases"]])
def test_a_condition_decides_as_the_definition_says(case: dict[str, Any]) -> None:
    if case.get("error"):
        with raises((ExpressionError, EvaluationError)):
            compile_condition(case["condition"]).test(VECTORS["data"])
        return

    holds = compile_condition(case["condition"]).test(VECTORS["data"])

    assert holds is case["expect"]


@mark.parametrize(
    ("value", "operator", "other", "expected"),
    [
        ("2026-01-01T00:00:00Z", "before", "2026-01-01T00:00:00.000000001Z", True),
        ("2026-01-01T00:00:00.50Z", "before", "2026-01-01T00:00:00.5Z", False),
        ("2026-01-01T01:00:00+02:00", "before", "2026-01-01T00:00:00Z", True),
        ("2024-02-29T00:00:00Z", "after", "2024-02-28T23:59:59Z", True),
        ("2023-02-29T00:00:00Z", "after", "2020-01-01T00:00:00Z", False),
        ("2026-01-01T00:00:00", "after", "2020-01-01T00:00:00Z", False),
        (None, "after", "2020-01-01T00:00:00Z", False),
        ([1, [True]], "==", [1.0, [True]], True),
        ([1, [True]], "==", [1.0, [1]], False),
        ({"a": [1]}, "!=", {"a": [1], "b": None}, True),
        ([[1], {"a": 2}], "contains", {"a": 2.0}, True),
        ([1, 0], "contains", True, False),
        (1, "in", [True, 1.0], True),
        ("a", "not_in", ["b"], True),
        ({}, "is_empty", None, True),
        (0, "is_empty", None, False),
        ([], "not_empty", None, False),
        (True, "is_type", "integer", False),
        ("\U0001f600", ">", "\uffff", True),
    ],
)
def test_values_compare_as_json(value: Any, operator: str, other: Any, expected: bool) -> None:
    condition = compile_condition({"field": "output", "operator": operator, "value": other})

    assert condition.test({"output": value}) is expected


@mark.parametrize(
    ("condition", "code", "suggestion"),
    [
        ({"field": "output.a", "operator": "=", "value": 1}, "OPERATOR_UNKNOWN", "=="),
        ({"field": "output.a", "operator": "startswith", "value": "a"}, "OPERATOR_UNKNOWN", "starts_with"),
        ({"field": "output.a", "operator": "matches", "value": "(a+)+$"}, "OPERATOR_UNKNOWN", None),
        ({"field": "<<output.a>>", "operator": "exists"}, "PATH_INVALID", "output.a"),
        ({"field": "$.output.a", "operator": "exists"}, "PATH_INVALID", "output.a"),
        ({"field": "output[a]", "operator": "exists"}, "PATH_INVALID", "['a']"),
        ({"feld": "output.a", "operator": "exists"}, "CONDITION_INVALID", "field"),
        ({"field": "output.a", "operator": "=="}, "CONDITION_INVALID", None),
        ({"field": "output.a", "operator": "exists", "value": False}, "CONDITION_INVALID", "not_exists"),
        ({"field": "output.a", "operator": "in", "value": "abc"}, "CONDITION_INVALID", None),
        ({"field": "output.a", "operator": "is_type", "value": "text"}, "CONDITION_INVALID", None),
        ({"field": "output.a", "operator": "before", "value": "2026-01-01"}, "CONDITION_INVALID", None),
        ({"field": "output.a", "operator": "==", "value": "<<output..b>>"}, "PATH_INVALID", "\\<<"),
        ({"all": {"field": "output.a"}}, "CONDITION_INVALID", None),
        ({"all": [], "any": []}, "CONDITION_INVALID", None),
        ({"not": 1}, "CONDITION_INVALID", None),
        ("output.a && output.b", "EXPRESSION_INVALID", "and"),
        ("<<output.a>> > 1", "EXPRESSION_INVALID", "a path without << and >>"),
        (None, "CONDITION_INVALID", None),
        (1, "CONDITION_INVALID", None),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(condition: Any, code: str, suggestion: str | None) -> None:
    with raises(ExpressionError) as caught:
        compile_condition(condition)

    assert (caught.value.code, caught.value.suggestion) == (code, suggestion)


def test_an_error_names_the_place_inside_the_condition() -> None:
    condition: Any = {"any": [True, {"not": {"field": "output.a", "operator": "is", "value": 1}}]}

    with raises(ExpressionError) as caught:
        compile_condition(condition)

    assert caught.value.at == ("any", 1, "not", "operator")
    assert caught.value.allowed == OPERATORS


def test_the_references_of_a_condition_are_required_only_in_templates() -> None:
    condition = compile_condition(
        {
            "all": [
                {"field": "Critic.score", "operator": ">=", "value": "<<input.threshold>>"},
                "not context.flags['by hand'][0]",
            ]
        }
    )

    assert [(reference.path.keys, reference.required) for reference in condition.references] == [
        (("context", "Critic", "score"), False),
        (("input", "threshold"), True),
        (("context", "flags", "by hand", 0), False),
    ]


def test_the_first_failing_member_of_all_decides() -> None:
    fails = {"field": "output", "operator": "==", "value": "<<input.gone>>"}

    assert compile_condition({"all": [False, fails]}).test({"output": 1}) is False
    assert compile_condition({"any": [True, fails]}).test({"output": 1}) is True


def test_a_condition_nested_too_deep_is_refused() -> None:
    condition: Any = True
    for _ in range(100):
        condition = {"not": condition}

    with raises(ExpressionError, match="at most 32 deep"):
        compile_condition(condition)


def test_a_comparison_of_huge_values_is_an_error_and_not_a_delay() -> None:
    condition = compile_condition("context.one == context.other")

    with raises(EvaluationError) as caught:
        condition.test({"context": {"one": [0] * 100_000, "other": [0] * 100_000}})

    assert caught.value.code == "CONDITION_ERROR"
