"""What a refused input says about itself."""

from typing import Any

import pytest

from api.rpc import Problem, RpcError
from api.rpc.inputs import read_input
from tests.rpc.toy import echo, greet, pack


def problems_of(text: bytes) -> list[Problem]:
    """The problems of an input of `box.pack`."""
    with pytest.raises(RpcError) as refusal:
        read_input(pack, text)
    found: Any = refusal.value.data["problems"]
    return found


def box(inner: bytes) -> bytes:
    """An input of `box.pack` that is right but for `inner`."""
    return b'{"box":{"name":"b",' + inner + b"}}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            box(b'"colour":"gren"'),
            Problem(
                code="WRONG_VALUE",
                path="/box/colour",
                message="Invalid enum value 'gren'",
                allowed=("red", "green"),
                suggestion="green",
            ),
        ),
        (
            b'{"box":{"name":"b"},"size":"xl"}',
            Problem(
                code="WRONG_VALUE",
                path="/size",
                message="Invalid enum value 'xl'",
                allowed=("s", "m", "l"),
                suggestion="l",
            ),
        ),
        (
            box(b'"name":3'),
            Problem(
                code="WRONG_VALUE",
                path="/box/name",
                message="Expected `string`, got `integer`",
                allowed=("string",),
            ),
        ),
        (
            box(b'"inside":3'),
            Problem(
                code="WRONG_VALUE",
                path="/box/inside",
                message="Expected `object | null`, got `integer`",
                allowed=("object", "null"),
            ),
        ),
        (
            box(b'"holds":[null,{"kind":"circle","radius":-1}]'),
            Problem(
                code="WRONG_VALUE",
                path="/box/holds/1/radius",
                message="Expected `number` >= 0.0",
                allowed=("number >= 0.0",),
            ),
        ),
        (
            box(b'"holds":[{"kind":"polygon","cornerCout":3,"cornerCount":1}]'),
            Problem(
                code="UNKNOWN_FIELD",
                path="/box/holds/0/cornerCout",
                message="there is no field `cornerCout` here",
                allowed=("cornerCount", "corners", "kind"),
                suggestion="cornerCount",
            ),
        ),
        (
            box(b'"holds":[{"kind":"polygon","cornerCount":1,"corners":[[1,"2"]]}]'),
            Problem(
                code="WRONG_VALUE",
                path="/box/holds/0/corners/0/1",
                message="Expected `number`, got `string`",
                allowed=("number",),
            ),
        ),
        (
            box(b'"holds":[{"kind":"cirle"}]'),
            Problem(
                code="WRONG_VALUE",
                path="/box/holds/0/kind",
                message="Invalid value 'cirle'",
                allowed=("circle", "polygon"),
                suggestion="circle",
            ),
        ),
        (
            box(b'"holds":[{}]'),
            Problem(code="REQUIRED", path="/box/holds/0", message="`kind` is missing", allowed=("kind",)),
        ),
        (
            box(b'"labels":{"one":1,"t/wo":"2"}'),
            Problem(
                code="WRONG_VALUE",
                path="/box/labels/t~1wo",
                message="Expected `integer`, got `string`",
                allowed=("integer",),
            ),
        ),
        (
            b"[]",
            Problem(code="WRONG_VALUE", path="", message="Expected `object`, got `array`", allowed=("object",)),
        ),
    ],
)
def test_a_problem_says_where_it_is_and_what_may_stand_there(text: bytes, problem: Problem) -> None:
    assert problems_of(text) == [problem]


def test_every_unknown_and_missing_field_of_an_object_is_told() -> None:
    problems = problems_of(b'{"boxx":{},"copy":1}')

    assert [(problem.code, problem.path, problem.suggestion) for problem in problems] == [
        ("UNKNOWN_FIELD", "/boxx", "box"),
        ("UNKNOWN_FIELD", "/copy", "copies"),
        ("REQUIRED", "", None),
    ]


def test_a_key_given_twice_is_explained_without_stumbling() -> None:
    problems = problems_of(box(b'"holds":[null,{"kind":"circle","radius":"x"}],"holds":[]'))

    assert [problem.path for problem in problems] == ["/box/holds/1"]


def test_what_was_sent_is_shown_in_part_only() -> None:
    problems = problems_of(b'{"' + b"x" * 10_000 + b'":1,"size":"' + b"y" * 10_000 + b'"}')

    assert all(len(problem.path + problem.message) < 400 for problem in problems)


def test_a_call_without_its_input_is_told_what_it_lacks() -> None:
    with pytest.raises(RpcError) as refusal:
        read_input(echo, None)

    assert refusal.value.data == {
        "problems": [Problem(code="REQUIRED", path="", message="`text` is missing", allowed=("text",))]
    }


def test_a_call_without_input_gets_the_defaults() -> None:
    taken = read_input(greet, None)

    assert taken == read_input(greet, b"{}")
