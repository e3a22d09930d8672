"""The worker processes that programs run in: started when they are needed, never more than so many, one each."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.failure import failed
from services.programs.confinement import Confinement, NoSandbox, write_launcher
from services.programs.limits import Limits
from services.programs.stubs import Library

if TYPE_CHECKING:
    from pydantic_monty import AsyncMonty, AsyncMontySession, ExternalModule, ResourceLimits

_log = logging.getLogger(__name__)
# The interpreter stops a program at its limit; a worker that does not answer so long after that is killed.
_GRACE_SECONDS = 5.0
_PARTING_SECONDS = 0.05


class Workers:
    """At most `at_most` programs at once, each in a process of its own that ends with it. `close` ends them all.

    Whoever is not served yet waits. Nothing is started, or imported, before the first program.
    """

    def __init__(self, limits: Limits | None = None, *, at_most: int = 8) -> None:
        self.limits = limits or Limits()
        self.confinement: Confinement | None = None
        self._at_most = at_most
        self._opening = asyncio.Lock()
        self._pool: AsyncMonty | None = None
        self._folder: Path | None = None

    @asynccontextmanager
    async def session(self, library: Library, *, clock: datetime, seed: str) -> "AsyncIterator[AsyncMontySession]":
        """A fresh interpreter that knows the library's modules, whose clock stands still and whose chance is `seed`.

        Raises:
            Failed: PROGRAM_UNAVAILABLE, when no worker can be started on this machine.
        """
        pool = await self._opened()
        limits: ResourceLimits = {
            "max_feed_duration_secs": self.limits.seconds,
            "max_memory": self.limits.memory_bytes,
            "max_recursion_depth": self.limits.depth,
            # For each call its name, itself and its result; for each module its import; and some more.
            "max_suspensions": 3 * self.limits.calls + 2 * len(library.modules) + 1_000,
        }
        checkout = pool.checkout(
            script_name="program.py",
            limits=limits,
            type_check=True,
            type_check_format="concise",
            type_check_stubs="from typing import Any\ninput: Any\n",
            os_policy={"datetime": clock, "sleep": "zero", "random_start": {"seed": seed}},
            external_modules=_modules(library),
        )
        try:
            session = await checkout.__aenter__()
        except BaseException:
            # A worker that was handed over just when we were cancelled goes back with the last reference to it.
            del checkout
            raise
        try:
            yield session
        finally:
            await checkout.__aexit__(None, None, None)

    async def close(self) -> None:
        """End the worker processes. A session that is still open ends with its program."""
        async with self._opening:
            pool, self._pool = self._pool, None
            if pool is not None:
                await pool.__aexit__(None, None, None)
                # Its threads still let go of what they were told; one that does while Python ends aborts the process.
                await asyncio.sleep(_PARTING_SECONDS)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    async def _opened(self) -> "AsyncMonty":
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
            return self._pool

    async def _open(self) -> "AsyncMonty":
        # Imported where it is wanted: it is a library of 20 MB, and most processes run no program.
        from pydantic_monty import AsyncMonty

        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="rolecall-programs-"))
        try:
            launcher, self.confinement = await write_launcher(self._folder, self.limits.memory_bytes)
        except NoSandbox as error:
            raise failed("PROGRAM_UNAVAILABLE", str(error)) from None
        _log.info("programs run confined by %s, %d at once", self.confinement, self._at_most)
        pool = AsyncMonty(
            binary_path=launcher,
            min_processes=0,
            max_processes=self._at_most,
            # What a program may have done to its interpreter ends with it.
            max_checkouts_per_worker=1,
            request_timeout=self.limits.seconds + _GRACE_SECONDS,
        )
        return await pool.__aenter__()


def _modules(library: Library) -> "dict[str, ExternalModule]":
    from pydantic_monty import ExternalModule

    return {
        module: ExternalModule({function.name: _stand_in for function in functions}, stubs=library.stub(module))
        for module, functions in library.modules.items()
    }


def _stand_in() -> None:
    """What makes a name callable in a program; the calls themselves come to whoever runs it."""
