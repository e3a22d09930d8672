"""Claim: running a program costs an agent little beside the model call that wrote it.

Measures milliseconds from a program's text to its outcome, a process of its own included: median and the slowest of 30,
one at a time, without and with bubblewrap. Expect tens of milliseconds, most of them for the type checker, which every
process warms up anew, and about one more for a call; seconds mean that a program costs as much as a model.
"""

import asyncio
import os
import time
from datetime import UTC, datetime
from statistics import median

from services.json import Json, JsonObject
from services.programs.program import run
from services.programs.recorded import Recorded
from services.programs.stubs import Library, library
from services.programs.surroundings import Surroundings
from services.programs.workers import Workers
from services.tools import data

ROUNDS = 30
CALL = "await data.query(data={'n': 1}, path='$.n')"
PROGRAMS = {
    "1 + 1": "1 + 1",
    "10 calls": "\n".join([CALL] * 10),
    "10 calls at once": f"import asyncio\nawait asyncio.gather({', '.join([CALL.removeprefix('await ')] * 10)})",
    "100,000 rounds of a loop": "total = 0\nfor n in range(100_000):\n    total += n % 7\ntotal",
}


async def call(_number: int, _tool: str, _arguments: JsonObject) -> Json:
    """A tool that takes no time."""
    return [1]


async def record(_recorded: Recorded) -> None:
    """A journal that takes no time."""


async def measured(workers: Workers, known: Library, code: str) -> list[float]:
    """Milliseconds of each run."""
    around = Surroundings(
        library=known, workers=workers, call=call, record=record, clock=datetime.now(UTC), seed="bench"
    )
    spent: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await run(code, around)
        spent.append((time.perf_counter() - began) * 1_000)
    return spent


async def main() -> None:
    """Print a line for each program, confined in each way that this machine has."""
    known = library(data.TOOLS)
    path = os.environ.get("PATH", "")
    for shown in ("/nowhere", path):  # bubblewrap is looked for on the path
        os.environ["PATH"] = shown
        workers = Workers()
        await run("1", Surroundings(
            library=known, workers=workers, call=call, record=record, clock=datetime.now(UTC), seed="bench"
        ))  # fmt: skip
        for name, code in PROGRAMS.items():
            spent = await measured(workers, known, code)
            print(f"{workers.confinement:10}  {name:38} {median(spent):7.1f} ms, at most {max(spent):7.1f}", flush=True)
        await workers.close()


if __name__ == "__main__":
    asyncio.run(main())
