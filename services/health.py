"""Health: does this installation work right now?"""

import asyncio
from importlib.metadata import version
from typing import Literal

import asyncpg
import msgspec

from services import connections
from services.engine.worker import Worker
from services.errors import Unavailable
from services.models.catalog import Models

VERSION = version("rolecall")

_PATIENCE_SECONDS = 2.0


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether calls are answered and executions run.

    `status` is `ok` when the database answers and some worker is alive. `worker` is this process's own; `workers`
    counts those of all processes.
    """

    status: Literal["ok", "degraded"]
    version: str
    database: Literal["up", "down"]
    worker: Literal["live", "down", "none"]
    workers: int
    default_model: str


async def check(models: Models, worker: Worker | None) -> Health:
    """What works and what does not; it answers within two seconds, also when the database does not."""
    workers = await _live_workers()
    return Health(
        status="ok" if workers else "degraded",
        version=VERSION,
        database="down" if workers is None else "up",
        worker=_state(worker),
        workers=workers or 0,
        default_model=models.default,
    )


async def _live_workers() -> int | None:
    """How many workers have a heartbeat within their lease; None when the database does not say."""
    alive = "SELECT count(*) FROM worker WHERE heartbeat_at + make_interval(secs => lease_seconds) > clock_timestamp()"
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await connections.pool().fetchval(alive)
    except (Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return None


def _state(worker: Worker | None) -> Literal["live", "down", "none"]:
    if worker is None:
        return "none"
    return "live" if worker.is_live else "down"
