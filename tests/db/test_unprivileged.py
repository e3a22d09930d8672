"""Where whoever migrates may make no roles: all works without them, says so, and takes them up once they are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from db import embedded
from db.acting import act_as
from db.connection import CannotOpen, Database, connect
from db.migrate import establish_roles, migrate
from services import health, runtime
from services.models.catalog import Models
from services.settings import Settings
from tests.conftest import NewDirectory

ROLES = ["rolecall_owner", "rolecall_app", "rolecall_agent", "rolecall_admin", "rolecall_readonly"]
OWNERS = """
SELECT DISTINCT pg_get_userbyid(owner) FROM (
  SELECT relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
  UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
) AS made (owner)
"""


@pytest.fixture
def cluster_url(new_directory: NewDirectory) -> Iterator[str]:
    """A server of the test's own, as its superuser: roles are those of a whole server."""
    with new_directory() as directory, embedded.start(directory / "data") as server:
        yield server.url


@pytest.fixture
async def superuser(cluster_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who may do anything."""
    connection = await connect(cluster_url)
    yield connection
    await connection.close()


def _url(cluster_url: str, user: str, database: str) -> str:
    return urlsplit(cluster_url)._replace(netloc=f"{user}@", path=f"/{database}").geturl()


async def _owned_by(superuser: asyncpg.Connection, cluster_url: str, user: str, attributes: str = "") -> str:
    """The URL of a new database of a new user."""
    await superuser.execute(f"CREATE ROLE {user} LOGIN {attributes}")
    await superuser.execute(f"CREATE DATABASE {user} OWNER {user}")
    return _url(cluster_url, user, user)


async def _seen(url: str) -> tuple[str | None, str, set[str]]:
    """What keeps agents from their role, in which role they ask, and whose the tables and functions are."""
    async with await Database.open(url) as database:
        with act_as("scout", "rpc", is_agent=True):
            (asks,) = await database.fetch("SELECT current_user AS name")
        return database.agents_problem, asks["name"], {name for (name,) in await database.pool.fetch(OWNERS)}


async def test_without_the_right_to_make_roles_all_goes_on_and_a_later_migration_takes_them_up(
    superuser: asyncpg.Connection, cluster_url: str
) -> None:
    url = await _owned_by(superuser, cluster_url, "plain")
    await migrate(url)

    missing = await establish_roles(url)
    before = await _seen(url)
    administrator = await connect(_url(cluster_url, "rolecall", "plain"))
    for statement in missing:
        await administrator.execute(statement)
    await administrator.close()
    left = await establish_roles(url)

    assert missing[:5] == [f"CREATE ROLE {role} NOLOGIN" for role in ROLES]
    assert before == ("there is no database role rolecall_agent", "plain", {"plain"})
    assert left == []
    assert await _seen(url) == (None, "rolecall_agent", {"rolecall_owner"})


async def test_who_may_make_roles_makes_them_and_serves_without_a_superuser(
    superuser: asyncpg.Connection, cluster_url: str
) -> None:
    url = await _owned_by(superuser, cluster_url, "creator", "CREATEROLE")

    await migrate(url)

    assert await establish_roles(url) == []
    assert await _seen(url) == (None, "rolecall_agent", {"rolecall_owner"})


async def test_databases_of_one_cluster_are_migrated_at_the_same_time(
    superuser: asyncpg.Connection, cluster_url: str
) -> None:
    for name in ("one", "two", "three"):
        await superuser.execute(f"CREATE DATABASE {name}")

    async with asyncio.TaskGroup() as tasks:
        for name in ("one", "two", "three"):
            tasks.create_task(_established(_url(cluster_url, "rolecall", name)))

    for name in ("one", "two", "three"):
        assert await establish_roles(_url(cluster_url, "rolecall", name)) == []


async def _established(url: str) -> None:
    # By the function itself: our migrations wait for each other within a process.
    async with await Database.open(url) as database:
        await migrate(url)
        await database.pool.execute("SELECT database_roles_establish()")


async def test_a_server_says_what_is_missing_or_does_not_start_without_it(
    superuser: asyncpg.Connection, cluster_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = await _owned_by(superuser, cluster_url, "plain")
    await migrate(url)
    models = Models.from_environment({})

    async with runtime.opened(Settings(), url, models) as opened:
        found = await health.check(opened.models, None)
    with pytest.raises(CannotOpen, match="there is no database role rolecall_agent; `rolecall migrate` says what"):
        async with runtime.opened(Settings(require_database_roles=True), url, models):
            pass

    assert [it for it in found.problems if "there is no database role rolecall_agent" in it]
    assert [it.message for it in caplog.records].count(
        "what agents ask is asked with this server's own rights: there is no database role rolecall_agent"
    ) == 1
