"""`data.*`: CSV, JSON and JSON lines, read, picked from and written."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from services.caller import OPERATOR
from services.json import Json
from services.tools import data
from services.tools.tool import Tool, ToolContext, ToolResult

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A")
SHOP: Json = {"teas": [{"name": "green", "price": 4}, {"name": "black", "price": 3}]}


async def ran(tool: Tool, **given: Any) -> ToolResult:
    return await tool.run(CONTEXT, given)


async def value(tool: Tool, **given: Any) -> Json:
    return (await ran(tool, **given)).unwrapped()


async def test_csv_is_a_list_of_what_each_row_says() -> None:
    text = 'name,price\r\ngreen,4\r\n"black, ""fine""",\r\n\r\n"two\nlines",3\r\n'

    assert await value(data.parse, text=text, format="csv") == [
        {"name": "green", "price": "4"},
        {"name": 'black, "fine"', "price": ""},
        {"name": "two\nlines", "price": "3"},
    ]
    assert await value(data.parse, text="a;b\n1;2", format="csv", delimiter=";", header=False) == [
        ["a", "b"],
        ["1", "2"],
    ]


async def test_json_and_json_lines_are_read() -> None:
    assert await value(data.parse, text='{"a": [1, null]}', format="json") == {"a": [1, None]}
    assert await value(data.parse, text='{"a": 1}\r\n\n[2]\n"\u2028"\n', format="jsonl") == [{"a": 1}, [2], "\u2028"]


@pytest.mark.parametrize(
    ("text", "format", "said"),
    [
        ("{", "json", "the text is no JSON"),
        ("[" * 100_000, "json", "the text is no JSON"),
        ("1\n{\n", "jsonl", "line 2 is no JSON"),
        ('a,b\n"1', "csv", "line 2 is no CSV"),
        ('a\n"1"2', "csv", "line 2 is no CSV"),
        ("a,b\n1", "csv", "line 2 has 1 fields and the first row 2; is the delimiter another?"),
        ("a,a\n1,2", "csv", "the first row names 'a' twice"),
        ("a\n" + "1\n" * 10_001, "csv", "more than 10,000 rows"),
        ("1\n" * 10_001, "jsonl", "more than 10,000 rows"),
        ("a\n" + "x" * 200_000, "csv", "line 2 is no CSV: field larger"),
        ("x" * 2_000_000, "csv", "length <= 1048576"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_says_where(text: str, format: str, said: str) -> None:
    result = await ran(data.parse, text=text, format=format)

    assert result.error is not None and said in result.error
    assert result.is_final


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.teas[0].name", "green"),
        ("$.teas[*].name", ["green", "black"]),
        ("$..price", [4, 3]),
        ("$.coffees", None),
        ("$", SHOP),
    ],
)
async def test_a_path_finds_what_it_names(path: str, found: Json) -> None:
    assert await value(data.query, data=SHOP, path=path) == found


@pytest.mark.parametrize("path", ["teas", "$.", "$[", "$.teas[?@.price > 3]", "$" + "..*" * 50])
async def test_a_path_that_is_none_is_an_error(path: str) -> None:
    result = await ran(data.query, data=SHOP, path=path)

    assert result.error is not None and "unexpected" not in result.error
    assert result.is_final


async def test_one_is_written_as_the_other() -> None:
    csv_text = 'name,price,tags\ngreen,4,\nblack,,"[1,true]"\n'
    rows = '[{"name": "green", "price": 4}, {"name": "black", "price": null, "tags": [1, true]}]'

    assert await value(data.convert, text=rows, source="json", target="csv") == csv_text
    assert await value(data.convert, text="a,b\n1,2\n", source="csv", target="jsonl") == '{"a":"1","b":"2"}\n'
    assert await value(data.convert, text="[1]\n[2,null]", source="jsonl", target="csv") == "1\n2,\n"
    assert await value(data.convert, text="1\n2", source="jsonl", target="json") == "[\n  1,\n  2\n]"


@pytest.mark.parametrize("text", ["1", "{}", "[1]", '["a"]', "[{}, []]"])
async def test_what_is_no_table_is_not_written_as_one(text: str) -> None:
    result = await ran(data.convert, text=text, source="json", target="csv")

    assert result.error is not None and "list" in result.error


@drawn(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
async def test_what_was_written_as_csv_is_read_as_it_was(rows: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)

    assert await value(data.parse, text=written.getvalue(), format="csv", header=False) == rows
