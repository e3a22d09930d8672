"""A worker process: the engine's own worker, with performers that write down what they do.

    ROLECALL_DATABASE_URL=… ROLECALL_CHAOS_DIRECTORY=… python -m tests.chaos.worker

The environment says everything: the database, the directory of the ledger, `WorkerSettings` as JSON, whether hints are
heard, the name of its machine, where to crash, and whether the checkpoint has lost its fence.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvloop

from db.connection import CannotOpen, Database
from services import connections, plans
from services.engine import checkpoint
from services.engine.exchange import Exchange
from services.engine.notifier import Notifier
from services.engine.performer import Attempt, Performer
from services.engine.sql import statement
from services.engine.worker import Worker, WorkerSettings
from services.failure import failed
from services.json import Json
from services.steps import orchestration, wait
from tests.chaos import crash
from tests.chaos.fence import unfenced
from tests.chaos.ledger import Ledger

DIRECTORY = "ROLECALL_CHAOS_DIRECTORY"
SETTINGS = "ROLECALL_CHAOS_SETTINGS"
HINTS = "ROLECALL_CHAOS_HINTS"
UNFENCED = "ROLECALL_CHAOS_UNFENCED"
HOST = "ROLECALL_CHAOS_HOST"


Performers: TypeAlias = Callable[[Mapping[str, str], Ledger, crash.Points], dict[str, Performer]]


def main(environment: Mapping[str, str], performers: Performers | None = None) -> None:
    """Work until SIGTERM, or until killed; as tools of `perform`'s unless others are given."""
    directory = Path(environment[DIRECTORY])
    log = directory / f"{os.getpid()}.log"
    logging.basicConfig(filename=log, level=logging.INFO, force=True, format="%(asctime)s %(name)s %(message)s")
    points = crash.Points()
    if crash.VARIABLE in environment:
        points = crash.Points(environment[crash.VARIABLE], directory / f"{os.getpid()}.points")
        points.wrap_statements()
    if host := environment.get(HOST):
        socket.gethostname = lambda: host
    if environment.get(UNFENCED):
        checkpoint.statement = lambda name: unfenced(statement(name)) if name == "checkpoint" else statement(name)
    uvloop.run(_work(environment, (performers or _performers)(environment, Ledger(directory), points)))


def _performers(_: Mapping[str, str], ledger: Ledger, points: crash.Points) -> dict[str, Performer]:
    return {
        "tool": partial(perform, ledger, points),
        "wait": wait.perform,
        "orchestration": orchestration.perform,
    }


async def _work(environment: Mapping[str, str], performers: dict[str, Performer]) -> None:
    database = await _opened(environment["ROLECALL_DATABASE_URL"])
    notifier = Notifier(database.connect)
    connections.use(database, notifier)
    settings = msgspec.convert(msgspec.json.decode(environment.get(SETTINGS, "{}")), WorkerSettings)
    worker = Worker(
        database.connect,
        plans.to_run,
        performers,
        settings,
        hint=notifier.hint,
        tell=Exchange(notifier).tell,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    hints = asyncio.create_task(_hear(notifier, worker, is_on=environment.get(HINTS) != "off"))
    await worker.run()
    hints.cancel()
    await asyncio.gather(hints, return_exceptions=True)
    await database.close()


async def _opened(url: str) -> Database:
    """The database, once it is there: a process that starts during an outage waits for its end."""
    while True:
        try:
            return await Database.open(url)
        except CannotOpen as error:
            logging.getLogger(__name__).warning("%s", error)
            await asyncio.sleep(0.1)


async def _hear(notifier: Notifier, worker: Worker, *, is_on: bool) -> None:
    if is_on:
        notifier.listen(worker.wake)
        await notifier.run()


async def perform(ledger: Ledger, points: crash.Points, attempt: Attempt) -> Json:
    """What every tool of the reference orchestrations does: an effect that takes `ms`, and then its answer.

    The first `fails` attempts fail and may be made again; one that `breaks` fails for good.
    """
    asked: Any = attempt.input
    note = partial(
        ledger.add,
        execution=attempt.execution,
        path=attempt.path,
        attempt=attempt.number,
        key=attempt.idempotency_key,
    )
    async with points.passing(f"call {attempt.path}"):
        note("began")
        try:
            await asyncio.sleep(asked.get("ms", 0) / 1000)
        except asyncio.CancelledError:
            note("stopped")
            raise
        note("ended")
    if attempt.number <= asked.get("fails", 0):
        raise failed("TOOL_ERROR", "not yet")
    if asked.get("breaks"):
        raise failed("TOOL_ERROR", "broken", retryable=False)
    return {"at": attempt.path}


if __name__ == "__main__":
    main(os.environ)
