"""`files.read` reads text below its folder, and nothing else."""

import os
from pathlib import Path

import pytest

from services.tools.files import MAX_BYTES, read_below
from services.tools.tool import ToolError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "open"
    (below / "sub").mkdir(parents=True)
    (below / "sub" / "a.txt").write_text("naïve text", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret")
    return below


def test_a_file_in_a_folder_below_is_read(folder: Path) -> None:
    assert read_below(folder, "sub/a.txt") == "naïve text"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "sub/../../secret.txt",
        "/etc/passwd",
        "",
        ".",
        "sub",
        "nothing.txt",
        "sub/a.txt/x",
        "a\0b",
        "~/x",
    ],
)
def test_a_path_that_leads_elsewhere_or_to_no_file_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(ToolError):
        read_below(folder, path)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    os.link(tmp_path / "secret.txt", folder / "hard.txt")

    for path in ("link.txt", "up/secret.txt", "hard.txt"):
        with pytest.raises(ToolError):
            read_below(folder, path)


def test_what_is_no_text_of_that_size_is_refused(folder: Path) -> None:
    (folder / "big.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(folder / "pipe")

    for path, said in (("big.txt", "up to 262,144 are read"), ("binary", "is not UTF-8"), ("pipe", "regular file")):
        with pytest.raises(ToolError, match=said):
            read_below(folder, path)
