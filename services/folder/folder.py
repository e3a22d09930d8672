"""The folder: what stands below it is read, listed and written by descriptors, so no name is looked up twice.

Links are never followed. A file with several names is refused: one of them may stand elsewhere.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.folder.below import DIRECTORY, FILE, content_of, is_single, opened_below
from services.folder.paths import RefusedPath, parts_of, problem_of_name

MAX_ENTRIES = 20_000

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder, by its path below the opened one; `bytes` is None of a folder."""

    path: str
    kind: Literal["file", "folder"]
    bytes: int | None


class Folder:
    """An opened folder. Every method blocks, so call it in a thread.

    All of them raise:
        RefusedPath: the path leads outside, through a link, or to something that is no such file or folder.
        OSError: the system says no; its `strerror` says why.
    """

    def __init__(self, path: Path, *, with_openat2: bool | None = None) -> None:
        self.path = path
        self._with_openat2 = with_openat2

    def read(self, path: str, max_bytes: int) -> bytes:
        """The content of the file at `path`; refused when it has more than `max_bytes`."""
        with self._opened(parts_of(path), FILE) as file:
            return content_of(file, path, max_bytes)

    def entries(self, path: str = ".") -> list[Entry]:
        """What stands in the folder at `path`, by name: files and folders that can be opened, and nothing else."""
        with self._opened(parts_of(path), DIRECTORY) as directory:
            return sorted(_entries(directory, "" if path == "." else f"{path}/"), key=lambda entry: entry.path)

    def write(self, path: str, content: bytes) -> bool:
        """Put `content` in the place of the file at `path`, all of it or nothing; whether there was none before.

        Folders on the way are made. Whoever reads the file meanwhile has the old content.
        """
        parts = parts_of(path)
        if not parts:
            raise RefusedPath("'.' is the folder itself; write a file in it, such as 'notes/plan.txt'")
        self._make_folders(parts[:-1])
        with self._opened(parts[:-1], DIRECTORY) as directory:
            is_new = _may_take_the_place_of(directory, parts[-1], path)
            _put(directory, parts[-1], content)
        return is_new

    @contextmanager
    def _opened(self, parts: tuple[str, ...], flags: int) -> Iterator[int]:
        descriptor = opened_below(self.path, parts, flags, with_openat2=self._with_openat2)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_folders(self, parts: tuple[str, ...]) -> None:
        for depth in range(len(parts)):
            with self._opened(parts[:depth], DIRECTORY) as directory, suppress(FileExistsError):
                os.mkdir(parts[depth], 0o755, dir_fd=directory)


def _entries(directory: int, before: str) -> Iterator[Entry]:
    with os.scandir(directory) as found:
        for count, item in enumerate(found):
            if count >= MAX_ENTRIES:
                raise RefusedPath(f"{before or '.'!r} holds more than {MAX_ENTRIES:,} names; name a folder in it")
            if problem_of_name(item.name) is not None:
                continue
            with suppress(FileNotFoundError):
                state = item.stat(follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    yield Entry(before + item.name, "folder", None)
                elif is_single(state):
                    yield Entry(before + item.name, "file", state.st_size)


def _may_take_the_place_of(directory: int, name: str, path: str) -> bool:
    """Whether nothing has that name; refused when what has it is no file that could be read."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return True
    if not is_single(found):
        raise RefusedPath(f"{path!r} is not a regular file with one name, so it is not replaced")
    return False


def _put(directory: int, name: str, content: bytes) -> None:
    # Hidden, so that no role sees it. A rename takes the place of whatever has the name by then and follows nothing.
    beside = f".{secrets.token_hex(8)}.new"
    file = os.open(beside, _NEW_FILE, 0o644, dir_fd=directory)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(file)
        os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside, dir_fd=directory)
        raise
    os.fsync(directory)
