"""Git, run over a shadow of a repository: without settings, hooks, network, credentials or a terminal."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.folder.paths import parts_of
from services.repositories.shadow import shadow_of
from services.sandbox import Sandbox, TooLong, program
from services.sandbox.program import Outcome

MAX_SECONDS = 20.0
MAX_OUTPUT_BYTES = 256 * 1024
# Where the sandbox has the repository, and its shadow.
_FOLDER, _SHADOW = "/folder", "/shadow"
_OPTIONS = (
    "--no-pager", "--literal-pathspecs", "--no-optional-locks", "--no-replace-objects",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.attributesFile=/dev/null",
    "-c", "core.excludesFile=/dev/null", "-c", "core.quotePath=false", "-c", "core.symlinks=true",
    "-c", "protocol.allow=never", "-c", "credential.helper=", "-c", "core.askPass=", "-c", "core.sshCommand=false",
    "-c", "log.showSignature=false", "-c", "submodule.recurse=false", "-c", "diff.submodule=short",
    "-c", "color.ui=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
)  # fmt: skip
_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
}


class GitFailed(Exception):
    """Git did not do it; the message is git's own, shortened."""


@dataclass(frozen=True, slots=True)
class Git:
    """The git of this machine over the repositories below `folder`, inside `sandbox` where there is one."""

    path: str
    folder: Path
    sandbox: Sandbox | None

    @classmethod
    def found(cls, folder: Path, sandbox: Sandbox | None) -> "Git | None":
        """The git of this machine; None when it has none."""
        path = shutil.which("git")
        return None if path is None else cls(path, folder.absolute(), sandbox)

    async def run(self, repository: str, *arguments: str) -> Outcome:
        """What git says to `arguments` about the repository at that path; what it writes is cut at 256 KiB.

        Raises:
            NoRepository, RefusedPath: there is none that can be read.
            GitFailed: git refuses, takes more than 20 seconds, or cannot be started.
        """
        parts = parts_of(repository)
        with _temporary() as shadow:
            await asyncio.to_thread(shadow_of, self.folder, parts, shadow)
            try:
                outcome = await self._run(parts, shadow, arguments)
            except TooLong as error:
                raise GitFailed(str(error)) from None
            except OSError as error:
                raise GitFailed(f"git cannot be started: {error.strerror}") from None
        if outcome.exit_code != 0 and not outcome.is_cut:
            said = outcome.errors.decode(errors="replace").replace(str(shadow), "").strip()
            raise GitFailed(said[:500] or f"git ended with {outcome.exit_code}")
        return outcome

    async def _run(self, parts: tuple[str, ...], shadow: Path, arguments: tuple[str, ...]) -> Outcome:
        if self.sandbox is None:
            work = self.folder.joinpath(*parts)
            return await program.run(
                (self.path, *_OPTIONS, *arguments),
                seconds=MAX_SECONDS,
                max_output_bytes=MAX_OUTPUT_BYTES,
                environment={"PATH": "/usr/bin:/bin", **_environment(str(work), str(shadow))},
                cwd=work,
            )
        inside = "/".join((_FOLDER, *parts))
        return await self.sandbox.run(
            ("git", *_OPTIONS, *arguments),
            seconds=MAX_SECONDS,
            max_output_bytes=MAX_OUTPUT_BYTES,
            environment=_environment(inside, _SHADOW),
            readable={_FOLDER: self.folder, _SHADOW: shadow},
            directory=inside,
        )


def _environment(work: str, shadow: str) -> dict[str, str]:
    places = {
        "GIT_DIR": shadow,
        "GIT_WORK_TREE": work,
        "GIT_INDEX_FILE": f"{shadow}/index",
        "GIT_OBJECT_DIRECTORY": f"{work}/.git/objects",
    }
    return {**_ENVIRONMENT, **places}


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rolecall-git-", ignore_cleanup_errors=True) as path:
        yield Path(path)
