"""Processes that get ready, wait for a word, and then work: workers of ours and the scripts of peers.

Such a process prints a line when it is ready and begins when a line is said to it. Ours works until its input is
closed; a peer prints how many seconds its work took, and ends with its input, so that it can be measured until then.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_BENCH = Path(__file__).parents[1]
_END_SECONDS = 30


class Gated:
    """A process that is ready."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"process {self.pid} ended early with {await self._process.wait()}")
        return line.decode().strip()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    async def end(self) -> None:
        """Close its input and wait until it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def gated(*command: str | Path) -> AsyncIterator[Gated]:
    """A process of `command` that is ready; at the end it ends."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=_BENCH
    )
    running = Gated(process)
    try:
        await running.line()
        yield running
    finally:
        with suppress(ProcessLookupError):
            await running.end()


@asynccontextmanager
async def worker(url: str, *, in_flight: int) -> AsyncIterator[Gated]:
    """A worker of ours in a process of its own, connected, that has as many executions in flight at most."""
    async with gated(sys.executable, "-m", "harness.worker", url, str(in_flight)) as running:
        yield running
