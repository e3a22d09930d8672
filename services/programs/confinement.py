"""How a worker process is started: with nothing of ours in reach, as far as this machine allows."""

import asyncio
import shlex
import shutil
import sysconfig
from pathlib import Path
from typing import Literal, TypeAlias

Confinement: TypeAlias = Literal["bubblewrap", "limits"]

# What the interpreter, its stacks and the type checker take beside a program's own memory.
_OWN_BYTES = 512 * 1024 * 1024
# Far beyond what the interpreter's own limit lets a program compute: only a worker that hangs reaches it.
_CPU_SECONDS = 120
_FILES = 64
_PATIENCE_SECONDS = 10.0
# Nobody's user, in namespaces without a network or processes, over an empty file system with the system's libraries.
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_BUBBLEWRAP = (
    "--unshare-all --unshare-user --uid 65534 --gid 65534 --cap-drop ALL --new-session --die-with-parent --clearenv "
    + " ".join(f"--ro-bind-try {folder} {folder}" for folder in _LIBRARIES)
)


class NoSandbox(Exception):
    """No worker process can be started; says why."""


async def write_launcher(folder: Path, memory_bytes: int) -> tuple[Path, Confinement]:
    """A script in `folder` that starts a worker process, and how that is confined: with bubblewrap where it works.

    Raises:
        NoSandbox: no script that starts the interpreter works here.
    """
    binary = _binary()
    script = folder / "worker"
    said = ""
    for confinement, command in _commands(binary):
        limits = f"ulimit -v {(memory_bytes + _OWN_BYTES) // 1024}\nulimit -t {_CPU_SECONDS}\nulimit -n {_FILES}\n"
        # What a worker says when it dies is told by the pool; nobody needs to read it in our log.
        script.write_text(f'#!/bin/sh\nulimit -c 0\nulimit -f 0\n{limits}exec {command} "$@" 2>/dev/null\n')
        script.chmod(0o700)
        said = await _problem(script)
        if not said:
            return script, confinement
    raise NoSandbox(f"the interpreter of programs cannot be started: {said}")


def _commands(binary: Path) -> list[tuple[Confinement, str]]:
    commands: list[tuple[Confinement, str]] = [("limits", shlex.quote(str(binary)))]
    if bubblewrap := shutil.which("bwrap"):
        inside = f"--ro-bind {shlex.quote(str(binary))} /program /program"
        commands.insert(0, ("bubblewrap", f"{shlex.quote(bubblewrap)} {_BUBBLEWRAP} {inside}"))
    return commands


def _binary() -> Path:
    beside = Path(sysconfig.get_path("scripts")) / "monty"
    found = str(beside) if beside.is_file() else shutil.which("monty")
    if found is None:
        raise NoSandbox("the interpreter of programs is not installed; `pip install pydantic-monty` does that")
    return Path(found).resolve()


async def _problem(script: Path) -> str:
    """Why the script does not start the interpreter; empty when it does."""
    try:
        process = await asyncio.create_subprocess_exec(
            script, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return f"{script}: {error.strerror}"
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{script} has not ended within {_PATIENCE_SECONDS:g} seconds"
    return "" if process.returncode == 0 and said else f"{script} ended with {process.returncode}"
