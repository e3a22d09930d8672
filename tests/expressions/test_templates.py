"""Templates: tags, filters, escaping, and what an author is told."""

import json
from pathlib import Path
from typing import Any

from pytest import mark, param, raises

from services.expressions import EvaluationError, ExpressionError, compile_template

VECTORS = json.loads((Path(__file__).parent / "vectors" / "templates.json").read_text())


def text_of(value: Any) -> str:
    """JSON text, which tells 1 from true and 1.0."""
    return json.dumps(value, sort_keys=True)


def source_of(case: dict[str, Any]) -> Any:
    return case["template"] if "template" in case else case["mapping"]


@mark.parametrize("case", [param(case, id=text_of(source_of(case))) for case in VECTORS["cases"]])
def test_a_template_gives_what_the_definition_says(case: dict[str, Any]) -> None:
    if case.get("error"):
        with raises((ExpressionError, EvaluationError)):
            compile_template(source_of(case)).render(VECTORS["data"])
        return

    rendered = compile_template(source_of(case)).render(VECTORS["data"])

    assert text_of(rendered) == text_of(case["expect"])


@mark.parametrize(
    ("template", "message"),
    [
        (
            "<<context.scroe>>",
            '<<context.scroe>>: context.scroe does not exist: context has no key "scroe"; nearest: "score"',
        ),
        (
            "<<Critik.score>>",
            "<<Critik.score>>: Critik.score does not exist: Critik is neither a root nor a key of the context; "
            'nearest: "Critic"',
        ),
        (
            "of <<Critic.notes[3]>>",
            "<<Critic.notes[3]>>: Critic.notes[3] does not exist: context.Critic.notes has 1 item and none at [3]",
        ),
        (
            "<<Critic.notes.text>>",
            "<<Critic.notes.text>>: Critic.notes.text does not exist: context.Critic.notes is a list and has no key "
            '"text"',
        ),
        (
            "<<error.code>>",
            '<<error.code>>: error.code does not exist: there is no error here; there is "context", "input"',
        ),
        ("<<input.n | upper>>", "<<input.n | upper>>: the filter upper needs a text, and got a number"),
        ({"$path": "$.input.m"}, '$.input.m does not exist: $.input has no key "m"; it has "n"'),
        ({"$path": "$.inputs"}, '$.inputs does not exist: $ has no key "inputs"; nearest: "input"'),
        ({"a": ["", {"b": "<<input.m>>"}]}, '<<input.m>>: input.m does not exist: input has no key "m"; it has "n"'),
    ],
)
def test_a_missing_value_is_an_error_that_names_the_nearest_key(template: Any, message: str) -> None:
    scope = {"context": {"score": 0.5, "Critic": {"score": 1, "notes": ["a"]}}, "input": {"n": 3}}

    with raises(EvaluationError) as caught:
        compile_template(template).render(scope)

    assert (caught.value.code, caught.value.message) == ("TEMPLATE_ERROR", message)


def test_an_error_names_the_place_inside_the_mapping() -> None:
    template = compile_template({"query": {"terms": ["fixed", "<<input.term>>"]}})

    with raises(EvaluationError) as caught:
        template.render({"input": {}})

    assert caught.value.at == ("query", "terms", 1)
    assert str(caught.value).startswith("query.terms[1]: <<input.term>>: input.term does not exist")


@mark.parametrize(
    ("template", "code", "at"),
    [
        ("<<context.a + 1>>", "TEMPLATE_INVALID", ()),
        ({"a": ["{{input.}}"]}, "PATH_INVALID", ("a", 0)),
        ("<<input.a | uper>>", "FILTER_UNKNOWN", ()),
        ("<<input.a | default(text)>>", "TEMPLATE_INVALID", ()),
        ("<<input.a | truncate('x')>>", "FILTER_INVALID", ()),
        ("<<input.a | upper('x')>>", "FILTER_INVALID", ()),
        ("<<input.a | join>>", "FILTER_INVALID", ()),
        ({"a": {"$path": "$.x[?@.y]"}}, "JSONPATH_UNSUPPORTED", ("a", "$path")),
        ({"a": {"$expr": "input.x.pop()"}}, "EXPRESSION_INVALID", ("a", "$expr")),
        ({"$path": 3}, "TEMPLATE_INVALID", ("$path",)),
    ],
)
def test_what_looks_like_a_reference_and_is_none_is_refused(
    template: Any, code: str, at: tuple[str | int, ...]
) -> None:
    with raises(ExpressionError) as caught:
        compile_template(template)

    assert (caught.value.code, caught.value.at) == (code, at)


def test_an_unknown_filter_is_answered_with_the_nearest_one() -> None:
    with raises(ExpressionError) as caught:
        compile_template("Dear <<input.name | uper>>")

    assert (caught.value.suggestion, caught.value.position) == ("upper", 20)
    assert "upper" in caught.value.allowed


