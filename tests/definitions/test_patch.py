"""JSON Patch: what each operation does, and what it refuses."""

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.definitions.patch import Add, Move, Operation, Remove, Replace, apply, below, value_at
from services.definitions.structure import pointer
from services.json import Json


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        # The examples of RFC 6902, appendix A.
        ({"foo": "bar"}, Add(path="/baz", value="qux"), {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, Add(path="/foo/1", value="qux"), {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, Remove(path="/baz"), {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, Remove(path="/foo/1"), {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, Replace(path="/baz", value="boo"), {"baz": "boo", "foo": "bar"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            Move(from_="/foo/waldo", path="/qux/thud"),
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            Move(from_="/foo/1", path="/foo/3"),
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"foo": "bar"}, Add(path="/child", value={"grandchild": {}}), {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": ["bar"]}, Add(path="/foo/-", value=["abc", "def"]), {"foo": ["bar", ["abc", "def"]]}),
        # And what they leave out.
        ({"foo": 1}, Add(path="/foo", value=None), {"foo": None}),
        ({"": {"a/b": 1, "m~n": 2}}, Remove(path="//a~1b"), {"": {"m~n": 2}}),
        ({"~1": 1}, Replace(path="/~01", value=2), {"~1": 2}),
        ([1, 2], Add(path="/2", value=3), [1, 2, 3]),
        ({"a": 1}, Replace(path="", value=[]), []),
        ({"a": 1}, Add(path="", value=[]), []),
        ({"a": 1}, Move(from_="/a", path="/a"), {"a": 1}),
        ({"a": {"b": 1}}, Move(from_="/a/b", path=""), 1),
    ],
)
def test_an_operation_changes_what_it_names_and_nothing_else(
    document: Json, operation: Operation, expected: Json
) -> None:
    before = copy.deepcopy(document)

    after = apply(document, [operation])

    assert after == expected
    assert document == before


@pytest.mark.parametrize(
    ("document", "operation", "said"),
    [
        ({}, Remove(path="/a"), "/a leads to nothing: there is no 'a'"),
        ({}, Replace(path="/a", value=1), "/a leads to nothing"),
        ({}, Add(path="/a/b", value=1), "/a/b leads to nothing"),
        ({"a": 1}, Add(path="/a/b", value=1), "/a/b leads below a value that holds nothing"),
        ([1], Add(path="/2", value=1), "none can be added at 2"),
        ([1], Remove(path="/1"), "the list has 1 items and none at 1"),
        ([1], Remove(path="/-"), "'-' is no index"),
        ([1], Remove(path="/00"), "'00' is no index"),
        ([1], Remove(path="/²"), "'²' is no index"),
        ({"a": 1}, Remove(path="a"), "'a' is no JSON Pointer"),
        ({"~": 1}, Remove(path="/~"), "'/~' is no JSON Pointer"),
        ({"a": {}}, Move(from_="/a", path="/a/b"), "/a cannot be moved into itself"),
        ({"a": {}}, Move(from_="/b", path="/c"), "/b leads to nothing"),
        ({}, Remove(path=""), "the whole document cannot be removed"),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused(document: Json, operation: Operation, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        apply(document, [operation])


def test_operations_are_written_as_json_patch_writes_them() -> None:
    operations = (
        Add(path="/a", value=None),
        Remove(path="/a"),
        Replace(path="/a", value=1),
        Move(from_="/a", path="/b"),
    )

    written = msgspec.to_builtins(operations)

    assert written == (
        {"op": "add", "path": "/a", "value": None},
        {"op": "remove", "path": "/a"},
        {"op": "replace", "path": "/a", "value": 1},
        {"op": "move", "from": "/a", "path": "/b"},
    )
    assert msgspec.convert(written, tuple[Operation, ...]) == operations


def test_operations_of_a_part_are_carried_to_the_whole() -> None:
    operations = [Add(path="/a", value=1), Move(from_="/a", path="/b"), Replace(path="", value={"c": 2})]

    assert [apply({"part": {}}, below("/part", operations[:count])) for count in (1, 2, 3)] == [
        {"part": {"a": 1}},
        {"part": {"b": 1}},
        {"part": {"c": 2}},
    ]


members = st.dictionaries(st.text(), st.integers())


@given(members, st.text(), st.integers())
def test_what_is_added_is_found_and_can_be_taken_away(document: dict[str, Json], name: str, value: int) -> None:
    path = pointer(name)

    added = apply(document, [Add(path=path, value=value)])

    assert value_at(added, path) == value
    assert apply(added, [Remove(path=path)]) == {key: each for key, each in document.items() if key != name}
