"""What is written is put down to who acts, by whichever way it is written; and to nobody once they are done."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from db.acting import act_as
from db.connection import Database
from db.tables import Role

INSERT = "INSERT INTO role (name, base_prompt, created_by) VALUES ($1, '', 'anna') RETURNING id, name"
ENTRIES = "SELECT array_agg(DISTINCT actor || ' ' || channel) FROM audit WHERE seq > $1"
ACTOR = "SELECT current_setting('rolecall.actor', true) AS actor"


async def _table_saves(database: Database) -> None:
    await Role(name="Coder", base_prompt="", created_by="anna").save()


async def _table_updates(database: Database) -> None:
    await Role.update({Role.description: "Rests."}).where(Role.name == "Spare")


async def _table_deletes(database: Database) -> None:
    await Role.delete().where(Role.name == "Spare")


async def _raw(database: Database) -> None:
    await Role.raw("UPDATE role SET description = 'Rests.' WHERE name = {}", "Spare")


async def _statement(database: Database) -> None:
    (row,) = await database.write(INSERT, "Coder")
    assert list(row.keys()) == ["id", "name"]


async def _statement_in_transaction(database: Database) -> None:
    async with database.transaction():
        await database.write(INSERT, "Coder")


async def _fetch_in_transaction(database: Database) -> None:
    async with database.transaction():
        await database.fetch(INSERT, "Coder")


WAYS = (
    _table_saves, _table_updates, _table_deletes, _raw, _statement, _statement_in_transaction, _fetch_in_transaction
)  # fmt: skip


@pytest.fixture
async def last(database: Database) -> int:
    """The last entry before the test's own, which is about a role that there is."""
    await Role(name="Spare", base_prompt="", created_by="anna").save()
    return await database.pool.fetchval("SELECT max(seq) FROM audit")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_write_is_put_down_to_who_acts(
    database: Database, last: int, way: Callable[[Database], Awaitable[Any]]
) -> None:
    with act_as("anna", "rpc"):
        await way(database)

    assert await database.pool.fetchval(ENTRIES, last) == ["anna rpc"]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_write_of_nobody_is_put_down_to_the_database_user(
    database: Database, last: int, way: Callable[[Database], Awaitable[Any]]
) -> None:
    with act_as("anna", "rpc"):
        await Role.update({Role.description: "Sleeps."}).where(Role.name == "Spare")
    last += 1

    await way(database)

    user = await database.pool.fetchval("SELECT session_user")
    assert await database.pool.fetchval(ENTRIES, last) == [f"{user} sql"]


async def test_reads_pay_nothing(database: Database) -> None:
    with act_as("anna", "rpc"):
        told = [(await Role.raw(ACTOR))[0]["actor"], (await database.fetch(ACTOR))[0]["actor"]]

    assert told == [None, None]


async def test_a_write_that_is_refused_is_told_as_it_is(database: Database, last: int) -> None:
    with act_as("anna", "rpc"):
        for write in (database.write(INSERT, "Spare"), Role(name="Spare", base_prompt="", created_by="anna").save()):
            with pytest.raises(asyncpg.UniqueViolationError):
                await write

    assert await database.pool.fetchval(ENTRIES, last) is None


async def test_a_transaction_that_does_not_begin_keeps_no_connection(database_url: str) -> None:
    async with await Database.open(database_url, table_pool_size=1) as database:
        for _ in range(2):
            with act_as("no \0 text", "rpc"), pytest.raises(asyncpg.PostgresError):
                async with database.transaction():
                    pass

        await _table_saves(database)

        assert await Role.count() == 1
