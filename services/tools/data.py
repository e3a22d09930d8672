"""`data.parse`, `data.query` and `data.convert`: CSV, JSON and JSON lines, read, picked from and written.

What is too much is refused before it is looked at: a text of a mebibyte, ten thousand rows.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from services.expressions.errors import EvaluationError, ExpressionError
from services.expressions.jsonpath import compile_jsonpath
from services.expressions.jsonpath_syntax import MAX_QUERY
from services.expressions.paths import MISSING
from services.json import Json
from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_CHARACTERS = 1024 * 1024
MAX_ROWS = 10_000

Format: TypeAlias = Literal["csv", "json", "jsonl"]
SourceText: TypeAlias = Annotated[str, Meta(max_length=MAX_CHARACTERS, description="What is to be read.")]
Delimiter: TypeAlias = Annotated[Literal[",", ";", "\t", "|"], Meta(description="Between the fields of CSV.")]
Header: TypeAlias = Annotated[
    bool, Meta(description="Whether the first row of CSV names the fields; else each row is a list.")
]


@tool("data.parse", effect="none")
async def parse(
    context: ToolContext, *, text: SourceText, format: Format, delimiter: Delimiter = ",", header: Header = True
) -> Any:
    """Read a text as JSON, as JSON lines, or as CSV. CSV gives a list of objects, one for each row, whose values are
    texts; an empty field is an empty text.
    """
    return _READERS[format](text, delimiter, header)


@tool("data.query", effect="none")
async def query(
    context: ToolContext,
    *,
    data: Annotated[Json, Meta(description="What is looked into.")],
    path: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY, description="JSONPath, such as `$.items[*].name`.")],
) -> Any:
    """What a JSONPath finds in data: the value of a path that means one place, and null where there is none; the list
    of values of any other, such as `$..price` or `$.items[*].name`.
    """
    try:
        found = compile_jsonpath(path).find(data)
    except (ExpressionError, EvaluationError) as error:
        raise ToolError(str(error), is_final=True) from None
    return None if found is MISSING else found


@tool("data.convert", effect="none")
async def convert(
    context: ToolContext,
    *,
    text: SourceText,
    source: Annotated[Format, Meta(description="What the text is.")],
    target: Annotated[Format, Meta(description="What it is to be.")],
    delimiter: Delimiter = ",",
    header: Header = True,
) -> str:
    """Write CSV, JSON or JSON lines as another of them. To CSV goes a list of objects, whose keys become the first row,
    or a list of lists; what is nested is written as JSON within its field.
    """
    return _WRITERS[target](_READERS[source](text, delimiter, header), delimiter)


TOOLS: tuple[Tool, ...] = (parse, query, convert)


def _from_json(text: str, delimiter: str, header: bool) -> Json:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ToolError(f"the text is no JSON: {error}", is_final=True) from None


def _from_lines(text: str, delimiter: str, header: bool) -> Json:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _check_count(len(lines))
    values: list[Json] = []
    for number, line in lines:
        try:
            values.append(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ToolError(f"line {number} is no JSON: {error}", is_final=True) from None
    return values


def _from_csv(text: str, delimiter: str, header: bool) -> Json:
    rows = _rows(text, delimiter)
    if not header:
        return [[*row] for _, row in rows]
    _, names = next(rows, (0, []))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ToolError(
            f"the first row names {twice[:100]!r} twice; with `header: false` rows are lists", is_final=True
        )
    return [_named(names, row, line) for line, row in rows]


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    count = 0
    try:
        for row in reader:
            if row:
                count += 1
                _check_count(count)
                yield reader.line_num, row
    except csv.Error as error:
        raise ToolError(f"line {reader.line_num} is no CSV: {error}", is_final=True) from None


def _named(names: list[str], row: list[str], line: int) -> dict[str, Json]:
    if len(row) != len(names):
        message = f"line {line} has {len(row)} fields and the first row {len(names)}; is the delimiter another?"
        raise ToolError(message, is_final=True)
    return dict(zip(names, row, strict=True))


def _to_json(value: Json, delimiter: str) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _to_lines(value: Json, delimiter: str) -> str:
    return "".join(msgspec.json.encode(item).decode() + "\n" for item in _listed(value))


def _to_csv(value: Json, delimiter: str) -> str:
    items = _listed(value)
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    if all(isinstance(item, dict) for item in items):
        names = list(dict.fromkeys(name for item in items for name in item))
        writer.writerow(names)
        writer.writerows([_field(item.get(name)) for name in names] for item in items)
    elif all(isinstance(item, list) for item in items):
        writer.writerows([_field(cell) for cell in item] for item in items)
    else:
        raise ToolError("a list of objects, or a list of lists, can be written as CSV", is_final=True)
    return written.getvalue()


def _listed(value: Json) -> list[Any]:
    if not isinstance(value, list):
        raise ToolError("a list is needed: each of its items becomes a row or a line", is_final=True)
    _check_count(len(value))
    return value


def _field(value: Json) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return msgspec.json.encode(value).decode()


def _check_count(count: int) -> None:
    if count > MAX_ROWS:
        raise ToolError(f"there are more than {MAX_ROWS:,} rows; give a part of them", is_final=True)


_READERS: Mapping[Format, Callable[[str, str, bool], Json]] = {
    "csv": _from_csv, "json": _from_json, "jsonl": _from_lines,
}  # fmt: skip
_WRITERS: Mapping[Format, Callable[[Json, str], str]] = {"csv": _to_csv, "json": _to_json, "jsonl": _to_lines}
