"""Laws that hold for every text and every scope."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.expressions import (
    EvaluationError,
    ExpressionError,
    compile_condition,
    compile_expression,
    compile_jsonpath,
    compile_template,
    parse_path,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars | st.sampled_from(["<<context.secret>>", "{{input}}", "\\<<context.secret>>", "$.context"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
scopes = st.fixed_dictionaries(
    {"context": st.dictionaries(st.sampled_from(["a", "b", "c d", "items"]), values), "input": values, "output": values}
)

# Pieces that the grammars give a meaning, so that random joins come near it.
WORDS = """
    << >> {{ }} | ? . .. [ ] [0] [-1] ( ) $ $. $[ * , : ' context input output a b items 1 -1 1e9 0x 1_0
    default( json join(' upper length first if else and or not in is == != < >= + - / // % ** len( max(
    number( string( True None null true lambda yield await = := ; # @ ~ & ^ é ☺
"""
pieces = st.sampled_from([*WORDS.split(), "['c d']", "\\", '"', "\xa0", "\ud800", "\x00", "\n", "\r", "\t", " "])
texts = st.lists(pieces | st.text(max_size=3) | st.just(" "), max_size=14).map("".join)


def attempt(compile_and_run: Callable[[], Any]) -> None:
    try:
        compile_and_run()
    except (ExpressionError, EvaluationError) as error:
        assert str(error)


@settings(max_examples=400, deadline=None)
@given(text=texts, scope=scopes)
@example(text="<<context.a | default('<<input>>')>>", scope={"context": {}, "input": 1})
@example(text="<<" * 2_000 + "a>>", scope={"context": {}})
@example(text="\\" * 5_000, scope={"context": {}})
def test_a_text_is_refused_or_rendered_and_never_anything_else(text: str, scope: dict[str, Any]) -> None:
    before = json.dumps(scope)

    attempt(lambda: compile_template({"a": [text, {"$path": text}]}, jsonpath=True).render(scope))
    attempt(lambda: compile_template(text, jsonpath=True).render(scope))
    attempt(lambda: compile_condition({"field": text, "operator": "contains", "value": text}).test(scope))
    attempt(lambda: compile_expression(text).evaluate(scope))
    attempt(lambda: compile_jsonpath(text).find(scope))
    attempt(lambda: parse_path(text).missing(scope))

    assert json.dumps(scope) == before


@settings(max_examples=300, deadline=None)
@given(value=values)
def test_an_inserted_value_is_never_scanned_again(value: Any) -> None:
    scope = {"context": {"value": value, "secret": "SECRET"}}

    alone = compile_template("<<context.value>>").render(scope)
    twice = compile_template({"a": ["{{context.value}}"], "b": "<<context.value>>"}).render(scope)

    assert json.dumps(alone) == json.dumps(value)
    assert json.dumps(twice) == json.dumps({"a": [value], "b": value})


@settings(max_examples=300, deadline=None)
@given(inserted=st.text() | st.sampled_from(["<<context.secret>>", "{{context.secret}}", "\\<<", ">>", "<<"]))
def test_text_inserted_into_text_stays_as_it_is(inserted: str) -> None:
    template = compile_template("<<context.value>> and {{context.value}}")

    assert template.render({"context": {"value": inserted, "secret": "SECRET"}}) == f"{inserted} and {inserted}"


@settings(max_examples=300, deadline=None)
@given(value=values)
def test_a_literal_is_never_touched(value: Any) -> None:
    assert json.dumps(compile_template({"$literal": value}).render({})) == json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_an_escaped_text_renders_as_itself(text: str) -> None:
    escaped = text.replace("<<", "\\<<").replace("{{", "\\{{") if "\\" not in text else "<<input>>"

    rendered = compile_template(escaped).render({"input": text})

    assert rendered == text


@settings(max_examples=300, deadline=None)
@given(one=values, other=values)
def test_equality_is_the_equality_of_json_texts(one: Any, other: Any) -> None:
    def normal(value: Any) -> Any:
        """Numbers made alike, so that the texts of equal values are equal."""
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [normal(item) for item in value]
        return {key: normal(item) for key, item in value.items()} if isinstance(value, dict) else value

    scope = {"input": one, "output": other}
    expected = json.dumps(normal(one), sort_keys=True) == json.dumps(normal(other), sort_keys=True)

    assert compile_expression("input == output").evaluate(scope) is expected
    assert compile_expression("output != input").evaluate(scope) is not expected
    assert compile_condition("input == input and output in [output]").test(scope)


@settings(max_examples=300, deadline=None)
@given(one=scalars, other=scalars)
def test_an_order_is_a_total_one_among_numbers_and_among_texts_and_none_else(one: Any, other: Any) -> None:
    scope = {"input": one, "output": other}
    comparable = type(one) is type(other) is str or all(type(each) in (int, float) for each in (one, other))

    holds = [compile_condition(f"input {operator} output").test(scope) for operator in ("<", "==", ">")]

    assert (sum(holds) == 1) is (comparable or holds == [False, True, False])
    assert not (holds[0] or holds[2]) or comparable
