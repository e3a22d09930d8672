"""What is written as YAML is read back as it was, and looks as people write it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.definitions import yaml12
from services.definitions.yaml_writer import write
from services.json import Json

# What means something to a reader of YAML, or is lost by one that is not careful.
_PIECES = (
    "", " ", "  ", "\n", "\n\n", "\t", "\r", "\r\n", "\0", "\x07", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff",
    "\ufffe", "\N{GRINNING FACE}", "\N{COMBINING ACUTE ACCENT}", "-", "- ", "---", "...", "?", "? ", ":", ": ", "a: b",
    ",", "[", "]", "{", "}", "#", " #", "&", "*", "!", "|", ">", "%", "@", "`", "'", '"', "\\", "<<", "=", "~", "null",
    "no", "true", "True", "1", "-1", "+1", "1e3", "1.", ".5", "0x1F", "0o17", ".inf", "-.INF", ".nan", "1_000", "12:30",
    "2026-01-31", "a", "lead", "x" * 130,
)  # fmt: skip
texts = st.text() | st.lists(st.sampled_from(_PIECES), max_size=5).map("".join)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=25,
)


@given(values)
@example({"k" * 2_000: ["b", {"c" * 1_100: "d\ne"}]})
@example(["x" * 200_000])
@example({"k" * 130: [], "a": {"k" * 130: {}}})
def test_what_was_written_is_read_back(value: Json) -> None:
    written = write(value)

    read = yaml12.read(written)

    assert repr(read) == repr(value)
    assert write(read) == written


@given(values)
def test_a_text_has_no_lines_but_those_of_yaml(value: Json) -> None:
    lines = write(value).split("\n")

    assert lines.pop() == ""
    assert not any(set(line) & set("\r\0\x85\u2028\u2029\ufeff\x7f") for line in lines)


@pytest.mark.parametrize("text", _PIECES)
def test_each_piece_is_read_back_wherever_it_stands(text: str) -> None:
    for value in (text, [text], {text: text}, [[text]], {"a": {text: [text, {"b": text}]}}, [{"a": text + "\nb"}]):
        assert yaml12.read(write(value)) == value


@pytest.mark.parametrize(
    "plain", ["no", "on", "12:30", "1_000", "a-b", "-a", "a:b", "a#b", "https://a.example/b", "<<context.x>>", "0b1"]
)
def test_what_is_a_text_anyway_has_no_quotes(plain: str) -> None:
    assert write({plain: [plain]}) == f"{plain}: [{plain}]\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": "1"}, 'a: "1"\n'),
        ({"a": 'say "x"'}, 'a: say "x"\n'),
        ({"a": '"x"'}, "a: '\"x\"'\n"),
        ({"a": "'\\"}, 'a: "\'\\\\"\n'),
        ({"a": "One.\nTwo.\n"}, "a: |\n  One.\n  Two.\n"),
        ({"a": "One.\nTwo."}, "a: |-\n  One.\n  Two.\n"),
        ({"a": "One.\n\n", "b": 1}, "a: |+\n  One.\n\nb: 1\n"),
        ({"a": "  One.\nTwo.\n"}, "a: |2\n    One.\n  Two.\n"),
        ({"a": "\n \n"}, 'a: "\\n \\n"\n'),
        ({"a": {}, "b": [], "c": None}, "a: {}\nb: []\nc: null\n"),
        ({"a": [{"b": 1, "c": [1, 2]}, {"d": [{"e": {}}]}]}, "a:\n  - {b: 1, c: [1, 2]}\n  - d:\n      - {e: {}}\n"),
        ([[1, [2]], [{"a": "b\nc"}]], "- [1, [2]]\n- - a: |-\n      b\n      c\n"),
    ],
)
def test_it_looks_as_people_write_it(value: Json, written: str) -> None:
    assert write(value) == written
