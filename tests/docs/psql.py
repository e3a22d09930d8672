"""Pages whose blocks of SQL are typed into psql: each block with what it prints, which may stand below it."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from db.installation import INSTALLATION, PACKAGE
from tests.docs.markdown import DOCS

_BLOCK = re.compile(r"^```sql( until)?\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_END = "that is all"


@dataclass(frozen=True)
class Typed:
    """A block of SQL, what it is to print, and whether it is typed again until it does."""

    sql: str
    printed: str
    is_repeated: bool


def typed(page: str) -> list[Typed]:
    """The blocks of SQL of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [Typed(found[2], found[3] or "", found[1] is not None) for found in _BLOCK.finditer(text)]


class Psql:
    """A psql, into which blocks are typed one after another. Ids are numbered as they are seen."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids: dict[str, str] = {}

    async def type(self, sql: str) -> str:
        """What psql prints when that is typed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{sql}\n\\echo {_END}\n".encode())
        lines: list[str] = []
        while (line := (await self._process.stdout.readline()).decode()) != f"{_END}\n":
            assert line, "".join(lines)
            lines.append(line.rstrip() + "\n")
        return _ID.sub(self._numbered, "".join(lines))

    def _numbered(self, id: re.Match[str]) -> str:
        return self._ids.setdefault(id[0], f"01a1fff7-0000-7000-8000-{len(self._ids) + 1:012}")


@asynccontextmanager
async def psql(url: str) -> AsyncIterator[Psql]:
    """A psql that is connected to `url`."""
    process = await asyncio.create_subprocess_exec(
        _program(), "--no-psqlrc", "--dbname", url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PGCLIENTENCODING": "UTF8"},
    )  # fmt: skip
    try:
        yield Psql(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _program() -> Path:
    """The psql that came with the embedded PostgreSQL or, where there is none, the one on the PATH."""
    spec = find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    found = Path(next(iter(locations)), INSTALLATION, "bin", "psql") if locations else shutil.which("psql")
    assert found is not None, "a psql is needed"
    return Path(found)
