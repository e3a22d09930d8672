"""A worker in a process of its own, as `rolecall work` runs it: python -m harness.worker URL IN_FLIGHT [PROFILE].

With PROFILE, the name of a file, it writes what cProfile saw there.
"""

import asyncio
import cProfile
import sys

import uvloop
from harness.workloads import register_tools

from services.models.catalog import Models
from services.runtime import opened
from services.settings import Settings


async def main(url: str, in_flight: int) -> None:
    """Work from the first line of input until the input is closed."""
    settings = Settings(executions=in_flight, attempts=in_flight)
    async with opened(settings, url, Models.from_environment({"ROLECALL_MODEL": "offline"})) as runtime:
        register_tools()
        worker = runtime.worker()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        working = asyncio.create_task(worker.run())
        await asyncio.to_thread(sys.stdin.read)
        worker.stop()
        await asyncio.wait({working}, timeout=1)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        with cProfile.Profile() as profile:
            uvloop.run(main(sys.argv[1], int(sys.argv[2])))
        profile.dump_stats(sys.argv[3])
    else:
        uvloop.run(main(sys.argv[1], int(sys.argv[2])))
