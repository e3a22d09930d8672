"""R8: what is taken away for a while, what health says of that, and how soon all works again once it is back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg
import msgspec

from db.connection import CannotOpen, connect
from services import health
from services.models.catalog import Models
from tests.chaos import flows
from tests.chaos.arena import Arena, becomes_true

RESUMES_WITHIN_SECONDS = 5.0
NOTICED_WITHIN_SECONDS = 5.0
ANSWERS_WITHIN_SECONDS = 2.0
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
    """Nobody hears a hint: the connections that listen are cut, and this process gets no other."""
    arena.hears.clear()
    await arena.database.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE ANY ('{%listen%,%notify%}') AND pid <> pg_backend_pid()"
    )
    try:
        yield
    finally:
        arena.hears.set()


@asynccontextmanager
async def starved(arena: Arena) -> AsyncIterator[None]:
    """Every connection of this process is in use; the workers have theirs."""
    async with AsyncExitStack() as stack:
        for pool in (arena.database.pool, arena.database.engine.pool):
            assert pool is not None
            for _ in range(pool.get_max_size()):
                await stack.enter_async_context(pool.acquire())
        yield


OUTAGES: dict[str, Outage] = {
    "away": away, "read only": read_only, "crowded": crowded, "deaf": deaf, "starved": starved
}  # fmt: skip
# What the health of this process says meanwhile, and again afterwards.
SAID: dict[Outage, dict[str, str]] = {
    away: {"status": "degraded", "database": "down"},
    read_only: {"status": "degraded", "database": "read-only"},
    crowded: {},  # this process may have got back a place before all were taken
    deaf: {"status": "degraded", "database": "up", "hints": "off"},
    starved: {"status": "degraded", "database": "up", "pool": "starved"},
}
WELL = {"status": "ok", "database": "up", "pool": "ok", "hints": "ok"}
_MODELS = Models.from_environment({"ROLECALL_MODEL": "offline"})


async def run(arena: Arena, outage: Outage, seconds: float, **environment: str) -> list[str]:
    """Take something away while executions are under way, for `seconds`; what was wrong then or afterwards."""
    document = await flows.save(flows.SLOW)
    process = arena.fleet.start(**environment)
    for n in range(_UNDER_WAY):
        await flows.start("slow", {"ms": 300}, f"before {n}")
    await arena.has_begun(_UNDER_WAY)
    wrong = await _said(WELL)
    async with outage(arena):
        wrong += await _said(SAID[outage])
        await asyncio.sleep(seconds)
    back = time.monotonic()
    healthy = asyncio.create_task(_said(WELL))
    await arena.surely(partial(flows.start, "slow", {"ms": 0}, "after"))
    is_over = await arena.all_finished(RESUMES_WITHIN_SECONDS - (time.monotonic() - back))
    wrong += [] if is_over else [f"not everything was over {RESUMES_WITHIN_SECONDS:g} s after the outage"]
    wrong += await healthy
    if process.exitcode is not None:
        wrong.append(f"the worker ended with {process.exitcode}")
    # Whatever could not be written for so long may have been taken over.
    arena.fleet.disturb_all()
    return wrong + await arena.violations(document)


async def _said(expected: dict[str, str]) -> list[str]:
    """Nothing, when the health comes to say this within five seconds, and each time it answers within two."""
    said: dict[str, str] = {}
    slowest = 0.0

    async def says() -> bool:
        nonlocal said, slowest
        began = time.monotonic()
        found = msgspec.to_builtins(await health.check(_MODELS, None))
        slowest = max(slowest, time.monotonic() - began)
        said = {name: found[name] for name in expected}
        return said == expected

    is_said = await becomes_true(says, NOTICED_WITHIN_SECONDS)
    wrong = [] if is_said else [f"health says {said} after {NOTICED_WITHIN_SECONDS:g} s, not {expected}"]
    return wrong + ([f"health took {slowest:.1f} s to answer"] if slowest >= ANSWERS_WITHIN_SECONDS else [])
