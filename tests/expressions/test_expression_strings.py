"""Expression strings: what they compute, and what they refuse."""

import json
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest import mark, param, raises

from services.expressions import EvaluationError, ExpressionError, compile_expression

VECTORS = json.loads((Path(__file__).parent / "vectors" / "expressions.json").read_text())

# Generous for a busy machine; without the limits each of these takes seconds, or all memory.
QUICKLY_SECONDS = 0.5


@mark.parametrize("case", [param(case, id=case["expr"]) for case in VECTORS["accept"]])
def test_an_expression_gives_what_the_definition_says(case: dict[str, Any]) -> None:
    value = compile_expression(case["expr"]).evaluate(VECTORS["data"])

    assert json.dumps(value) == json.dumps(case["expect"])


@mark.parametrize("text", [param(text, id=text[:40]) for text in VECTORS["reject"]])
def test_an_expression_the_definition_refuses_is_refused(text: str) -> None:
    before = json.dumps(VECTORS["data"])

    with raises((ExpressionError, EvaluationError)):
        compile_expression(text).evaluate(VECTORS["data"])

    assert json.dumps(VECTORS["data"]) == before


@mark.parametrize(
    ("text", "expected"),
    [
        ("context['Search A'].hits[loop.index].url", "b"),
        ("context['Search A'].hits[-1].url", "b"),
        ("context['Search A'].hits[5].url.deep", None),
        ("input.flag == true and input.gone == null", True),
        ("1 is 1.0 and 1 is not True", True),
        ("'a' + string(input.n) + string(null) + string([1.0])", "a3[1]"),
        ("number('2.5') * 2", 5.0),
        ("number(' x ' + 'y') if false else number('3')", 3),
        ("round(2.5) + round(2.675, 2)", 5.68),
        ("min(3, 1, 2) + max([4, 5]) + abs(-1)", 7),
        ("max(input.gone) is null and max([]) is null", True),
        ("len(input.gone) > 0", False),
        ("lower(input.gone) == 'x' or contains(input.gone, 'x')", False),
        ("startswith('abc', 'a') and endswith('abc', 'c') and upper('a') == 'A'", True),
        ("7 // 2 + 7 % 2 - -1", 5),
        ("'k' in input.object and 'v' not in input.object", True),
        ("3 if input.n > 2 else 4", 3),
        ("input.n > 2 > 1 > 5", False),
        ("input.items or 'none'", "none"),
    ],
)
def test_an_expression_computes_as_its_author_would_expect(text: str, expected: Any) -> None:
    scope = {
        "context": {"Search A": {"hits": [{"url": "a"}, {"url": "b"}]}},
        "input": {"flag": True, "n": 3, "object": {"k": "v"}, "items": []},
        "loop": {"index": 1},
    }

    assert json.dumps(compile_expression(text).evaluate(scope)) == json.dumps(expected)


@mark.parametrize(
    ("text", "reason"),
    [
        ("input.gone + 1", "+ needs numbers and got null"),
        (
            "input.n + 'a'",
            "+ joins two texts or adds two numbers, and got a number and a text; see string() and number()",
        ),
        ("input.n / 0", "/ divides by zero"),
        ("input.n % 0", "% divides by zero"),
        ("input.flag * 2", "* needs numbers and got a boolean"),
        ("-input.list", "- needs numbers and got a list"),
        ("len(input.n)", "len needs a text, a list or an object, and got a number"),
        ("upper(input.n)", "upper needs a text, and got a number"),
        ("number('ten')", "number needs a text that is a JSON number"),
        ("number('NaN')", "number gives no finite number"),
        ("max([1, 'a'])", "max needs numbers and got a text"),
        ("round(1.5, 99)", "round keeps 0 to 15 decimals"),
        ("input.n * 999999999999999999", "* takes integers up to 1e+18"),
        ("1e308 * 10", "* gives no finite number"),
    ],
)
def test_an_operand_of_the_wrong_type_fails_the_step(text: str, reason: str) -> None:
    expression = compile_expression(text)

    with raises(EvaluationError) as caught:
        expression.evaluate({"input": {"n": 3, "flag": True, "list": []}})

    assert (caught.value.code, caught.value.message) == ("CONDITION_ERROR", f"{text}: {reason}")


@mark.parametrize(
    ("text", "position", "suggestion"),
    [
        ("  context.items[0:2]", 16, "one index, or a $path"),
        ("input.a and\\\n leng(input.b)", 14, "len"),
        ("context.é == (1, 2)", 13, "a list in brackets"),
        ("input.a === 1", 10, "=="),
        ("input.a || input.b", 9, "or"),
        ("input.class", 6, None),
        ("", 0, None),
    ],
)
def test_a_refusal_says_where_and_what_to_write_instead(text: str, position: int, suggestion: str | None) -> None:
    with raises(ExpressionError) as caught:
        compile_expression(text)

    assert (caught.value.code, caught.value.position, caught.value.suggestion) == (
        "EXPRESSION_INVALID",
        position,
        suggestion,
    )


HOSTILE = [
    "[[1]*100000]*100000",
    "'%2000000000d' % 1",
    "9**3999999",
    "(1).to_bytes(10**9, 'big')",
    "context.text.zfill(10**9)",
    "context.list.sort()",
    "context.update(context)",
    "context.__class__.__mro__",
    "len.__globals__",
    "(lambda: (yield))()",
    "[*context.list]",
    "len(*context.list)",
    "{**context}",
    "b'x'",
    "1j",
    "...",
    "1e999",
    "'\\ud800'",
    "'\\d'",
    "1if 1else 2",
    "not " * 499 + "1",
    "-" * 1_999 + "1",
    "(" * 1_000 + ")" * 1_000,
    "[" * 200 + "]" * 200,
    "a" + "[0]" * 600,
    "a" + ".b" * 900,
    "+".join(["context.text"] * 100),
    "string([" + ",".join(["context"] * 150) + "])",
    "lower(" * 23 + "context.list" + ")" * 23,
    "1" * 1_999,
    "x" * 2_001,
    "\x00",
    "1;2",
    "import os",
    "context.list[context]",
    "f'{context.text:>300000000}'",
]


@mark.parametrize("text", [param(text, id=text[:30]) for text in HOSTILE])
def test_a_hostile_expression_comes_to_nothing_quickly(text: str) -> None:
    scope: dict[str, Any] = {"context": {"text": "x" * 100_000, "list": [3, 1, 2] * 10_000}}
    before = json.dumps(scope)

    began = perf_counter()
    try:
        value = compile_expression(text).evaluate(scope)
    except (ExpressionError, EvaluationError):
        value = None
    spent = perf_counter() - began

    assert value is None
    assert spent < QUICKLY_SECONDS
    assert json.dumps(scope) == before


def test_an_evaluation_does_not_walk_through_the_context() -> None:
    class Untouched(dict[str, Any]):
        """An object that must not be walked: only looking up one key is allowed."""

        def __iter__(self) -> Any:
            raise AssertionError

        items = values = keys = __iter__

    scope: Any = {"context": Untouched(list=Untouched(score=0.9), ok=True)}

    assert (
        compile_expression("context.list.score > 0.5 and context.ok and exists(context.list)").evaluate(scope) is True
    )
