"""`files.read`: a text file below the one folder that the operator has opened to roles.

The path is walked one name at a time without following links, so nothing that stands in the folder leads out of it.
"""

import asyncio
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_BYTES = 256 * 1024

RelativePath = Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Below the opened folder.")]


def tools(folder: str | None) -> tuple[Tool, ...]:
    """The file tools over `folder`; without one they say what to set."""

    @tool("files.read", effect="read")
    async def read(_context: ToolContext, *, path: RelativePath) -> str:
        """Read a UTF-8 text file of at most 256 KiB and give back its text."""
        if folder is None:
            raise ToolError("no folder is open to roles; the operator opens one with ROLECALL_FILES_DIR")
        return await asyncio.to_thread(read_below, Path(folder), path)

    return (read,)


def read_below(folder: Path, path: str) -> str:
    """The text of the file at `path` below `folder`.

    Raises:
        ToolError: the path leads outside, through a link, or to something that is not a text file of that size.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        raise ToolError(f"{path!r} is not a path below the opened folder; write it like 'notes/plan.txt'")
    try:
        descriptor = _open_below(folder, parts)
    except OSError as error:
        raise ToolError(f"{path!r} cannot be read: {error.strerror}") from None
    try:
        return _text(descriptor, path)
    finally:
        os.close(descriptor)


def _text(descriptor: int, path: str) -> str:
    found = os.fstat(descriptor)
    # A hard link may lead to a file from elsewhere that merely has a name here.
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ToolError(f"{path!r} is not a regular file with one name")
    if found.st_size > MAX_BYTES:
        raise ToolError(f"{path!r} has {found.st_size:,} bytes; up to {MAX_BYTES:,} are read")
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(MAX_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(f"{path!r} is not UTF-8 text") from None


def _open_below(folder: Path, parts: tuple[str, ...]) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for place, name in enumerate(parts):
            kind = os.O_NONBLOCK if place == len(parts) - 1 else os.O_DIRECTORY
            inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