@mark.parametrize(
    "text",
    [
        "if (a << 2 && b >> 3)",
        "1 << 2 >> 1",
        '{{"name": "x"}}',
        "{{#if x}}yes{{/if}}",
        "std::cout << a << b;\nstd::cin >> c;",
        "type T = {{ name: string }}",
        "<<<context.a>>>",
        "C:\\dir\\{file}",
    ],
)
def test_other_languages_in_a_text_stay_as_they_are(text: str) -> None:
    assert compile_template(text).render({"context": {}}) == text


@mark.parametrize(
    ("template", "rendered"),
    [
        ("<<context.list | join(' >> ')>>", "1 >> x >>  >> true"),
        ("<<context.none | upper | default('d')>>", "d"),
        ("<<context.gone | upper | default('d')>>", "d"),
        ("<<context.gone? | length>>", None),
        ("<<context.name | truncate(2) | lower>>", "an"),
        ("<<context.name | json>>", '"Anna"'),
        ('{{context.gone | default({"a": {"b": 1}})}}', {"a": {"b": 1}}),
        ("<<context.gone | default('it\\'s \\u263a')>>", "it's ☺"),
        ("\\\\\\<<context.name>>", "\\<<context.name>>"),
        ("<a href=<<context.name>>>", "<a href=Anna>"),
        ('{"a": {"b": {{context.nested}}}}', '{"a": {"b": {"x":[1,2.5]}}}'),
        ({"$expr": "context.list[0] + 1"}, 2),
        ({"$path": "$.context.list[1:3]"}, ["x", None]),
        ({"$path": "$.context.nested.x[0]"}, 1),
        ({"$ref": "<<context.name>>"}, {"$ref": "Anna"}),
        ({"$literal": {"$path": "$.x"}}, {"$path": "$.x"}),
        ({"$path": "<<context.name>>", "more": 1}, {"$path": "Anna", "more": 1}),
        ({}, {}),
    ],
)
def test_a_template_renders_as_its_author_would_expect(template: Any, rendered: Any) -> None:
    scope = {"context": {"list": [1, "x", None, True], "none": None, "name": "Anna", "nested": {"x": [1.0, 2.5]}}}

    assert compile_template(template).render(scope) == rendered


def test_a_bare_jsonpath_is_one_only_where_the_caller_says_so() -> None:
    scope = {"context": {"hits": [{"url": "a"}, {"url": "b"}]}}
    mapping = {"urls": "$.context.hits[*].url", "price": "$.50 off"}

    asked, not_asked = compile_template(mapping, jsonpath=True), compile_template(mapping)

    assert asked.render(scope) == {"urls": ["a", "b"], "price": "$.50 off"}
    assert not_asked.render(scope) == mapping
    with raises(ExpressionError, match="filters are not offered"):
        compile_template("$.context.hits[?@.url]", jsonpath=True)


def test_the_references_say_what_a_template_needs() -> None:
    template = compile_template(
        {
            "a": "<<context.plan>> and <<Critic.score?>>",
            "b": ["<<input.n | default(1)>>", {"$path": "$.steps.Plan.output"}, {"$path": "$.context.hits[*].url"}],
            "c": {"$expr": "loop.index + len(output.items)"},
            "d": {"$literal": "<<not.read>>"},
        }
    )

    assert [(reference.path.keys, reference.required) for reference in template.references] == [
        (("context", "plan"), True),
        (("context", "Critic", "score"), False),
        (("input", "n"), False),
        (("steps", "Plan", "output"), True),
        (("context", "hits"), False),
        (("loop", "index"), False),
        (("output", "items"), False),
    ]


def test_a_value_without_tags_is_constant() -> None:
    template = compile_template({"a": [1, "\\<<b>>", {"$literal": "<<c>>"}]})

    assert (template.is_constant, template.references) == (True, ())
    assert template.render({}) == {"a": [1, "<<b>>", "<<c>>"]}


@mark.parametrize(
    "template",
    [
        "<<context.text>><<context.text>>",
        ["<<context.text>>", "<<context.text>>"],
        ["<<context.list>>"] * 5,
        "<<context.list | join('" + "x" * 400 + "')>>",
        {"$expr": "[context, context, context, context]"},
        {"$path": "$['context','context','context','context']"},
        "<<context.quotes" + " | json" * 16 + ">>",
    ],
)
def test_a_result_over_one_mebibyte_is_refused(template: Any) -> None:
    scope = {"context": {"text": "é" * 300_000, "list": list(range(100_000)), "quotes": '"' * 100}}

    with raises(EvaluationError) as caught:
        compile_template(template).render(scope)

    assert caught.value.code == "TEMPLATE_ERROR"


def test_a_result_of_exactly_one_mebibyte_is_accepted() -> None:
    scope = {"context": {"text": "x" * 1_048_575}}

    rendered = compile_template("<<context.text>>.").render(scope)

    assert rendered == "x" * 1_048_575 + "."


def test_a_value_nested_too_deep_is_refused() -> None:
    value: Any = "<<input.a>>"
    for _ in range(100):
        value = [value]

    with raises(ExpressionError, match="nested more than 64 deep"):
        compile_template(value)
