"""What agents ask is asked in the role of agents, whichever way it takes to the database."""

from __future__ import annotations

import asyncpg
import pytest

from db.acting import act_as
from db.connection import Database
from db.tables import Role, Token

WHO = "SELECT current_user AS name"
AGENT = "rolecall_agent"


async def _ways(database: Database) -> list[str]:
    """Who asks, by each way."""
    names = [(await Role.raw(WHO))[0]["name"], (await database.fetch(WHO))[0]["name"]]
    names.append(await database.acting_pool().fetchval(WHO))
    async with database.acting_pool().acquire() as connection, connection.transaction():
        names.append(await connection.fetchval(WHO))
    async with database.transaction():
        names += [(await Role.raw(WHO))[0]["name"], (await database.fetch(WHO))[0]["name"]]
    return names


async def test_an_agent_asks_in_its_role_by_every_way_and_nobody_else_does(database: Database) -> None:
    server = await database.pool.fetchval(WHO)

    before = await _ways(database)
    with act_as("scout", "rpc", is_agent=True):
        as_agent = await _ways(database)
    with act_as("anna", "rpc"):
        as_person = await _ways(database)

    assert (before, as_agent, as_person) == ([server] * 6, [AGENT] * 6, [server] * 6)


async def test_what_no_agent_may_do_is_refused_by_the_database(database: Database) -> None:
    with act_as("scout", "meta", is_agent=True):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for table token"):
            await Token.select()
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for table session"):
            await database.fetch("SELECT * FROM session")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function execution_prune"):
            await database.acting_pool().fetch("SELECT execution_prune('1 day', 1)")


async def test_no_connection_of_agents_is_made_before_one_asks(database: Database) -> None:
    assert database.agents is not None and database.agents_problem is None
    assert (database.agents.tables.get_size(), database.agents.pool.get_size()) == (0, 0)


async def test_a_closed_database_has_closed_the_connections_of_agents_too(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        with act_as("scout", "rpc", is_agent=True):
            await _ways(database)
            pool = database.acting_pool()

    with pytest.raises(asyncpg.InterfaceError):
        await pool.fetchval("SELECT 1")
