"""Looking for a text in the files below a folder, in bounded time whatever stands there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.folder.folder import Entry, Folder
from services.folder.paths import RefusedPath

MAX_MATCHES = 200
MAX_FILES = 5_000
MAX_FILE_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 10.0
MAX_LINE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Match:
    """A line, counted from 1, that holds the text; a long line is cut around it."""

    path: str
    line: int
    text: str


@dataclass(slots=True)
class Search:
    """What was found, in the order of the paths. `is_complete` is False when there was more to look at."""

    matches: list[Match] = field(default_factory=list)
    files: int = 0
    is_complete: bool = True


def search(folder: Folder, text: str, *, path: str = ".", ignore_case: bool = False) -> Search:
    """The lines of UTF-8 files at or below `path` that hold `text`. Larger files and other ones are left out.

    Raises:
        RefusedPath, OSError: as the methods of `Folder`, for `path` itself; what cannot be read below is left out.
    """
    wanted = text.casefold() if ignore_case else text
    found, seen_bytes, ends_at = Search(), 0, time.monotonic() + MAX_SECONDS
    for entry in _files(folder, path):
        if found.files >= MAX_FILES or seen_bytes >= MAX_BYTES or time.monotonic() > ends_at:
            found.is_complete = False
            break
        content = _text(folder, entry)
        found.files += 1
        seen_bytes += len(content)
        for match in _matches(entry.path, content, wanted, ignore_case=ignore_case):
            if len(found.matches) >= MAX_MATCHES:
                found.is_complete = False
                return found
            found.matches.append(match)
    return found


def _files(folder: Folder, path: str) -> Iterator[Entry]:
    """The files at or below `path`, each folder when its turn comes."""
    waiting = list(reversed(folder.entries(path)))
    while waiting:
        entry = waiting.pop()
        if entry.kind == "file":
            yield entry
            continue
        try:
            waiting += reversed(folder.entries(entry.path))
        except (RefusedPath, OSError):
            continue  # too deep, gone meanwhile, or not for us


def _text(folder: Folder, entry: Entry) -> str:
    try:
        content = folder.read(entry.path, MAX_FILE_BYTES)
        return "" if b"\0" in content else content.decode()
    except (RefusedPath, OSError, UnicodeDecodeError):
        return ""


def _matches(path: str, content: str, wanted: str, *, ignore_case: bool) -> Iterator[Match]:
    for number, line in enumerate(content.splitlines(), start=1):
        place = (line.casefold() if ignore_case else line).find(wanted)
        if place >= 0:
            begin = max(0, place - MAX_LINE_CHARACTERS // 3) if len(line) > MAX_LINE_CHARACTERS else 0
            yield Match(path, number, line[begin : begin + MAX_LINE_CHARACTERS])
