"""What has to be written into a folder so that it holds what the database does."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from services.bundles.folder import folded_path
from services.bundles.reading import documents_in, joined
from services.bundles.records import Bundle, BundleRole, Contents, Format
from services.bundles.writing import alone, text_of
from services.definitions.catalog import Catalog
from services.definitions.diff import changed_fields
from services.definitions.digest import digest
from services.definitions.document import Document
from services.definitions.yaml12 import MAX_BYTES, MAX_JSON_BYTES
from services.errors import Invalid

T = TypeVar("T", BundleRole, Document)

# Names that are devices on Windows, whatever stands behind a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


class FileChange(NamedTuple):
    """A file that is to hold another text, or to go when there is none."""

    path: str
    text: str | None


def changes_to(folder: Mapping[str, Bundle], contents: Contents, known: Catalog, *, prune: bool) -> list[FileChange]:
    """What makes the folder hold these contents. A file that means the same already stays as somebody wrote it.

    What is new gets a file of its own, in `roles` or `orchestrations`. What only the folder has stays, unless it is to
    `prune` that.

    Raises:
        Invalid: the folder has problems, so nobody can tell what it holds; or a file would be longer than what is read.
    """
    if problems := joined(folder).problems:
        raise Invalid("the folder has problems", problems)
    changes: list[FileChange] = []
    held: set[str] = set()
    for path, bundle in folder.items():
        roles, documents = list(bundle.roles.values()), documents_in(bundle, known, file=path)
        held |= {f"role {role.name}" for role in roles} | {f"orchestration {it.name}" for it in documents}
        roles_now = _now(roles, contents.roles or {}, _is_same_role, prune=prune)
        documents_now = _now(documents, contents.documents, _is_same_document, prune=prune)
        if (roles_now, documents_now) != (roles, documents):
            changes.append(FileChange(path, _text(path, roles_now, documents_now, is_alone="" in _places(bundle))))
    taken = {folded_path(path) for path in folder}
    for noun, things in (("role", contents.roles or {}), ("orchestration", contents.documents)):
        for name, thing in things.items():
            if f"{noun} {name}" not in held:
                changes.append(_new_file(f"{noun}s", thing, taken))
    return changes


def written(root: Path, changes: Iterable[FileChange]) -> None:
    """Make these changes in the folder, each file at once or not at all."""
    for change in changes:
        file = root / change.path
        if change.text is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        partly = file.with_name(f".{file.name}.partly")
        partly.write_text(change.text, encoding="utf-8", newline="\n")
        partly.replace(file)


def file_name(folder: str, name: str, taken: Collection[str], suffix: str = ".yaml") -> str:
    """The path of a new file for what has this name: one that is free also where large letters count for nothing.

    >>> file_name("roles", "Reader", {"roles/reader.yaml"}), file_name("roles", "Con", ())
    ('roles/Reader~d8554253.yaml', 'roles/Con~3b6f52aa.yaml')
    """
    plain = f"{folder}/{name}{suffix}"
    if folded_path(plain) not in taken and not _DEVICE.fullmatch(name):
        return plain
    return f"{folder}/{name}~{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"


def _places(bundle: Bundle) -> set[str]:
    return {*bundle.roles, *bundle.orchestrations}


def _now(held: list[T], contents: Mapping[str, T], is_same: Callable[[T, T], bool], *, prune: bool) -> list[T]:
    """What a file is to hold instead: the same thing where it means the same."""
    found: list[T] = []
    for thing in held:
        now = contents.get(thing.name)
        if now is None and prune:
            continue
        found.append(thing if now is None or is_same(thing, now) else now)
    return found


def _is_same_role(a: BundleRole, b: BundleRole) -> bool:
    return not changed_fields(a, b)


def _is_same_document(a: Document, b: Document) -> bool:
    return digest(a) == digest(b)


def _text(path: str, roles: list[BundleRole], documents: list[Document], *, is_alone: bool) -> str | None:
    if not roles and not documents:
        return None
    format: Format = "json" if path.endswith(".json") else "yaml"
    text = alone([*roles, *documents][0], format) if is_alone else text_of(roles, documents, format)
    most = MAX_JSON_BYTES if format == "json" else MAX_BYTES
    if (length := len(text.encode())) > most:
        raise Invalid(f"{path} would have {length:,} bytes, and up to {most:,} are read; split it, or use JSON")
    return text


def _new_file(folder: str, thing: BundleRole | Document, taken: set[str]) -> FileChange:
    # What is too long for YAML is read as JSON.
    suffix = ".yaml" if len(alone(thing).encode()) <= MAX_BYTES else ".json"
    path = file_name(folder, thing.name, taken, suffix)
    taken.add(folded_path(path))
    held = ([thing], []) if isinstance(thing, BundleRole) else ([], [thing])
    return FileChange(path, _text(path, *held, is_alone=True))
