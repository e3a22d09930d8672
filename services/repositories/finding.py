"""Which repositories there are below a folder."""

import asyncio
import os
from contextlib import suppress

from services.folder import Folder, RefusedPath
from services.folder.below import FILE, opened_below

MAX_DEPTH = 4
MAX_REPOSITORIES = 100
MAX_FOLDERS = 5_000


async def repositories_below(folder: Folder) -> tuple[list[str], bool]:
    """The paths of the repositories in `folder`, up to four folders deep; and whether that is all of them.

    What stands in a repository is not looked at for others.
    """
    return await asyncio.to_thread(_found, folder)


def _found(folder: Folder) -> tuple[list[str], bool]:
    found: list[str] = []
    waiting = ["."]
    for looked_at, path in enumerate(waiting):
        if looked_at >= MAX_FOLDERS or len(found) >= MAX_REPOSITORIES:
            return sorted(found), False
        if _is_repository(folder, path):
            found.append(path)
        elif path == "." or path.count("/") < MAX_DEPTH - 1:
            with suppress(OSError, RefusedPath):
                waiting += [entry.path for entry in folder.entries(path) if entry.kind == "folder"]
    return sorted(found), True


def _is_repository(folder: Folder, path: str) -> bool:
    parts = () if path == "." else tuple(path.split("/"))
    try:
        os.close(opened_below(folder.path, (*parts, ".git", "HEAD"), FILE))
    except OSError:
        return False
    return True
