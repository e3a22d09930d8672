"""A sandbox of namespaces (bubblewrap): no network, no files but the machine's programs, no rights, few resources."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.sandbox import program, seccomp
from services.sandbox.program import Outcome, TooLong

MAX_OUTPUT_BYTES = 256 * 1024
MAX_SECONDS = 60.0

# Whoever is nobody, in every distribution.
_NOBODY = 65534
_PROBE_SECONDS = 10.0
_TEMPORARY_BYTES = 64 * 1024 * 1024
_LIMITS = ("--as=1073741824", "--fsize=67108864", "--nofile=256", "--nproc=128", "--core=0")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108 of the sandbox
# What programs are loaded with, where it is not below /usr already.
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Once everything has its place, nothing is put beside it.
_CLOSE = ("--remount-ro", "/")
_CONFIGURATION = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")


class NoSandbox(Exception):
    """There is no sandbox on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A way to run programs that was tried on this machine. `prefix` makes an ordinary user of root."""

    bwrap: str
    prefix: tuple[str, ...]

    @classmethod
    async def probed(cls) -> "Sandbox":
        """The sandbox of this machine, once a program has run in it.

        Raises:
            NoSandbox: none has, and why.
        """
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise NoSandbox("bubblewrap (bwrap) is not installed")
        # A user of the sandbox that is root outside would have root's limits: none.
        prefix = (
            () if os.getuid() else (_found("setpriv"), f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
        )
        _found("prlimit")
        sandbox = cls(bwrap, prefix)
        try:
            outcome = await sandbox.run(("/bin/sh", "-c", "exit 0"), seconds=_PROBE_SECONDS)
        except (OSError, TooLong) as error:
            raise NoSandbox(f"bubblewrap does not work here: {error}") from None
        if outcome.exit_code != 0:
            said = outcome.errors.decode(errors="replace").strip() or f"it ended with {outcome.exit_code}"
            raise NoSandbox(f"bubblewrap does not work here, maybe for want of user namespaces: {said[:500]}")
        return sandbox

    async def run(
        self,
        command: Sequence[str],
        *,
        seconds: float = MAX_SECONDS,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
        given: bytes = b"",
        environment: Mapping[str, str] = {},
        readable: Mapping[str, Path] = {},
        directory: str = "/tmp",  # noqa: S108 of the sandbox
    ) -> Outcome:
        """What became of `command`, begun in `directory`. It sees the folders of `readable`, by their paths inside, and
        writes below `/tmp` only, 64 MiB that are gone afterwards.

        Raises:
            TooLong: it takes more than `seconds`.
            OSError: it cannot be started.
        """
        mounts = [part for inside, outside in readable.items() for part in ("--ro-bind", str(outside), inside)]
        filter_ = _filter()
        try:
            seen = (*_see(), *mounts, *_CLOSE, "--chdir", directory, *_filtered(filter_), "--")
            limits = ("prlimit", f"--cpu={max(1, int(seconds))}", *_LIMITS, "--")
            return await program.run(
                (*self.prefix, self.bwrap, *seen, *limits, *command),
                seconds=seconds,
                max_output_bytes=max_output_bytes,
                given=given,
                environment={**_ENVIRONMENT, **environment},
                pass_fds=() if filter_ is None else (filter_,),
            )
        finally:
            if filter_ is not None:
                os.close(filter_)


def _see() -> tuple[str, ...]:
    """What every program sees, and nothing else."""
    see = [
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    ]
    see += ["--hostname", "sandbox", "--ro-bind", "/usr", "/usr"]
    for path in _SYSTEM:
        if Path(path).is_symlink():
            see += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            see += ["--ro-bind", path, path]
    for path in _CONFIGURATION:
        see += ["--ro-bind-try", path, path]
    see += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):  # noqa: S108 of the sandbox
        see += ["--size", str(_TEMPORARY_BYTES), "--tmpfs", path]
    return (*see, "--remount-ro", "/dev")


def _filter() -> int | None:
    """A descriptor of the filter of calls, to be closed; None where there is none for this machine."""
    filter_ = seccomp.filter_of()
    if filter_ is None:
        return None
    descriptor = os.memfd_create("seccomp")
    os.write(descriptor, filter_)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _filtered(descriptor: int | None) -> tuple[str, ...]:
    return () if descriptor is None else ("--seccomp", str(descriptor))


def _found(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NoSandbox(f"{name} (util-linux) is not installed")
    return path
