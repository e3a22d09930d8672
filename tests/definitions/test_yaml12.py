"""YAML is read as YAML 1.2 core, and what could hurt is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.definitions.yaml12 import MAX_BYTES, read
from services.errors import Invalid
from services.json import Json


def test_words_that_yaml_1_1_takes_for_booleans_are_text() -> None:
    assert read("on: yes\nno: off\ny: n\ntime: 12:30\ndate: 2026-01-31\nmerge: '<<'") == {
        "on": "yes",
        "no": "off",
        "y": "n",
        "time": "12:30",
        "date": "2026-01-31",
        "merge": "<<",
    }


def test_numbers_are_those_of_the_core_schema() -> None:
    assert read("[0x1F, 0o17, 012, -3, +4, .5, 1e3, 1_000, 0b11]") == [31, 15, 12, -3, 4, 0.5, 1000.0, "1_000", "0b11"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x", "anchors and aliases are not read"),
        (
            "!!python/object/apply:os.system ['x']",
            "the tag tag:yaml.org,2002:python/object/apply:os.system is not read",
        ),
        ("!local x", "the tag !local is not read"),
        ("a: 1\na: 2", "stands twice"),
        ("? [1]\n: 2", "a key must be a string"),
        ("[" * 80, "nested deeper than 64 levels"),
        ("a: .inf", "no infinity and no NaN"),
        ("a: 1e999", "no infinity and no NaN"),
        ("a: " + "9" * 500, "the number is too long"),
        ("--- 1\n--- 2", "another document"),
        ("a: 'x", "unexpected end of stream"),
        ("a: \x00", "special characters are not allowed"),
        (b"\xff\xfe\xfa", "not UTF-8"),
        ("x" * (MAX_BYTES + 1), "up to 262,144 are read"),
    ],
)
def test_what_could_hurt_is_refused_with_the_reason(text: str | bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read(text)


def test_json_is_read_as_json_spells_it() -> None:
    assert read('{"a": "\\ud83d\\ude00 \x7f", "b": [1.5, null, true]}') == {
        "a": "\N{GRINNING FACE} \x7f",
        "b": [1.5, None, True],
    }


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[" * 65 + "1" + "]" * 65, '["\\ud800"]', "[1e999]", '{"a": NaN'])
def test_json_with_a_fault_is_refused_like_any_other_text(text: str) -> None:
    with pytest.raises(Invalid):
        read(text)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(json_values, min_size=1))
def test_whatever_json_can_say_is_read_as_it_was_written(value: Json) -> None:
    assert read(json.dumps(value)) == value


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    try:
        read(text)
    except Invalid as refusal:
        assert str(refusal)
