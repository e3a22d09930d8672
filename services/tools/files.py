"""`files.*`: text below the one folder that the operator has opened to roles: read and, where allowed, written."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from services.folder import Folder, RefusedPath
from services.folder.search import search as search_in
from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 1_000

T = TypeVar("T")
RelativePath = Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Below the opened folder.")]
Text = Annotated[str, msgspec.Meta(max_length=MAX_BYTES, description="UTF-8; up to 256 KiB.")]
Wanted = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Found as it stands; no pattern.")]


class FileEntry(msgspec.Struct, frozen=True):
    """A file or a folder, by its path below the opened one."""

    path: str
    kind: str
    bytes: int | None


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What stands in a folder, by name."""

    entries: list[FileEntry]
    is_complete: bool


class FileMatch(msgspec.Struct, frozen=True):
    """A line, counted from 1, that holds the text."""

    path: str
    line: int
    text: str


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """Where a text stands; `isComplete` is false when there was more to look at."""

    matches: list[FileMatch]
    files: int
    is_complete: bool


class Written(msgspec.Struct, frozen=True, rename="camel"):
    """A file that was written; `isNew` when there was none before."""

    path: str
    bytes: int
    is_new: bool


def tools(folder: str | None, *, writable: bool = False) -> tuple[Tool, ...]:
    """The file tools over `folder`; without one they say what to set, and so does writing unless it is `writable`."""

    @tool("files.read", effect="read")
    async def read(_context: ToolContext, *, path: RelativePath) -> str:
        """Read a UTF-8 text file of at most 256 KiB and give back its text."""
        content = await _in_thread(folder, lambda opened: opened.read(path, MAX_BYTES), f"{path!r} cannot be read")
        return decoded(content, path)

    @tool("files.list", effect="read")
    async def list_(_context: ToolContext, *, path: RelativePath = ".") -> Listing:
        """List the files and folders in a folder; `.` is the opened one itself. Hidden names and links are left out."""
        entries = await _in_thread(folder, lambda opened: opened.entries(path), f"{path!r} cannot be listed")
        shown = [FileEntry(entry.path, entry.kind, entry.bytes) for entry in entries[:MAX_ENTRIES]]
        return Listing(shown, len(shown) == len(entries))

    @tool("files.search", effect="read")
    async def search(
        _context: ToolContext, *, text: Wanted, path: RelativePath = ".", ignore_case: bool = False
    ) -> Found:
        """Find the lines that hold a text, in the UTF-8 files of up to 1 MiB in a folder and the folders below it."""
        found = await _in_thread(
            folder,
            lambda opened: search_in(opened, text, path=path, ignore_case=ignore_case),
            f"{path!r} cannot be searched",
        )
        matches = [FileMatch(match.path, match.line, match.text) for match in found.matches]
        return Found(matches, found.files, found.is_complete)

    @tool("files.write", effect="write", honours_key=True)
    async def write(_context: ToolContext, *, path: RelativePath, text: Text) -> Written:
        """Write a UTF-8 text file of at most 256 KiB, new or in the place of the one there is, all of it or nothing."""
        if folder is not None and not writable:
            raise ToolError("nothing is written there; the operator allows it with ROLECALL_FILES_WRITABLE")
        content = encoded(text)
        is_new = await _in_thread(folder, lambda opened: opened.write(path, content), f"{path!r} cannot be written")
        return Written(path, len(content), is_new)

    return (read, list_, search, write)


async def _in_thread(folder: str | None, work: Callable[[Folder], T], refusal: str) -> T:
    if folder is None:
        raise ToolError("no folder is open to roles; the operator opens one with ROLECALL_FILES_DIR")
    try:
        return await asyncio.to_thread(lambda: work(Folder(Path(folder))))
    except RefusedPath as error:
        raise ToolError(str(error), is_final=True) from None
    except OSError as error:
        raise ToolError(f"{refusal}: {error.strerror}") from None


def decoded(content: bytes, path: str) -> str:
    """The text of a file.

    Raises:
        ToolError: it is none.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ToolError(f"{path!r} is not UTF-8 text", is_final=True) from None


def encoded(text: str) -> bytes:
    """The content of a file with that text.

    Raises:
        ToolError: it is too long.
    """
    content = text.encode("utf-8", errors="replace")
    if len(content) > MAX_BYTES:
        raise ToolError(f"the text has {len(content):,} bytes; up to {MAX_BYTES:,} are written", is_final=True)
    return content
