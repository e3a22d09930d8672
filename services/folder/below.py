"""Opening what stands below a folder, through no link: by `openat2`, or name by name where the kernel has none."""

import os
import stat
from pathlib import Path

from services.folder import openat2
from services.folder.paths import RefusedPath

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What is no regular file, such as a pipe that nobody writes to, is not waited for.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def opened_below(folder: Path, parts: tuple[str, ...], flags: int, *, with_openat2: bool | None = None) -> int:
    """A descriptor of what stands at `parts` below `folder`, which may itself be a link; to be closed.

    Raises:
        OSError: a part is a link, or it cannot be opened.
    """
    root = os.open(folder, DIRECTORY & ~os.O_NOFOLLOW)
    if not parts:
        return root
    try:
        if openat2.is_available() if with_openat2 is None else with_openat2:
            return openat2.open_beneath(root, "/".join(parts), flags)
        return _walked(root, parts, flags)
    finally:
        os.close(root)


def content_of(file: int, path: str, max_bytes: int) -> bytes:
    """All that stands in an open file.

    Raises:
        RefusedPath: it is no regular file, has several names, or holds more than `max_bytes`.
    """
    found = os.fstat(file)
    if not is_single(found):
        raise RefusedPath(f"{path!r} is not a regular file with one name")
    if found.st_size > max_bytes:
        raise RefusedPath(f"{path!r} has {found.st_size:,} bytes; up to {max_bytes:,} are read")
    with open(file, "rb", closefd=False) as opened:
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise RefusedPath(f"{path!r} grows while it is read; up to {max_bytes:,} bytes are read")
    return content


def is_single(state: os.stat_result) -> bool:
    """Whether it is a regular file with one name: a hard link may lead to one that stands elsewhere as well."""
    # One without a name was replaced after it was opened.
    return stat.S_ISREG(state.st_mode) and state.st_nlink <= 1


def _walked(root: int, parts: tuple[str, ...], flags: int) -> int:
    directory = os.dup(root)
    try:
        for name in parts[:-1]:
            inner = os.open(name, DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        return os.open(parts[-1], flags, dir_fd=directory)
    finally:
        os.close(directory)
