"""What the documentation says in a form that can be executed: its fenced blocks and its tables."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from services.definitions import yaml12
from services.definitions.catalog import Catalog
from services.json import Json

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(r"```(\w*) ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word behind that, the line it begins at and its text."""

    language: str
    word: str
    line: int
    text: str

    @property
    def value(self) -> Json:
        """What the block says as YAML or JSON."""
        return yaml12.read(self.text)


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells by the heading of their column, code without its backticks, and its line."""

    line: int
    cells: dict[str, str]


def blocks(page: str, *languages: str) -> list[Block]:
    """The fenced blocks of these languages."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1, m[3]) for m in _FENCE.finditer(text)]
    return [block for block in found if block.language in languages]


def rows(page: str, *headings: str) -> list[Row]:
    """The rows of every table with a column for each of `headings`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    # What stands in a fence is no table; its lines still count.
    plain = _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)
    found: list[Row] = []
    columns: list[str] = []
    for line, content in enumerate(plain.splitlines(), 1):
        if not content.startswith("|"):
            columns = []
        elif not columns:
            columns = _cells(content)
        elif not content.startswith("|---") and set(headings) <= set(columns):
            found.append(Row(line, dict(zip(columns, _cells(content), strict=True))))
    return found


def catalog_of(document: Json) -> Catalog:
    """The roles and tools that a document names, so that all of them exist."""
    steps: list[Any] = document["steps"] if isinstance(document, dict) else []
    names = sorted({step["roleName"] for step in steps if step.get("roleName")})
    tools = frozenset(step["tool"] for step in steps if step.get("tool"))
    return Catalog(roles={name: UUID(int=place) for place, name in enumerate(names)}, tools=tools)


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in _BAR.split(line)[1:-1]]


def _plain(cell: str) -> str:
    # In a table a bar is escaped, also in code.
    is_code = len(cell) > 1 and cell[0] == cell[-1] == "`" and "`" not in cell[1:-1]
    return (cell[1:-1] if is_code else cell).replace("\\|", "|")
