"""Opening and closing databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from db.connection import CannotOpen, Database, connect
from db.tables import TABLES, Role


async def test_tables_belong_to_the_database_that_was_opened_last(copy_of, template: str) -> None:
    async with copy_of(template) as first, copy_of(template) as second:
        async with await Database.open(first):
            await Role(name="Coder", base_prompt="", created_by="anna").save()
            counts = [await Role.count()]
            async with await Database.open(second):
                counts.append(await Role.count())
        async with await Database.open(first):
            counts.append(await Role.count())

    assert counts == [1, 0, 1]


async def test_a_closed_database_is_no_longer_the_tables(database_url: str) -> None:
    database = await Database.open(database_url)

    await database.close()

    assert [table._meta._db for table in TABLES] == [None] * len(TABLES)
    with pytest.raises(asyncpg.InterfaceError):
        await database.pool.fetchval("SELECT 1")


async def test_a_transaction_over_tables_happens_together_or_not_at_all(database: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction():
            await Role(name="Coder", base_prompt="", created_by="anna").save()
            await Role(name="Coder", base_prompt="", created_by="anna").save()

    assert await Role.count() == 0


async def test_every_session_has_timeouts_and_speaks_utc(database: Database) -> None:
    asked = (
        "SELECT string_agg(current_setting(name), ' ' ORDER BY lower(name)) FROM unnest(ARRAY["
        "'TimeZone', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'application_name'"
        "]) AS name"
    )
    own = await database.connect()

    settings = {
        await database.pool.fetchval(asked),
        await own.fetchval(asked),
        (await Role.raw(asked))[0]["string_agg"],
    }
    await own.close()

    assert settings == {"rolecall 1min 10s 30s UTC"}


async def test_a_pooled_connection_goes_back_without_a_round_trip(database: Database) -> None:
    # The default reset would close all cursors, unlisten and RESET ALL; a setting that stays shows that none was sent.
    async with database.pool.acquire() as connection:
        await connection.execute("SET application_name = 'mark'")

    assert await database.pool.fetchval("SHOW application_name") == "mark"


@pytest.mark.parametrize("run", [lambda database: database.pool.fetch, lambda database: database.fetch])
async def test_closing_cuts_off_a_statement_that_does_not_end(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[Database], Callable[[str], Coroutine[Any, Any, Any]]],
) -> None:
    monkeypatch.setattr("db.connection.CLOSE_TIMEOUT_SECONDS", 0.1)
    database = await Database.open(database_url)
    observer = await connect(database_url)
    endless = asyncio.create_task(run(database)("SELECT pg_sleep(3600)"))
    while not await observer.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"):
        assert not endless.done()

    await database.close()

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await endless
    await observer.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "'' is not the URL of a PostgreSQL database; write postgresql://"),
        ("sqlite:///rolecall.db", "'sqlite:///rolecall.db' is not the URL of a PostgreSQL database"),
        ("postgresql://anna:secret@db:port/rolecall", "'postgresql://anna:***@db:port/rolecall' is not the URL of"),
        ("postgresql://[::1/rolecall", "'postgresql://[::1/rolecall' is not the URL of"),
        ("postgresql:///rolecall?sslmode=sometimes&host=/tmp", "cannot open the database postgresql:///rolecall"),
        ("postgresql:///rolecall?host=/nowhere", "cannot open the database postgresql:///rolecall?host=/nowhere: "),
        ("postgresql://anna:secret@127.0.0.1:1/rolecall", "cannot open the database postgresql://anna:***@127.0.0.1:1"),
    ],
)
async def test_what_cannot_be_opened_is_named_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(CannotOpen) as refusal:
        await Database.open(url)

    assert str(refusal.value).startswith(complaint)


async def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    missing = postgres_url.replace("/rolecall?", "/missing?") if "?" in postgres_url else f"{postgres_url}_missing"

    with pytest.raises(CannotOpen, match=r'database ".*missing" does not exist'):
        await Database.open(missing)


async def test_an_old_server_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.connection.OLDEST_MAJOR_VERSION", 99)

    with pytest.raises(CannotOpen, match=r"is PostgreSQL \d+\.\d+; Rolecall needs 99 or later$"):
        await Database.open(database_url)
