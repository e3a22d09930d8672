"""What is answered while the database is away, or nobody works."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from db.connection import connect
from services.health import VERSION
from tests.api.conftest import serving


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

    degraded = {"status": "degraded", "database": "down", "workers": 0}
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
            "worker": "none",
            "workers": 0,
            "defaultModel": "offline/extractive",
        },
    )
    assert (call.status, call.data) == (200, [])


async def test_a_worker_of_another_process_counts_until_its_lease_has_lapsed(database_url: str) -> None:
    async with serving(database_url, with_worker=False) as api:
        pool = api.runtime.database.pool
        await pool.execute("INSERT INTO worker (id, name, lease_seconds) VALUES (gen_random_uuid(), 'elsewhere', 15)")
        alive = await api.call("system.health")
        await pool.execute("UPDATE worker SET heartbeat_at = heartbeat_at - interval '15 seconds'")

        lapsed = await api.call("system.health")

    assert (alive.data["status"], alive.data["worker"], alive.data["workers"]) == ("ok", "none", 1)
    assert (lapsed.data["status"], lapsed.data["worker"], lapsed.data["workers"]) == ("degraded", "none", 0)
