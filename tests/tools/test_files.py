"""The files tools read, list, search and write below their folder, and nothing else."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from services.folder import Folder, RefusedPath, openat2, search
from services.tools import files
from services.tools.files import MAX_BYTES
from tests.tools.calling import called, refused
from tests.tools.hostile_paths import CANARY, PATHS, planted

RENAME_EXCHANGE = 2


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    there = tmp_path / "outside"
    (there / "deep").mkdir(parents=True)
    for path in (there / "secret.txt", there / "deep" / "secret.txt", tmp_path / "secret.txt"):
        path.write_text(CANARY)
    return there


@pytest.fixture
def opened(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "open"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("first\nsecond Tea\n")
    (folder / "sub" / "a.txt").write_text("naïve text", encoding="utf-8")
    (folder / ".env").write_text(CANARY)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.txt").write_text(CANARY)
    return folder


@pytest.fixture(params=["openat2", "walked"])
def folder(opened: Path, request: pytest.FixtureRequest) -> Folder:
    """The folder, opened in each of the two ways."""
    return Folder(opened, with_openat2=request.param == "openat2")


def test_this_kernel_opens_beneath() -> None:
    assert openat2.is_available()


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(PATHS) == len(set(PATHS)) >= 150


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:40])
def test_a_hostile_path_is_refused_by_everything(folder: Folder, tmp_path: Path, path: str) -> None:
    before = _tree(tmp_path)

    for attempt in _attempts(folder, path):
        with pytest.raises((RefusedPath, OSError)):
            attempt()

    assert _tree(tmp_path) == before


def test_whatever_stands_in_the_folder_leads_nowhere(
    folder: Folder, opened: Path, outside: Path, tmp_path: Path
) -> None:
    paths = planted(opened, outside)
    before = _tree(tmp_path)

    for path in paths:
        for attempt in (lambda path=path: folder.read(path, MAX_BYTES), lambda path=path: folder.entries(path)):
            with pytest.raises((RefusedPath, OSError)):
                attempt()
        with suppress(RefusedPath, OSError):
            folder.write(path, b"written")
    found = search.search(folder, "canary")

    assert (found.matches, found.is_complete) == ([], True)
    assert {entry.path for entry in folder.entries()} == {"a.txt", "sub"}
    # What was written has taken the place of nothing, inside or out.
    assert _tree(tmp_path) == before


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    folder: Folder, opened: Path, outside: Path, tmp_path: Path
) -> None:
    (opened / "swap").mkdir()
    (opened / "swap" / "secret.txt").write_text("inside")
    (opened / "link").symlink_to(outside)
    before = _tree(outside)

    reads = writes = refusals = 0
    with _swapping(opened / "swap", opened / "link"):
        for number in range(500):
            try:
                assert folder.read("swap/secret.txt", MAX_BYTES) == b"inside"
                reads += 1
                folder.write(f"swap/new-{number % 3}.txt", b"written")
                writes += 1
            except (RefusedPath, OSError):
                refusals += 1
            with suppress(RefusedPath, OSError):
                assert CANARY not in str(search.search(folder, CANARY, path="swap").matches)

    assert _tree(outside) == before
    assert min(reads, writes, refusals) > 0


def test_a_file_that_is_swapped_for_a_link_leads_nowhere(folder: Folder, opened: Path, outside: Path) -> None:
    (opened / "file").write_text("inside")
    (opened / "link").symlink_to(outside / "secret.txt")

    seen = set()
    with _swapping(opened / "file", opened / "link"):
        for _ in range(1_500):
            with suppress(RefusedPath, OSError):
                seen.add(folder.read("file", MAX_BYTES))
        for _ in range(50):
            with suppress(RefusedPath, OSError):
                folder.write("file", b"inside")

    assert seen == {b"inside"}
    assert (outside / "secret.txt").read_text() == CANARY


async def test_a_file_is_read_listed_found_and_written(opened: Path) -> None:
    tools = _tools(opened, writable=True)

    written = await called(tools["files.write"], path="notes/plan.txt", text="Tea first.")
    replaced = await called(tools["files.write"], path="a.txt", text="Green tea.")
    listed = await called(tools["files.list"])
    found = await called(tools["files.search"], text="TEA", ignoreCase=True)

    assert (written, replaced) == (
        {"path": "notes/plan.txt", "bytes": 10, "isNew": True},
        {"path": "a.txt", "bytes": 10, "isNew": False},
    )
    assert await called(tools["files.read"], path="sub/a.txt") == "naïve text"
    assert listed == {
        "entries": [
            {"path": "a.txt", "kind": "file", "bytes": 10},
            {"path": "notes", "kind": "folder", "bytes": None},
            {"path": "sub", "kind": "folder", "bytes": None},
        ],
        "isComplete": True,
    }
    assert found == {
        "matches": [
            {"path": "a.txt", "line": 1, "text": "Green tea."},
            {"path": "notes/plan.txt", "line": 1, "text": "Tea first."},
        ],
        "files": 3,
        "isComplete": True,
    }


async def test_nothing_is_written_unless_the_operator_allows_it(opened: Path, tmp_path: Path) -> None:
    before = _tree(tmp_path)

    said = await refused(_tools(opened)["files.write"], path="new.txt", text="x")

    assert said == "nothing is written there; the operator allows it with ROLECALL_FILES_WRITABLE"
    assert _tree(tmp_path) == before


async def test_without_a_folder_each_tool_says_what_to_set() -> None:
    for tool in files.tools(None, writable=True):
        arguments = {"files.list": {}, "files.search": {"text": "x"}, "files.write": {"path": "a", "text": ""}}
        said = await refused(tool, **arguments.get(tool.name, {"path": "a"}))
        assert said == "no folder is open to roles; the operator opens one with ROLECALL_FILES_DIR"


async def test_what_is_no_text_of_that_size_is_refused(opened: Path) -> None:
    tools = _tools(opened, writable=True)
    (opened / "big.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    (opened / "binary").write_bytes(b"\xff\xfe\x00")

    assert "up to 262,144 are read" in await refused(tools["files.read"], path="big.txt")
    assert "is not UTF-8" in await refused(tools["files.read"], path="binary")
    assert "cannot be read: No such file" in await refused(tools["files.read"], path="nothing.txt")
    assert "up to 262,144 are written" in await refused(
        tools["files.write"], path="new", text="ä" * (MAX_BYTES // 2 + 1)
    )
    assert not (opened / "new").exists()


def test_whoever_reads_while_it_is_written_has_the_old_content_or_the_new_one(folder: Folder, opened: Path) -> None:
    contents = {b"old" * 50_000, b"new" * 80_000}
    (opened / "file").write_bytes(min(contents))
    seen = set()

    def write() -> None:
        for _ in range(25):
            for content in contents:
                folder.write("file", content)

    with _thread(write):
        for _ in range(200):
            seen.add(folder.read("file", MAX_BYTES))

    assert seen <= contents
    assert sorted(path.name for path in opened.iterdir()) == [".env", ".hidden", "a.txt", "file", "sub"]


def test_a_search_is_bounded(folder: Folder, opened: Path) -> None:
    (opened / "many.txt").write_text("tea\n" * (search.MAX_MATCHES + 1))
    (opened / "long.txt").write_text("x" * 10_000 + "needle" + "y" * 10_000)

    many = search.search(folder, "tea", path=".")
    (long,) = search.search(folder, "needle").matches

    assert (len(many.matches), many.is_complete) == (search.MAX_MATCHES, False)
    assert len(long.text) == search.MAX_LINE_CHARACTERS and "needle" in long.text


def _tools(folder: Path, **options: Any) -> dict[str, Any]:
    return {tool.name: tool for tool in files.tools(str(folder), **options)}


def _attempts(folder: Folder, path: str) -> Iterator[Callable[[], object]]:
    yield lambda: folder.read(path, MAX_BYTES)
    yield lambda: folder.write(path, b"written")
    if path != ".":  # the folder itself, which may be listed
        yield lambda: folder.entries(path)
        yield lambda: search.search(folder, "a", path=path)


def _tree(folder: Path) -> dict[str, str | bytes]:
    """Everything that stands below `folder`, with the content of files and what links say."""
    tree: dict[str, str | bytes] = {}
    for directory, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(directory, name)
            if path.is_symlink():
                tree[str(path)] = f"link to {path.readlink()}"
            else:
                tree[str(path)] = path.read_bytes() if path.is_file() else "no file"
    return tree


@contextmanager
def _swapping(one: Path, other: Path) -> Iterator[None]:
    """While inside, two names are exchanged again and again, each time at once."""
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    at_working_directory = -100

    def swap() -> None:
        while not ended.is_set():
            names = (os.fsencode(one), at_working_directory, os.fsencode(other))
            exchange(at_working_directory, *names, RENAME_EXCHANGE)

    ended = threading.Event()
    with _thread(swap):
        try:
            yield
        finally:
            ended.set()


@contextmanager
def _thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
