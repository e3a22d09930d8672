"""`git.*`: the repositories below the opened folder, read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from services.folder import Folder, RefusedPath, parts_of
from services.repositories import Git, GitFailed, NoRepository
from services.repositories.finding import repositories_below
from services.sandbox import Sandbox
from services.sandbox.program import Outcome
from services.tools.files import RelativePath
from services.tools.tool import Tool, ToolContext, ToolError, tool

Repository = Annotated[
    str, msgspec.Meta(min_length=1, max_length=500, description="Its path below the opened folder; `.` is that folder.")
]
Revision = Annotated[
    str, msgspec.Meta(min_length=1, max_length=200, description="A commit: an id, a branch, a tag, HEAD~2 …")
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]

# Nothing that git could take for an option, a range, a path or a search.
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*((\^|~)[0-9]*)*")
_FIELD, _RECORD = "\x1f", "\x1e"
_FORMAT = f"--format=%H{_FIELD}%an{_FIELD}%aI{_FIELD}%s{_RECORD}"
_PATCH = ("--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--no-color")


class Commit(msgspec.Struct, frozen=True):
    """A commit; `subject` is the first line of its message."""

    id: str
    author: str
    date: str
    subject: str


class Patch(msgspec.Struct, frozen=True, rename="camel"):
    """A difference as git prints it, cut at 256 KiB."""

    patch: str
    is_cut: bool


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """A commit with its message and its patch; or, where a path was given, the text of that file in it."""

    text: str
    is_cut: bool


class Change(msgspec.Struct, frozen=True):
    """A path that differs: `staged` in the index, `unstaged` in the working tree, by git's letters; `.` is none."""

    path: str
    staged: str
    unstaged: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """Where a repository stands. `commit` is null before the first one, `branch` null when none is checked out."""

    branch: str | None
    commit: str | None
    changes: list[Change]
    is_cut: bool


class Repositories(msgspec.Struct, frozen=True, rename="camel"):
    """The paths of repositories; `isComplete` is false when there was more to look at."""

    repositories: list[str]
    is_complete: bool


def tools(folder: str | None, sandbox: Sandbox | None) -> tuple[Tool, ...]:
    """The git tools over the repositories below `folder`; without one, or without git, they say what is missing."""
    reader = _Reader(folder, sandbox)

    @tool("git.list", effect="read")
    async def list_(_context: ToolContext) -> Repositories:
        """List the git repositories in the opened folder, up to four folders deep."""
        opened = reader.folder()
        found, is_complete = await repositories_below(Folder(opened))
        return Repositories(found, is_complete)

    @tool("git.log", effect="read")
    async def log(
        _context: ToolContext,
        *,
        repository: Repository = ".",
        revision: Revision = "HEAD",
        path: RelativePath | None = None,
        limit: Limit = 20,
    ) -> list[Commit]:
        """List the commits of a git repository that lead to a revision, the newest first; those that touch a path."""
        arguments = (
            "log",
            f"--max-count={limit}",
            _FORMAT,
            "--end-of-options",
            revision_in(revision),
            "--",
            *_paths(path),
        )
        outcome = await reader.run(repository, *arguments)
        return list(_commits(outcome))

    @tool("git.show", effect="read")
    async def show(
        _context: ToolContext,
        *,
        repository: Repository = ".",
        revision: Revision = "HEAD",
        path: RelativePath | None = None,
    ) -> Shown:
        """Show a commit of a git repository with its message and patch; with a path, the text of that file in it."""
        commit = revision_in(revision)
        if path is not None:
            blob = f"{commit}:{'/'.join(parts(path))}"
            outcome = await reader.run(repository, "cat-file", "blob", blob)
        else:
            outcome = await reader.run(
                repository,
                "show",
                "--stat",
                "--patch",
                "--format=fuller",
                *_PATCH,
                "--end-of-options",
                f"{commit}^0",
                "--",
            )
        return Shown(_text(outcome), outcome.is_cut)

    @tool("git.diff", effect="read")
    async def diff(
        _context: ToolContext,
        *,
        repository: Repository = ".",
        before: Revision = "HEAD",
        after: Revision | None = None,
        path: RelativePath | None = None,
    ) -> Patch:
        """Show what differs in a git repository between two revisions; without the second one, up to the files as they
        are now.
        """
        revisions = [revision_in(it) for it in (before, after) if it is not None]
        outcome = await reader.run(repository, "diff", *_PATCH, "--end-of-options", *revisions, "--", *_paths(path))
        return Patch(_text(outcome), outcome.is_cut)

    @tool("git.status", effect="read")
    async def status(_context: ToolContext, *, repository: Repository = ".") -> Status:
        """Say which branch of a git repository is checked out and which files differ from its last commit."""
        outcome = await reader.run(
            repository, "status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--ignore-submodules=all"
        )
        return status_of(_text(outcome), is_cut=outcome.is_cut)

    return (list_, log, show, diff, status)


