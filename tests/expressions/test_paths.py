"""Paths: how they are written, and where they lead."""

from typing import Any

from pytest import mark, raises

from services.expressions import MISSING, ExpressionError, parse_path
from services.expressions.paths import path_of


@mark.parametrize(
    ("text", "found"),
    [
        ("input.n", 3),
        (" context . n ", 1),
        ("n", 1),
        ("paper.title", "T"),
        ("context['x y']", 2),
        ('context["x y"]', 2),
        ("context['it\\'s']", 4),
        ("context.list[ -1 ]", "c"),
        ("context.list.0", "a"),
        ("context.0", "zero"),
        ("context[0]", MISSING),
        ("context.list['0']", MISSING),
        ("context.list[3]", MISSING),
        ("context.list[-4]", MISSING),
        ("context.none.a", MISSING),
        ("steps.n", MISSING),
    ],
)
def test_a_path_leads_to_its_value(text: str, found: Any) -> None:
    scope: Any = {
        "context": {"n": 1, "x y": 2, "it's": 4, "list": ["a", "b", "c"], "0": "zero", "none": None, "steps": {"n": 1}},
        "input": {"n": 3},
        "paper": {"title": "T"},
    }

    assert parse_path(text).resolve(scope) == found


@mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        (".a", 0),
        ("a..b", 2),
        ("a.", 2),
        ("a[", 2),
        ("a[1", 3),
        ("a[01]", 3),
        ("a[1.5]", 3),
        ("a['b]", 2),
        ("a['\\q']", 2),
        ("a['\\ud800']", 2),
        ("a.b?", 3),
        ("a.b()", 3),
        ("a.-b", 2),
        ("a[" + "9" * 40 + "]", 2),
        ("a" + ".b" * 400, 0),
    ],
)
def test_a_malformed_path_is_refused_at_its_position(text: str, position: int) -> None:
    with raises(ExpressionError) as caught:
        parse_path(text)

    assert (caught.value.code, caught.value.position) == ("PATH_INVALID", position)


def test_a_path_written_out_reads_back_as_itself() -> None:
    keys = ("context", "Search A", "it's \\ ☺", "a_b", 0, -1)

    written = path_of(keys)

    assert parse_path(written.text).keys == keys
