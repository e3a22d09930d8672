"""Servers of the same API, each a process of its own: ours as `rolecall serve` runs it, and its peers on Node."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

_NODE = Path(__file__).parents[1] / "node"
_ROOT = _NODE.parents[1]
_URL = re.compile(r"http://[\w.]+:\d+")
# What each peer is called, and the package that it is about.
PEERS = {"pg": "pg", "prisma": "@prisma/client"}


class NotInstalled(Exception):
    """A peer cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers."""

    url: str
    pid: int


@asynccontextmanager
async def ours(url: str, directory: Path) -> AsyncIterator[Served]:
    """Ours, without a worker, over the database at `url`."""
    environment = {
        "ROLECALL_DATABASE_URL": url,
        "ROLECALL_DATA_DIR": str(directory),
        "ROLECALL_PORT": "0",
        "ROLECALL_MODEL": "offline",
        # One principal makes all calls. The peers let it; ours counts them as well, but refuses none.
        "ROLECALL_CALLS_PER_SECOND": "1000000",
        "ROLECALL_CALLS_BURST": "1000000",
    }
    async with _served([sys.executable, "-m", "api.cli", "serve"], _ROOT, environment) as served:
        yield served


@asynccontextmanager
async def peer(name: str, url: str) -> AsyncIterator[Served]:
    """An installed peer over the database at `url`."""
    environment = {"DATABASE_URL": url, "NODE_ENV": "production"}
    async with _served([_program("node"), "server.mjs", name], _NODE, environment) as served:
        yield served


def title(name: str) -> str:
    """What stands for a peer in tables."""
    package = msgspec.json.decode((_NODE / "package.json").read_bytes())
    return f"Node, {name} {package['dependencies'][PEERS[name]]}"


def install(name: str) -> None:
    """Make a peer ready to be served.

    Raises:
        NotInstalled: there is no Node, or its packages cannot be had.
    """
    if not (_NODE / "node_modules" / ".package-lock.json").exists():
        # Scripts of packages would fetch programs that nothing here runs.
        _must_succeed(name, _program("npm"), "ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error")
    if name == "prisma":
        # The generator would fetch Prisma's migration engine, which it does not run, unless it is told of one.
        tool = _NODE / "node_modules" / "prisma" / "build" / "index.js"
        _must_succeed(name, _program("node"), str(tool), "generate", PRISMA_SCHEMA_ENGINE_BINARY=sys.executable)


@asynccontextmanager
async def _served(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first = (await process.stdout.readline()).decode()
        found = _URL.search(first)
        if found is None:
            raise RuntimeError(f"{' '.join(command)} did not say where it listens: {first}")
        yield Served(found[0], process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotInstalled(f"the peers need {name}, which is not on PATH")
    return found


def _must_succeed(name: str, *command: str, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=_NODE, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalled(f"{name} cannot be installed: {(done.stderr or done.stdout).strip()[-500:]}")
