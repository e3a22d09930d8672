"""A folder of files that hold roles and orchestrations, read without following links out of it."""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from services.bundles.reading import read
from services.bundles.records import Bundle
from services.definitions.yaml12 import MAX_JSON_BYTES
from services.errors import Invalid

MAX_FILES = 5_000
MAX_TOTAL_BYTES = 64 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")


def read_folder(root: Path) -> dict[str, Bundle]:
    """What each YAML and JSON file of the folder and of those in it holds, by its path from there, in their sequence.

    What begins with a dot is not looked at, nor are files with other endings.

    Raises:
        Invalid: there is no such folder; or in it are a link, more than 5,000 files or 64 MiB, one that is too long, no
            regular file or not readable as a bundle, or two whose names some file systems take for the same.
    """
    if not root.is_dir():
        raise Invalid(f"{root} is no folder")
    found: dict[str, Bundle] = {}
    folded: dict[str, str] = {}
    for path, content in list(_files(root)):  # how much there is decides before any of it is looked into
        other = folded.setdefault(folded_path(path), path)
        if other != path:
            raise Invalid(
                f"{path} and {other} are the same name on some file systems, where one would be lost; rename one"
            )
        try:
            found[path] = read(content)
        except Invalid as refusal:
            raise Invalid(f"{path}: {refusal.message}", refusal.problems) from None
    return dict(sorted(found.items()))


def folded_path(path: str) -> str:
    """The path as file systems see it that know no large letters, or spell accents their own way."""
    return unicodedata.normalize("NFC", path).casefold()


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """The files that may hold something, by their paths from the root, with their contents."""
    count = total = 0
    for place, folders, names, descriptor in os.fwalk(root, onerror=_refuse, follow_symlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = PurePosixPath(Path(place).relative_to(root).as_posix())
        for name in folders:
            if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise _is_link(str(below / name))
        for name in names:
            if name.startswith(".") or not name.endswith(SUFFIXES):
                continue
            path = str(below / name)
            if not path.isprintable():
                raise Invalid(f"the name of {path!a} cannot be shown; rename the file")
            count += 1
            if count > MAX_FILES:
                raise Invalid(f"there are more than {MAX_FILES:,} files in {root}")
            content = _content(name, path, descriptor)
            total += len(content)
            if total > MAX_TOTAL_BYTES:
                raise Invalid(f"the files in {root} have more than {MAX_TOTAL_BYTES:,} bytes together")
            yield path, content


def _content(name: str, path: str, folder: int) -> bytes:
    try:
        # What is no file, such as a pipe, must not keep us waiting.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _is_link(path) from None
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Invalid(f"{path} is no regular file")
        if status.st_size > MAX_JSON_BYTES:
            raise Invalid(f"{path} has {status.st_size:,} bytes; up to {MAX_JSON_BYTES:,} are read")
        return file.read(MAX_JSON_BYTES + 1)


def _is_link(path: str) -> Invalid:
    return Invalid(f"{path} is a link, and links are not followed; put the file there, or leave it out")


def _refuse(error: OSError) -> NoReturn:
    raise Invalid(f"{error.filename} cannot be read: {error.strerror}") from None
