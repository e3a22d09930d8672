"""What the documentation says in a form that can be executed: its fenced blocks and its tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from services.catalog import KINDS
from services.definitions import yaml12
from services.definitions.catalog import Callee, Catalog
from services.json import Json

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(r"```(\w*) ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BAR = re.compile(r"(?<!\\)\|")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


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
    found: list[Row] = []
    columns: list[str] = []
    for line, content in enumerate(_plain_text(page).splitlines(), 1):
        if not content.startswith("|"):
            columns = []
        elif not columns:
            columns = _cells(content)
        elif not content.startswith("|---") and set(headings) <= set(columns):
            found.append(Row(line, dict(zip(columns, _cells(content), strict=True))))
    return found


def anchors(page: str) -> set[str]:
    """What a link into the page may end with: its headings as anchors."""
    headings = _HEADING.findall(_plain_text(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> list[tuple[str, str]]:
    """The pages and anchors that the page links to; those inside it have no page, and others may have no anchor."""
    found = re.findall(r"\]\(([\w./-]*?)(?:#([\w-]+))?\)", _plain_text(page))
    return [(target, anchor) for target, anchor in found if target or anchor]


def catalog_of(document: Json) -> Catalog:
    """The roles, tools and orchestrations that a document names, so that all are there, on a server like this one."""
    names = sorted(set(_said(document, "roleName")))
    roles = {name: UUID(int=place) for place, name in enumerate(names)}
    return Catalog(
        roles=roles,
        tools=frozenset(_said(document, "tool")),
        kinds=KINDS,
        orchestrations=dict.fromkeys(_said(document, "orchestration"), Callee()),
    )


def _said(value: Json, field: str) -> Iterator[str]:
    """The texts that stand under `field`, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _said(item, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == field and isinstance(item, str):
                yield item
            yield from _said(item, field)


def _plain_text(page: str) -> str:
    """The page without what stands in its fences; their lines still count."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in _BAR.split(line)[1:-1]]


def _plain(cell: str) -> str:
    # In a table a bar is escaped, also in code.
    is_code = len(cell) > 1 and cell[0] == cell[-1] == "`" and "`" not in cell[1:-1]
    return (cell[1:-1] if is_code else cell).replace("\\|", "|")
