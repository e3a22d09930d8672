"""Git repositories, and what in them would have an unwary git run a program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Anna",
    "GIT_AUTHOR_EMAIL": "anna@example.com",
    "GIT_COMMITTER_NAME": "Anna",
    "GIT_COMMITTER_EMAIL": "anna@example.com",
    "GIT_AUTHOR_DATE": "2026-11-20T10:00:00Z",
    "GIT_COMMITTER_DATE": "2026-11-20T10:00:00Z",
}


def git(repository: Path, *arguments: str) -> str:
    """What git says, as somebody says it to git at a terminal: with all that stands in the repository's settings."""
    command = ["git", "-C", str(repository), *arguments]
    done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def repository_at(path: Path, *, object_format: str = "sha1") -> Path:
    """A repository with two commits, a tag, a branch, a change that is staged and one that is not."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
    (path / "plan.txt").write_text("tea\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "--message=Begin")
    git(path, "tag", "v1")
    (path / "plan.txt").write_text("tea\ncoffee\n")
    (path / "sub").mkdir()
    (path / "sub" / "more.txt").write_text("more\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "--message=Add coffee\n\nAnd more.")
    git(path, "branch", "side", "v1")
    git(path, "pack-refs", "--all")
    git(path, "branch", "loose/one", "v1")
    (path / "sub" / "more.txt").write_text("more and more\n")
    git(path, "add", "sub")
    (path / "plan.txt").write_text("tea\ncocoa\n")
    (path / "new.txt").write_text("new\n")
    return path


def trap(repository: Path, canary: Path) -> None:
    """Let the repository's settings, hooks and attributes run a program, in every way there is; it makes `canary`."""
    program = repository / ".git" / "trap.sh"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\nexec cat\n")
    program.chmod(0o755)
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "fsmonitor-watchman", "pre-auto-gc", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(program.read_text())
        (hooks / name).chmod(0o755)
    for setting in (
        "core.fsmonitor", "core.pager", "pager.log", "pager.show", "pager.diff", "pager.status", "diff.external",
        "diff.trap.command", "diff.trap.textconv", "filter.trap.clean", "filter.trap.smudge", "filter.trap.process",
        "core.sshCommand", "core.askPass", "core.editor", "credential.helper", "gpg.program", "gpg.ssh.program",
        "interactive.diffFilter", "uploadpack.packObjectsHook", "core.alternateRefsCommand", "alias.log", "alias.show",
    ):  # fmt: skip
        git(repository, "config", setting, f"!{program}" if setting.startswith("alias") else str(program))
    git(repository, "config", "core.hooksPath", str(hooks))
    git(repository, "config", "filter.trap.required", "true")
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "core.preloadIndex", "false")
    attributes = "*.txt diff=trap filter=trap text\n"
    (repository / ".gitattributes").write_text(attributes)
    (repository / ".git" / "info" / "attributes").write_text(attributes)
    # Git believes what it has looked at until a file changes.
    (repository / "plan.txt").write_text("tea\nchocolate\n")