class _Reader:
    """Git over the opened folder, its refusals as a tool says them."""

    def __init__(self, folder: str | None, sandbox: Sandbox | None) -> None:
        self._folder = folder
        self._git = None if folder is None else Git.found(Path(folder), sandbox)

    def folder(self) -> Path:
        if self._folder is None:
            raise ToolError("no folder is open to roles; the operator opens one with ROLECALL_FILES_DIR")
        return Path(self._folder)

    async def run(self, repository: str, *arguments: str) -> Outcome:
        self.folder()
        if self._git is None:
            raise ToolError("git is not installed on this machine", is_final=True)
        try:
            return await self._git.run(repository, *arguments)
        except (RefusedPath, NoRepository) as error:
            raise ToolError(str(error), is_final=True) from None
        except GitFailed as error:
            raise ToolError(f"git says: {error}", is_final=True) from None


def revision_in(text: str) -> str:
    """`text`, when it names one commit and nothing else.

    >>> revision_in("HEAD~2")
    'HEAD~2'

    Raises:
        ToolError: it is an option, a range, a search, or what git reads in some other way.
    """
    if not _REVISION.fullmatch(text) or ".." in text or "@{" in text:
        raise ToolError(
            f"{text!r} names no commit; give an id, a branch, a tag, or one with ^ or ~ and a number", is_final=True
        )
    return text


def parts(path: str) -> tuple[str, ...]:
    """The names in a path of a file.

    Raises:
        ToolError: it is none.
    """
    try:
        return parts_of(path)
    except RefusedPath as error:
        raise ToolError(str(error), is_final=True) from None


def status_of(text: str, *, is_cut: bool) -> Status:
    """What `git status --porcelain=v2 --branch -z` has said.

    >>> status_of("# branch.oid (initial)\\0# branch.head main\\0? new.txt\\0", is_cut=False).changes
    [Change(path='new.txt', staged='?', unstaged='?')]
    """
    branch = commit = None
    changes: list[Change] = []
    for record in text.split("\0"):
        match record.split(" ", 2):
            case ["#", "branch.oid", id] if id != "(initial)":
                commit = id
            case ["#", "branch.head", name] if name != "(detached)":
                branch = name
            case ["?", *names]:
                changes.append(Change(" ".join(names), "?", "?"))
            case ["1", letters, rest]:
                changes.append(Change(rest.split(" ", 6)[-1], letters[0], letters[1]))
            case ["u", letters, rest]:
                changes.append(Change(rest.split(" ", 8)[-1], letters[0], letters[1]))
    return Status(branch, commit, changes, is_cut)


def _commits(outcome: Outcome) -> Iterator[Commit]:
    for record in _text(outcome).split(_RECORD):
        fields = record.strip("\n").split(_FIELD)
        if len(fields) == 4:
            yield Commit(*fields)


def _paths(path: str | None) -> tuple[str, ...]:
    return () if path is None else ("/".join(parts(path)) or ".",)


def _text(outcome: Outcome) -> str:
    return outcome.output.decode(errors="replace")
