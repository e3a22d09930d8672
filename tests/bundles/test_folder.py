"""Folders that somebody has made to hurt: each is refused, and says which file is meant."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.bundles import joined, read_folder
from services.bundles.folder import MAX_FILES
from services.definitions.yaml12 import MAX_BYTES, MAX_JSON_BYTES
from services.errors import Invalid

ROLE = "{name: Reader, basePrompt: Reads.}"


def link_out(root: Path) -> None:
    (root / "out.yaml").symlink_to("/etc/passwd")


def folder_out(root: Path) -> None:
    (root / "out").symlink_to("/etc")


def loop(root: Path) -> None:
    (root / "loop").symlink_to(root)


def pipe(root: Path) -> None:
    os.mkfifo(root / "pipe.yaml")


def too_many(root: Path) -> None:
    for number in range(MAX_FILES + 1):
        (root / f"{number}.yaml").touch()


def too_long(root: Path) -> None:
    (root / "long.json").write_bytes(b" " * (MAX_JSON_BYTES + 1))


def too_much(root: Path) -> None:
    for number in range(65):
        (root / f"{number}.json").write_bytes(b" " * MAX_JSON_BYTES)


def too_long_for_yaml(root: Path) -> None:
    (root / "long.yaml").write_bytes(b"a: " + b"x" * MAX_BYTES)


def no_utf8(root: Path) -> None:
    (root / "latin.yaml").write_bytes(b"name: caf\xe9")


def no_yaml(root: Path) -> None:
    (root / "broken.yaml").write_text("a: [1")


def bomb(root: Path) -> None:
    (root / "bomb.yaml").write_text("a: &a [1]\nb: *a")


def nul(root: Path) -> None:
    (root / "nul.yaml").write_text('{name: Reader, basePrompt: "a\\0"}')


def same_name(root: Path) -> None:
    (root / "roles").mkdir()
    (root / "roles/Straße.yaml").write_text(ROLE)
    (root / "roles/STRASSE.yaml").write_text(ROLE)


def same_folder(root: Path) -> None:
    for folder in ("Roles", "roles"):
        (root / folder).mkdir()
        (root / folder / "a.yaml").write_text(ROLE)


def same_accent(root: Path) -> None:
    (root / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.yaml").write_text(ROLE)
    (root / "cafe\N{COMBINING ACUTE ACCENT}.yaml").write_text(ROLE)


def unshowable(root: Path) -> None:
    (root / "a\x1b[2J.yaml").write_text(ROLE)


def no_name(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.yaml")).write_text(ROLE)


def nothing(root: Path) -> None:
    root.rmdir()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (link_out, r"out\.yaml is a link, and links are not followed"),
        (folder_out, "out is a link"),
        (loop, "loop is a link"),
        (pipe, r"pipe\.yaml is no regular file"),
        (too_many, "more than 5,000 files"),
        (too_long, r"long\.json has 1,048,577 bytes; up to 1,048,576 are read"),
        (too_much, "more than 67,108,864 bytes together"),
        (too_long_for_yaml, r"long\.yaml: the document is 262,147 bytes long; up to 262,144 are read, of JSON up to"),
        (no_utf8, r"latin\.yaml: the document is not UTF-8 \(byte 9\)"),
        (no_yaml, r"broken\.yaml: the document is not YAML"),
        (bomb, r"bomb\.yaml: the document is not acceptable; /: line 1: anchors and aliases are not read"),
        (nul, r"nul\.yaml: a text in the document holds U\+0000"),
        (same_name, "are the same name on some file systems"),
        (same_folder, "are the same name on some file systems"),
        (same_accent, "are the same name on some file systems"),
        (unshowable, r"the name of 'a\\x1b\[2J\.yaml' cannot be shown"),
        (no_name, r"the name of '\\udcff\.yaml' cannot be shown"),
        (nothing, "is no folder"),
    ],
)
def test_what_could_hurt_is_refused_with_the_file(tmp_path: Path, made: Callable[[Path], None], said: str) -> None:
    made(tmp_path)

    with pytest.raises(Invalid, match=said):
        read_folder(tmp_path)


def test_a_name_that_two_files_give_away_is_a_problem_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ROLE)
    (tmp_path / "b.json").write_text('{"roles": [{"name": "Reader", "basePrompt": ""}, {"name": "Reader"}]}')

    problems = joined(read_folder(tmp_path)).problems

    assert [(it.code, it.path) for it in problems] == [
        ("REQUIRED", "b.json:/roles/1"),
        ("DUPLICATE_NAME", "b.json:/roles/1/name"),
        ("DUPLICATE_NAME", "b.json:/roles/0/name"),
    ]


def test_what_is_hidden_or_of_another_kind_is_not_looked_at(tmp_path: Path) -> None:
    for path in (".git/a.yaml", ".a.yaml", "notes.md", "deep/er/role.yml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(ROLE)
    (tmp_path / "notes").symlink_to(tmp_path / "notes.md")

    assert list(read_folder(tmp_path)) == ["deep/er/role.yml"]
