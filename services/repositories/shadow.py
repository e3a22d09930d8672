"""A shadow of a repository: a git directory of our own making that has its refs, its index and the way to its objects.

A repository's settings, hooks and attributes can have git run any program. In a shadow they do not stand.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from services.folder.below import DIRECTORY, FILE, content_of, opened_below
from services.folder.paths import RefusedPath

MAX_REFS = 10_000
MAX_REF_DEPTH = 10
MAX_INDEX_BYTES = 64 * 1024 * 1024
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_OBJECT_FILES = 200_000

_HEAD = re.compile(r"ref: refs/[^\x00-\x20~^:?*\[\\\x7f]{1,500}|[0-9a-f]{40}|[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF_NAME = re.compile(r"(?!\.)[A-Za-z0-9_+@=,#%!$&'()-][A-Za-z0-9._+@=,#%!$&'()-]{0,200}")
_SETTING = re.compile(r"^\s*(objectformat|refstorage)\s*=\s*\"?(\w+)\"?\s*$", re.IGNORECASE | re.MULTILINE)


class NoRepository(Exception):
    """What stands there cannot be read as a repository; the message says why."""


def shadow_of(folder: Path, parts: tuple[str, ...], at: Path) -> None:
    """Make, in the empty folder `at`, a shadow of the repository at `parts` below `folder`. Blocks.

    Raises:
        NoRepository: there is none, or it is kept in a way that is not read here.
    """
    git = (*parts, ".git")
    try:
        head = _text(folder, (*git, "HEAD")).strip()
        settings = dict(_SETTING.findall(_text(folder, (*git, "config"))))
        _check_objects(folder, (*git, "objects"))
        index = _content(folder, (*git, "index"), MAX_INDEX_BYTES)
        shallow = _content(folder, (*git, "shallow"), MAX_TEXT_BYTES)
        refs = dict(_packed(folder, git)) | dict(_loose(folder, git, ("refs",)))
    except (OSError, RefusedPath) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoRepository(
            f"there is no git repository at {'/'.join(parts) or '.'!r} that can be read: {reason}"
        ) from None
    formats = {key.lower(): value.lower() for key, value in settings.items()}
    if not _HEAD.fullmatch(head) or formats.get("refstorage", "files") != "files":
        raise NoRepository(
            f"the repository at {'/'.join(parts) or '.'!r} keeps its refs in a way that is not read here"
        )
    _write(at, head, formats.get("objectformat", "sha1"), refs, index, shallow)


def _write(
    at: Path, head: str, object_format: str, refs: dict[str, str], index: bytes | None, shallow: bytes | None
) -> None:
    (at / "refs").mkdir(mode=0o755)
    (at / "HEAD").write_text(f"{head}\n")
    extensions = "[extensions]\n\tobjectFormat = sha256\n" if object_format == "sha256" else ""
    (at / "config").write_text(f"[core]\n\trepositoryFormatVersion = 1\n\tbare = false\n{extensions}")
    (at / "packed-refs").write_text("".join(f"{id} {name}\n" for name, id in sorted(refs.items())))
    for name, content in (("index", index), ("shallow", shallow)):
        if content is not None:
            (at / name).write_bytes(content)
    # Who reads it in the sandbox may be somebody else.
    for path in (at, *at.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _packed(folder: Path, git: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    content = _content(folder, (*git, "packed-refs"), MAX_TEXT_BYTES) or b""
    for line in content.decode(errors="replace").splitlines():
        id, _, name = line.partition(" ")
        if _ID.fullmatch(id) and _is_ref(name):
            yield name, id


def _loose(folder: Path, git: tuple[str, ...], parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The refs at and below `parts`, each with the id that it stands for; one that points to another is left out."""
    directory = opened_below(folder, (*git, *parts), DIRECTORY)
    try:
        names = sorted(os.listdir(directory))[:MAX_REFS]  # noqa: PTH208 of a descriptor
    finally:
        os.close(directory)
    for name in names:
        if not _REF_NAME.fullmatch(name) or len(parts) > MAX_REF_DEPTH:
            continue
        with suppress(OSError, RefusedPath):
            id = _text(folder, (*git, *parts, name)).strip()
            if _ID.fullmatch(id):
                yield "/".join((*parts, name)), id
            continue
        with suppress(OSError):
            yield from _loose(folder, git, (*parts, name))


def _is_ref(name: str) -> bool:
    first, *rest = name.split("/")
    return first == "refs" and 1 <= len(rest) <= MAX_REF_DEPTH and all(map(_REF_NAME.fullmatch, rest))


def _check_objects(folder: Path, parts: tuple[str, ...]) -> None:
    """Nothing, when all of the repository's objects stand in it.

    Raises:
        NoRepository: some are borrowed from another, or there are too many to tell.
    """
    seen = 0
    for path, names in _object_folders(folder, parts):
        seen += len(names)
        if seen > MAX_OBJECT_FILES:
            raise NoRepository(f"the repository has more than {MAX_OBJECT_FILES:,} loose objects; pack it (git gc)")
        if path[-1] == "info" and {"alternates", "http-alternates"}.intersection(names):
            raise NoRepository("the repository borrows objects of another (alternates), which are not read")


def _object_folders(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The folders of objects with the names of their files."""
    directory = opened_below(folder, parts, DIRECTORY)
    try:
        with os.scandir(directory) as found:
            items = [(item.name, item.is_dir(follow_symlinks=False), item.is_symlink()) for item in found]
    finally:
        os.close(directory)
    if any(is_link for _, _, is_link in items):
        raise NoRepository("the repository has links among its objects, which are not followed")
    yield parts, [name for name, is_folder, _ in items if not is_folder]
    for name, is_folder, _ in items:
        if is_folder and parts[-1] == "objects":
            yield from _object_folders(folder, (*parts, name))


def _text(folder: Path, parts: tuple[str, ...]) -> str:
    content = _content(folder, parts, MAX_TEXT_BYTES)
    if content is None:
        raise FileNotFoundError(2, f"it has no {parts[-1]}")
    return content.decode(errors="replace")


def _content(folder: Path, parts: tuple[str, ...], max_bytes: int) -> bytes | None:
    """All that stands in a file; None when there is none."""
    try:
        file = opened_below(folder, parts, FILE)
    except FileNotFoundError:
        return None
    try:
        return content_of(file, parts[-1], max_bytes)
    finally:
        os.close(file)
