"""DBOS: run.py URL SHAPE EXECUTIONS STEPS. Prints `ready`, begins at a line of input, prints the seconds it took.

Workflows and steps are async functions, one hundred workflows at a time, which was faster than a queue. Starting a
workflow is part of the work, as DBOS runs it where it is started; its system database has the default settings.
"""

import asyncio
import sys
import time

from dbos import DBOS, DBOSConfig

AT_ONCE = 100
POOL = 20


@DBOS.step()
async def nothing() -> int:
    """Do nothing."""
    return 1


@DBOS.workflow()
async def sequence(steps: int) -> int:
    """Steps one after another."""
    for _ in range(steps):
        await nothing()
    return steps


@DBOS.workflow()
async def fan(steps: int) -> int:
    """All but one at once, and then that one."""
    await asyncio.gather(*(nothing() for _ in range(steps - 1)))
    return await nothing()


async def run(shape: str, executions: int, steps: int) -> float:
    """Seconds for so many executions."""
    workflow = fan if shape == "fan" else sequence
    left = iter(range(executions))

    async def lane() -> None:
        for _ in left:
            await workflow(steps)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def main(url: str, shape: str, executions: int, steps: int) -> None:
    """Get ready, wait for the word, run."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "sys_db_pool_size": POOL,
        "log_level": "ERROR",
        "application_version": "bench",
    }
    DBOS(config=config)
    DBOS.launch()
    await run(shape, 1, steps)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(await run(shape, executions, steps), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
