"""R8: what is taken away from workers for a while, and how soon they work again once it is back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg

from db.connection import CannotOpen, connect
from tests.chaos import flows
from tests.chaos.arena import Arena

RESUMES_WITHIN_SECONDS = 5.0
_UNDER_WAY = 10
Outage = Callable[[Arena], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def away(arena: Arena) -> AsyncIterator[None]:
    """The server is not there."""
    await asyncio.to_thread(arena.server.crash)
    try:
        yield
    finally:
        await asyncio.to_thread(arena.server.start)


@asynccontextmanager
async def read_only(arena: Arena) -> AsyncIterator[None]:
    """The server takes no writes, on old connections or new: a standby, or a disk that is full."""
    await arena.server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await arena.server.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await arena.server.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await arena.server.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def crowded(arena: Arena) -> AsyncIterator[None]:
    """The worker has lost its connections, and others have taken every place."""
    async with AsyncExitStack() as stack:
        await arena.server.cut_off(arena.url)
        with suppress(CannotOpen, asyncpg.PostgresError):
            while True:
                taken = await connect(arena.server.url)
                stack.callback(taken.terminate)
        yield


@asynccontextmanager
async def deaf(arena: Arena) -> AsyncIterator[None]:
    """Nobody hears a hint: the connections that listen are cut."""
    await arena.database.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE ANY ('{%listen%,%notify%}') AND pid <> pg_backend_pid()"
    )
    yield


OUTAGES: dict[str, Outage] = {"away": away, "read only": read_only, "crowded": crowded, "deaf": deaf}


async def run(arena: Arena, outage: Outage, seconds: float, **environment: str) -> list[str]:
    """Take something away while executions are under way, for `seconds`; what was wrong then or afterwards."""
    document = await flows.save(flows.SLOW)
    process = arena.fleet.start(**environment)
    for n in range(_UNDER_WAY):
        await flows.start("slow", {"ms": 300}, f"before {n}")
    await arena.has_begun(_UNDER_WAY)
    async with outage(arena):
        await asyncio.sleep(seconds)
    back = time.monotonic()
    await arena.surely(partial(flows.start, "slow", {"ms": 0}, "after"))
    is_over = await arena.all_finished(RESUMES_WITHIN_SECONDS - (time.monotonic() - back))
    wrong = [] if is_over else [f"not everything was over {RESUMES_WITHIN_SECONDS:g} s after the outage"]
    if process.exitcode is not None:
        wrong.append(f"the worker ended with {process.exitcode}")
    # Whatever could not be written for so long may have been taken over.
    arena.fleet.disturb_all()
    return wrong + await arena.violations(document)
