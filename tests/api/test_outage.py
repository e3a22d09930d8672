"""What is answered while the database is away, or nobody works."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

import pytest

from db.connection import connect
from services import connections
from services.engine.notifier import Notifier
from services.health import VERSION
from tests.api.conftest import serving
from tests.conftest import CopyOf


@pytest.fixture
def outage(postgres_url: str, database_url: str) -> Callable[[], Awaitable[None]]:
    """Call it to throw everybody out of the test's database and let nobody in again."""

    async def begin() -> None:
        name = urlsplit(database_url).path.removeprefix("/")
        connection = await connect(postgres_url)
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.close()

    return begin


async def test_without_its_database_it_says_so(database_url: str, outage: Callable[[], Awaitable[None]]) -> None:
    async with serving(database_url) as api:
        await outage()

        health = await api.call("system.health")
        probe = await api.ask("GET", "/health")
        call = await api.call("role.list")

    problem = (
        "The database does not answer: calls are refused and executions stand still until it does. See whether "
        "PostgreSQL runs, has connections left, and is where ROLECALL_DATABASE_URL says."
    )
    degraded = {"status": "degraded", "database": "down", "hints": "off", "workers": 0, "problems": [problem]}
    assert (health.status, {key: health.data[key] for key in degraded}) == (200, degraded)
    assert (probe.status, {key: probe.body[key] for key in degraded}) == (503, degraded)
    assert (call.status, call.error["data"]["code"], call.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "1")


async def test_without_a_worker_anywhere_it_answers_but_is_degraded(database_url: str) -> None:
    async with serving(database_url, with_worker=False) as api:
        probe = await api.ask("GET", "/health")
        call = await api.call("role.list")

    assert (probe.status, probe.body) == (
        200,
        {
            "status": "degraded",
            "version": VERSION,
            "database": "up",
            "pool": "ok",
            "hints": "ok",
            "worker": "none",
            "workers": 0,
            "unanswered": 0,
            "problems": ["No worker is alive, so executions wait. Start `rolecall work` or `rolecall up`."],
            "defaultModel": "offline/extractive",
        },
    )
    assert (call.status, call.data["items"]) == (200, [])


async def test_with_every_connection_in_use_it_says_so_and_takes_itself_out_of_rotation(database_url: str) -> None:
    async with serving(database_url) as api:
        for pool in (api.runtime.database.pool, api.runtime.database.engine.pool):
            assert pool is not None
            async with AsyncExitStack() as stack:
                for _ in range(pool.get_max_size()):
                    await stack.enter_async_context(pool.acquire())
                starved = await api.ask("GET", "/health")
            fed = await api.ask("GET", "/health")

            assert (starved.status, starved.body["database"], starved.body["pool"]) == (503, "up", "starved")
            assert starved.body["problems"][0].startswith("Every database connection of this process is in use")
            assert (fed.status, fed.body["status"]) == (200, "ok")


async def test_with_every_statement_in_use_it_says_so_too(database_url: str) -> None:
    lock = "SELECT pg_advisory_lock(7)"
    async with serving(database_url) as api:
        holder = await api.runtime.database.connect()
        await holder.execute(lock)
        slow = [asyncio.create_task(api.runtime.database.fetch(lock)) for _ in range(8)]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while await holder.fetchval(waiting) < len(slow):
            pass
        starved = await api.ask("GET", "/health")
        await holder.close()
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        fed = await api.ask("GET", "/health")

    assert (starved.status, starved.body["database"], starved.body["pool"]) == (503, "up", "starved")
    assert (fed.status, fed.body["status"]) == (200, "ok")


async def test_where_nothing_is_written_it_still_answers_and_says_so(database_url: str) -> None:
    async with serving(database_url) as api:
        name = urlsplit(database_url).path.removeprefix("/")
        await api.runtime.database.pool.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await api.runtime.database.pool.expire_connections()
        probe = await api.ask("GET", "/health")

    assert (probe.status, probe.body["status"], probe.body["database"]) == (200, "degraded", "read-only")
    assert probe.body["problems"][0].startswith("The database takes no writes")


async def test_where_no_hint_comes_back_it_says_so(database_url: str, copy_of: CopyOf) -> None:
    async with serving(database_url) as api, copy_of("template0") as elsewhere:
        # As behind a pooler in transaction mode: it listens, and what is said is never heard.
        deaf = Notifier(partial(connect, elsewhere))
        hearing = asyncio.create_task(deaf.run())
        notifier = connections.notifier()
        connections.use(api.runtime.database, deaf)
        while not deaf.is_listening:
            await api.ask("GET", "/health")
        probe = await api.ask("GET", "/health")
        connections.use(api.runtime.database, notifier)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)

    assert (probe.status, probe.body["status"], probe.body["hints"]) == (200, "degraded", "off")
    assert probe.body["problems"][0].startswith("Hints do not arrive")


async def test_it_answers_within_two_seconds_while_the_database_stands_still(database_url: str) -> None:
    async with serving(database_url, with_worker=False) as api, api.runtime.database.pool.acquire() as holder:
        async with holder.transaction():
            await holder.execute("LOCK TABLE worker")
            began = time.monotonic()
            probe = await api.ask("GET", "/health")
            took = time.monotonic() - began
        after = await api.ask("GET", "/health")

    assert took < 2.0
    assert (probe.status, probe.body["database"]) == (503, "down")
    assert (after.status, after.body["database"], after.body["pool"]) == (200, "up", "ok")


async def test_a_worker_of_another_process_counts_until_its_lease_has_lapsed(database_url: str) -> None:
    async with serving(database_url, with_worker=False) as api:
        pool = api.runtime.database.pool
        await pool.execute("INSERT INTO worker (id, name, lease_seconds) VALUES (gen_random_uuid(), 'elsewhere', 15)")
        alive = await api.call("system.health")
        await pool.execute("UPDATE worker SET heartbeat_at = heartbeat_at - interval '15 seconds'")

        lapsed = await api.call("system.health")

    assert (alive.data["status"], alive.data["worker"], alive.data["workers"]) == ("ok", "none", 1)
    assert (lapsed.data["status"], lapsed.data["worker"], lapsed.data["workers"]) == ("degraded", "none", 0)
