"""JSONPath: the accepted subset agrees with RFC 9535."""

import json
from pathlib import Path
from typing import Any

from pytest import mark, raises, skip

from services.expressions import MISSING, EvaluationError, ExpressionError, compile_jsonpath

SUITE = Path(__file__).parents[2].parent / "shared" / "vectors" / "jsonpath_cts.json"

# What is not accepted of the suite's 456 valid queries are filters and unions of different kinds.
ACCEPTED_AT_LEAST = 159


def accepts(query: str) -> bool:
    try:
        compile_jsonpath(query)
    except ExpressionError:
        return False
    return True


@mark.needs_foreign_data
def test_every_accepted_query_of_the_compliance_suite_gives_its_result() -> None:
    if not SUITE.exists():
        skip("the RFC 9535 compliance suite is not beside the repository")
    cases: list[dict[str, Any]] = json.loads(SUITE.read_text())["tests"]
    accepted = [case for case in cases if accepts(case["selector"])]

    wrong: list[str] = []
    for case in accepted:
        query = compile_jsonpath(case["selector"])
        found = query.find(case["document"]) if not case.get("invalid_selector") else "refused"
        values = ([] if found is MISSING else [found]) if query.singular else found
        if values not in case.get("results", [case.get("result")]):
            wrong.append(case["name"])

    assert wrong == []
    assert not [case["name"] for case in accepted if case.get("invalid_selector")]
    assert len(accepted) >= ACCEPTED_AT_LEAST


@mark.parametrize(
    ("query", "found"),
    [
        ("$.context['Search A','Search B'].hits[*]", [1, 2, 3]),
        ("$.context['Search A'].hits[:1]", [1]),
        ("$.context['Search A'].hits[-1]", 2),
        ("$.context['Search A'].hits[7]", MISSING),
        ("$.context['Search A'].hits[7:]", []),
        ("$..hits[0,1]", [1, 2, 3]),
        ("$.context['it\\'s \\u263a'].a", "b"),
    ],
)
def test_a_singular_query_gives_the_value_and_any_other_a_list(query: str, found: Any) -> None:
    scope: Any = {"context": {"Search A": {"hits": [1, 2]}, "Search B": {"hits": [3]}, "it's ☺": {"a": "b"}}}

    assert compile_jsonpath(query).find(scope) == found


@mark.parametrize(
    ("query", "code"),
    [
        ("$.a[?@.b == 1]", "JSONPATH_UNSUPPORTED"),
        ("$['a',0]", "JSONPATH_UNSUPPORTED"),
        ("$..a..b", "JSONPATH_UNSUPPORTED"),
        ("$[0,-1]..a", "JSONPATH_UNSUPPORTED"),
        ("$." + "a" * 600, "JSONPATH_UNSUPPORTED"),
        ("$.a where b", "JSONPATH_INVALID"),
        ("$.a.`parent`", "JSONPATH_INVALID"),
        ("$.a|b", "JSONPATH_INVALID"),
        ("context.a", "JSONPATH_INVALID"),
        ("", "JSONPATH_INVALID"),
    ],
)
def test_a_query_outside_the_subset_is_refused(query: str, code: str) -> None:
    with raises(ExpressionError) as caught:
        compile_jsonpath(query)

    assert caught.value.code == code


@mark.parametrize(
    "query", ["$.context.many[*]", "$.context.many[::2]", "$.context.deep" + "[0,-1]" * 20, "$..x", "$..*"]
)
def test_a_query_that_finds_too_much_is_an_error(query: str) -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    scope: Any = {"context": {"many": [{}] * 40_000, "deep": deep}}

    with raises(EvaluationError) as caught:
        compile_jsonpath(query).find(scope)

    assert caught.value.code == "MAPPING_ERROR"
