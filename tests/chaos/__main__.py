"""`make chaos` and `make crash-matrix`: the proofs of durability at full size.

Each part prints what it saw; the exit code says whether anything was wrong. The suite runs the same with small numbers.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.chaos import agent_matrix, cancels, matrix, outages, storm, timers
from tests.chaos.arena import arena
from tests.chaos.server import Server, running
from tests.chaos.worker import HINTS
from tests.models.aimock import aimock_running

Part = Callable[[Server, Path, argparse.Namespace], Awaitable[bool]]


async def _storm(server: Server, directory: Path, given: argparse.Namespace) -> bool:
    wanted = storm.Storm(
        executions=given.executions,
        kills=given.kills,
        stops=given.stops,
        backend_kills=given.backend_kills,
        crashes=given.crashes,
        interval_seconds=given.interval,
        seed=given.seed,
    )
    async with arena(server, directory) as found:
        report = await storm.run(found, wanted)
        print(f"R1 {report}", flush=True)
        return not report.violations and report.reclaimed_p99_seconds <= found.fleet.settings["lease_seconds"] + 2


async def _cancels(server: Server, directory: Path, given: argparse.Namespace) -> bool:
    async with arena(server, directory) as found:
        report = await cancels.run(found, given.cancels, given.seed)
        print(f"R6 {report}", flush=True)
        return not report.violations


async def _timers(server: Server, directory: Path, given: argparse.Namespace) -> bool:
    async with arena(server, directory) as found:
        report = await timers.run(found, given.timers, given.timer_kills, given.seed)
        print(f"R7 {report}", flush=True)
        return not report.violations


async def _outages(server: Server, directory: Path, given: argparse.Namespace) -> bool:
    is_right = True
    for name, outage in outages.OUTAGES.items():
        async with arena(server, directory / name, {}) as found:
            wrong = await outages.run(found, outage, given.away)
            print(f"R8 {name} for {given.away:g} s: {wrong or 'nothing wrong'}", flush=True)
            is_right &= not wrong
    async with arena(server, directory / "no hints", {}) as found:
        wrong = await outages.run(found, outages.deaf, 0.0, **{HINTS: "off"})
        print(f"R8 no hints at all: {wrong or 'nothing wrong'}", flush=True)
    return is_right and not wrong


async def _matrix(server: Server, directory: Path, _: argparse.Namespace) -> bool:
    is_right = True
    for breaks in (False, True):
        async with arena(server, directory / str(breaks)) as found:
            points = matrix.Matrix(found, breaks=breaks)
            for number in range(1, await points.count() + 1):
                await points.crash_at(str(number))
                await points.crash_at(f"after:{number}")
            report = await points.judge()
            print(f"R2 {'failing' if breaks else 'completing'}: {report}", flush=True)
            is_right &= not report.violations
    return is_right


async def _agents(server: Server, directory: Path, _: argparse.Namespace) -> bool:
    with aimock_running() as model:
        async with arena(server, directory, model=model.openai_url) as found:
            points = agent_matrix.AgentMatrix(found, model)
            numbers = range(1, await points.count() + 1)
            # Statements are not counted alike in every run, calls are.
            calls = range(1, sum(" call " in point for point in points.report.points) + 1)
            for at in [*map(str, numbers), *(f"call:{number}" for number in calls)]:
                await points.crash_at(at)
                await points.crash_at(f"after:{at}")
            print(f"agents {points.report}", flush=True)
            return not points.report.violations


PARTS: dict[str, Part] = {
    "storm": _storm, "cancels": _cancels, "timers": _timers, "outages": _outages, "crash-matrix": _matrix,
    "agents": _agents,
}  # fmt: skip


def main() -> int:
    """Run what the command line asks for; 0 when nothing was wrong."""
    given = _arguments()
    logging.getLogger().addHandler(logging.NullHandler())  # that a database is away is expected here
    directory = Path(tempfile.mkdtemp(prefix="rolecall-chaos-", dir=given.directory))
    directory.chmod(0o755)
    try:
        with running(directory) as server:
            results = [asyncio.run(PARTS[part](server, directory / part, given)) for part in given.parts]
    finally:
        if not given.keep:
            shutil.rmtree(directory)
    return 0 if all(results) else 1


def _arguments() -> argparse.Namespace:
    defaults = storm.Storm()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--executions", type=int, default=defaults.executions)
    parser.add_argument("--kills", type=int, default=defaults.kills, help="kill -9 of a worker")
    parser.add_argument("--stops", type=int, default=defaults.stops, help="SIGSTOP of a worker past its lease")
    parser.add_argument("--backend-kills", type=int, default=defaults.backend_kills)
    parser.add_argument("--crashes", type=int, default=defaults.crashes, help="kill -9 of Postgres")
    parser.add_argument("--interval", type=float, default=defaults.interval_seconds, help="seconds between faults")
    parser.add_argument("--cancels", type=int, default=1_000)
    parser.add_argument("--timers", type=int, default=100_000)
    parser.add_argument("--timer-kills", type=int, default=60, help="kill -9 of a worker while timers run")
    parser.add_argument("--away", type=float, default=60.0, help="seconds that each outage lasts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", help="where to put the server and the ledgers: a place that all may enter")
    parser.add_argument("--keep", action="store_true", help="keep them afterwards, with what the workers have logged")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
