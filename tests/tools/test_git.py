"""The git tools read repositories below the opened folder, and nothing that stands in one runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.sandbox import NoSandbox, Sandbox
from services.tools import git as git_tools
from services.tools.tool import Tool
from tests.tools.calling import called, refused
from tests.tools.repositories import git, repository_at, trap

Tools = dict[str, Tool]


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    folder = tmp_path / "open"
    folder.mkdir()
    # In the sandbox of root's processes it is nobody who reads.
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    return folder


@pytest.fixture(params=["sandboxed", "bare"])
async def tools(opened: Path, request: pytest.FixtureRequest) -> AsyncIterator[Tools]:
    """The tools over the folder, with git in the sandbox, if this machine has one, and without."""
    sandbox = None
    if request.param == "sandboxed":
        try:
            sandbox = await Sandbox.probed()
        except NoSandbox as missing:
            pytest.skip(str(missing))
    yield {tool.name: tool for tool in git_tools.tools(str(opened), sandbox)}


async def test_a_repository_is_listed_logged_shown_and_compared(tools: Tools, opened: Path) -> None:
    repository = repository_at(opened / "one")
    repository_at(opened / "deep" / "er" / "two")

    listed = await called(tools["git.list"])
    log = await called(tools["git.log"], repository="one")
    of_path = await called(tools["git.log"], repository="one", path="sub/more.txt", limit=1)
    shown = await called(tools["git.show"], repository="one", revision="HEAD")
    file = await called(tools["git.show"], repository="one", revision="v1", path="plan.txt")
    between = await called(tools["git.diff"], repository="one", before="v1", after="main", path="plan.txt")
    unstaged = await called(tools["git.diff"], repository="one", path="plan.txt")
    status = await called(tools["git.status"], repository="one")

    head = git(repository, "rev-parse", "HEAD").strip()
    assert listed == {"repositories": ["deep/er/two", "one"], "isComplete": True}
    assert [commit["subject"] for commit in log] == ["Add coffee", "Begin"]
    # How it writes UTC depends on git's version.
    date = of_path[0].pop("date").replace("Z", "+00:00")
    assert (date, of_path) == ("2026-11-20T10:00:00+00:00", [{"id": head, "author": "Anna", "subject": "Add coffee"}])
    assert "And more." in shown["text"] and "+coffee" in shown["text"]
    assert file == {"text": "tea\n", "isCut": False}
    assert between["patch"].endswith("@@ -1 +1,2 @@\n tea\n+coffee\n")
    assert unstaged["patch"].endswith(" tea\n-coffee\n+cocoa\n")
    assert status == {
        "branch": "main",
        "commit": head,
        "changes": [
            {"path": "plan.txt", "staged": ".", "unstaged": "M"},
            {"path": "sub/more.txt", "staged": "M", "unstaged": "."},
            {"path": "new.txt", "staged": "?", "unstaged": "?"},
        ],
        "isCut": False,
    }
    assert not (repository / ".git" / "index.lock").exists()


@pytest.mark.parametrize("revision", ["main", "side", "loose/one", "v1", "HEAD~1", "HEAD^", "refs/heads/side"])
async def test_a_revision_is_found_by_its_name(tools: Tools, opened: Path, revision: str) -> None:
    repository = repository_at(opened / "one")

    (commit, *_) = await called(tools["git.log"], repository="one", revision=revision)

    assert commit["id"] == git(repository, "rev-parse", f"{revision}^0").strip()


async def test_other_kinds_of_objects_and_heads_are_read(tools: Tools, opened: Path) -> None:
    repository = repository_at(opened / "one", object_format="sha256")
    git(repository, "checkout", "--quiet", "--force", "--detach", "v1")
    empty = opened / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet", "--initial-branch=main")

    detached = await called(tools["git.status"], repository="one")

    assert (detached["branch"], len(detached["commit"])) == (None, 64)
    assert await called(tools["git.status"], repository="empty") == {
        "branch": "main",
        "commit": None,
        "changes": [],
        "isCut": False,
    }
    assert (await refused(tools["git.log"], repository="empty")).startswith("git says: fatal: ")


def test_the_traps_are_live(opened: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    repository = repository_at(opened / "one")
    trap(repository, canary)

    for arguments in (["status"], ["diff"], ["log", "-p", "--ext-diff", "-1"]):
        subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=False, timeout=30)
        assert canary.exists(), arguments
        canary.unlink()


async def test_nothing_that_stands_in_a_repository_runs(tools: Tools, opened: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    repository = repository_at(opened / "one")
    inner = repository_at(repository / "module")
    git(repository, "add", "module")
    git(repository, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message=Add a module")
    for one in (repository, inner):
        trap(one, canary)
    (inner / "plan.txt").write_text("changed\n")
    (repository / ".gitmodules").write_text('[submodule "module"]\n\tpath = module\n\turl = ext::touch canary\n')
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}

    status = await called(tools["git.status"], repository="one")
    await called(tools["git.diff"], repository="one")
    await called(tools["git.diff"], repository="one", before="v1", after="HEAD")
    await called(tools["git.show"], repository="one", revision="HEAD~1")
    await called(tools["git.show"], repository="one", revision="v1", path="plan.txt")
    await called(tools["git.log"], repository="one", path="plan.txt")
    await called(tools["git.status"], repository="one/module")

    assert not canary.exists()
    assert "plan.txt" in {change["path"] for change in status["changes"]}
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


async def test_objects_and_refs_from_elsewhere_are_not_read(tools: Tools, opened: Path, tmp_path: Path) -> None:
    elsewhere = repository_at(tmp_path / "elsewhere")
    secret = git(elsewhere, "rev-parse", "HEAD").strip()
    for name in ("borrowing", "linked", "linked-object", "pointing", "link", "ref"):
        repository_at(opened / name) if name != "link" else (opened / name).symlink_to(elsewhere)
    (opened / "borrowing/.git/objects/info/alternates").write_text(f"{elsewhere}/.git/objects\n")
    for linked in ("linked/.git/objects", f"linked-object/.git/objects/{secret[:2]}"):
        shutil.rmtree(opened / linked, ignore_errors=True)
        (opened / linked).symlink_to(elsewhere / ".git/objects" / Path(linked).name.replace("objects", "."))
    shutil.rmtree(opened / "pointing/.git")
    (opened / "pointing/.git").write_text(f"gitdir: {elsewhere}/.git\n")
    (opened / "ref/.git/refs/heads/stolen").symlink_to(elsewhere / ".git/HEAD")

    said = {
        name: await refused(tools["git.show"], repository=name, revision=secret)
        for name in ("borrowing", "linked", "linked-object", "pointing", "link")
    }

    assert said["borrowing"] == "the repository borrows objects of another (alternates), which are not read"
    assert said["linked-object"] == "the repository has links among its objects, which are not followed"
    for name in ("linked", "pointing", "link"):
        assert said[name].startswith(f"there is no git repository at {name!r} that can be read"), said[name]
    assert "stolen" in await refused(tools["git.log"], repository="ref", revision="stolen")


@pytest.mark.parametrize(
    "revision",
    [
        "--output=canary",
        "-p",
        "v1..main",
        "v1...main",
        "HEAD:plan.txt",
        ":/Begin",
        "HEAD@{1}",
        "main;id",
        "^HEAD",
        "$(id)",
        "a b",
    ],
)
async def test_what_names_no_commit_is_refused(tools: Tools, opened: Path, revision: str) -> None:
    repository_at(opened / "one")

    for name in ("git.log", "git.show"):
        assert "names no commit" in await refused(tools[name], repository="one", revision=revision)


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", ":(top)plan.txt", ".git/config", "a\0b", "--all"])
async def test_a_path_is_one_below_the_repository(tools: Tools, opened: Path, path: str) -> None:
    repository_at(opened / "one")

    if path == "--all":
        assert await called(tools["git.log"], repository="one", path=path) == []
    else:
        assert "is not a path below" in await refused(tools["git.log"], repository="one", path=path)
        assert "is not a path below" in await refused(tools["git.log"], repository=path)


async def test_much_is_cut(tools: Tools, opened: Path) -> None:
    repository = repository_at(opened / "one")
    (repository / "large.txt").write_text("line\n" * 200_000)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=Large")

    shown: Any = await called(tools["git.show"], repository="one")

    assert (shown["isCut"], len(shown["text"])) == (True, 256 * 1024)


async def test_without_a_folder_it_says_what_to_set() -> None:
    for tool in git_tools.tools(None, None):
        assert "ROLECALL_FILES_DIR" in await refused(tool)
