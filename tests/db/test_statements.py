"""Statements on connections that are kept: their turns, and what becomes of a connection after all that may happen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import asyncpg
import pytest

from db.connection import connect
from db.statements import Statements

LOCK = "SELECT pg_advisory_lock(7)"
PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
async def statements(database_url: str) -> AsyncIterator[Statements]:
    """One at a time."""
    opened = Statements(partial(connect, database_url), 1)
    yield opened
    await opened.close()


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who holds the lock."""
    connection = await connect(database_url)
    await connection.execute(LOCK)
    yield connection
    await connection.close()


async def _until_waiting(holder: asyncpg.Connection) -> None:
    # Only the database knows.
    while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
        pass


async def test_a_statement_waits_for_its_turn_and_uses_the_same_connection(
    statements: Statements, holder: asyncpg.Connection
) -> None:
    first = asyncio.create_task(statements.fetch(f"{PID}, pg_advisory_lock(7)"))
    await _until_waiting(holder)
    second = asyncio.create_task(statements.fetch(PID))
    turn = asyncio.create_task(statements.turn())
    await _until_waiting(holder)
    assert not (first.done() or second.done() or turn.done())

    await holder.execute("SELECT pg_advisory_unlock(7)")

    assert (await first)[0]["pid"] == (await second)[0]["pid"]
    await turn


async def test_after_one_that_was_cancelled_the_next_has_its_own_answer(
    statements: Statements, holder: asyncpg.Connection
) -> None:
    cancelled = asyncio.create_task(statements.fetch(LOCK))
    await _until_waiting(holder)

    cancelled.cancel()
    rows = await statements.fetch("SELECT 42 AS answer")

    assert [row["answer"] for row in rows] == [42]
    assert cancelled.cancelled()


async def test_a_refusal_leaves_the_connection_as_it_was(statements: Statements) -> None:
    (before,) = await statements.fetch(PID)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await statements.fetch("SELECT 1 / 0")

    assert await statements.fetch(PID) == [before]


async def test_a_connection_that_was_lost_is_made_anew(statements: Statements, database_url: str) -> None:
    (before,) = await statements.fetch(PID)
    observer = await connect(database_url)
    await observer.execute("SELECT pg_terminate_backend($1)", before["pid"])
    await observer.close()
    # Unless the end of the connection has come in already, this one finds out.
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        await statements.fetch(PID)

    (after,) = await statements.fetch(PID)

    assert after["pid"] != before["pid"]


async def test_where_nobody_can_connect_the_turn_is_given_back() -> None:
    async def refused() -> asyncpg.Connection:
        raise ConnectionRefusedError

    statements = Statements(refused, 1)

    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await statements.fetch(PID)


async def test_nothing_runs_once_it_is_closed(database_url: str) -> None:
    statements = Statements(partial(connect, database_url), 2)
    await statements.fetch(PID)

    await statements.close()

    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await statements.fetch(PID)


async def test_closing_waits_for_what_runs_and_refuses_what_waits(
    statements: Statements, holder: asyncpg.Connection
) -> None:
    running = asyncio.create_task(statements.fetch(f"{PID}, pg_advisory_lock(7)"))
    await _until_waiting(holder)
    waiting = asyncio.create_task(statements.fetch(PID))
    closing = asyncio.create_task(statements.close())
    await _until_waiting(holder)
    assert not closing.done()

    await holder.execute("SELECT pg_advisory_unlock(7)")

    assert len(await running) == 1
    await closing
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await waiting
