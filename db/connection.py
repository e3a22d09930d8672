"""Connections: Piccolo's engine for everyday queries, a bare asyncpg pool for the engine's hot paths."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from db.acting import acting, is_agent
from db.attribution import AttributedTransaction, attributed
from db.statements import Statements
from db.tables import TABLES

OLDEST_MAJOR_VERSION = 14

# The server gives up first, so that a slow statement ends with an error and not with a connection in doubt.
STATEMENT_TIMEOUT_SECONDS = 30
COMMAND_TIMEOUT_SECONDS = 35
CONNECT_TIMEOUT_SECONDS = 10
CLOSE_TIMEOUT_SECONDS = 5

SESSION: Mapping[str, str] = {
    "application_name": "rolecall",
    # Of a user called rolecall, whose schema of that name would come first, too.
    "search_path": "public, pg_temp",
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}

AGENTS_ROLE = "rolecall_agent"
AGENTS_AT_ONCE = 4

# `$1` is what it takes to become another role: to be in it, and since version 16 to be so with the option to SET it.
_AGENTS_PROBLEM = """
SELECT CASE
  WHEN to_regrole('rolecall_agent') IS NULL THEN 'there is no database role rolecall_agent'
  WHEN NOT pg_has_role(to_regrole('rolecall_agent'), $1) THEN format('%s may not SET ROLE rolecall_agent', current_user)
  WHEN NOT coalesce(has_table_privilege('rolecall_agent', to_regclass('role'), 'SELECT'), false)
    THEN 'rolecall_agent has no rights in this database'
END
"""


class CannotOpen(Exception):
    """The database cannot be used; the message says which, why, and what would do."""


class SchemaEngine(PostgresEngine):
    """Piccolo's engine for one URL. Making it touches no server; `Database.open` checks the version.

    With `agents_pool`, what an agent asks is asked of that one.
    """

    def __init__(self, url: str, *, server_settings: Mapping[str, str] = SESSION, **config: Any) -> None:
        self.own_pool: asyncpg.Pool | None = None
        self.agents_pool: asyncpg.Pool | None = None
        super().__init__(config={"dsn": checked(url), "server_settings": dict(server_settings), **config})

    @property
    def pool(self) -> asyncpg.Pool | None:
        """Piccolo takes its connections from here and gives them back here, within one and the same acting."""
        return self.own_pool if self.agents_pool is None or not is_agent() else self.agents_pool

    @pool.setter
    def pool(self, pool: asyncpg.Pool | None) -> None:  # type: ignore[override]
        self.own_pool = pool

    async def check_version(self) -> None:
        """Piccolo would connect here, from its constructor."""

    async def prep_database(self) -> None:
        """No extensions are needed."""

    def transaction(self, allow_nested: bool = True) -> PostgresTransaction:
        """What is done inside `async with` happens together or not at all, and is put down to who acts."""
        return AttributedTransaction(self, allow_nested)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        """The answer to a query of Piccolo's. One that writes, outside a transaction, gets one for its attribution."""
        is_read = querystring.template.lstrip().startswith("SELECT")
        if is_read or acting() is None or self.current_transaction.get() is not None:
            return await super().run_querystring(querystring, in_pool)
        async with self.transaction():
            return await super().run_querystring(querystring, in_pool)


@dataclass(frozen=True, kw_only=True)
class AgentsConnections:
    """Connections for what agents ask, as `Database` has them, made when they are needed.

    Their role is `rolecall_agent`, so that the database refuses what no agent may do, whatever it is asked.
    """

    tables: asyncpg.Pool
    pool: asyncpg.Pool
    statements: Statements

    @classmethod
    async def of(cls, url: str) -> Self:
        """Those to the database at `url`; none is open yet."""
        session = {**SESSION, "role": AGENTS_ROLE}
        return cls(
            tables=await _pool(url, 0, AGENTS_AT_ONCE, session),
            pool=await _pool(url, 0, AGENTS_AT_ONCE, session, reset=_keep_as_it_is),
            statements=Statements(partial(connect, url, session=session), AGENTS_AT_ONCE),
        )

    async def close(self) -> None:
        """As `Database.close`."""
        await _close_or_terminate(self.statements)
        await _close_or_terminate(self.pool)
        await _close_or_terminate(self.tables)


@dataclass(frozen=True, kw_only=True)
class Database:
    """An open database.

    `engine` is Piccolo's, bound to every table. `statements`, reached by `fetch`, is for what is asked all the time,
    `pool` for other statements of our own and for transactions of them. In both, nothing is reset when a connection
    goes back, which saves a round trip, so never LISTEN or SET there; jsonb is text both ways.

    What an agent asks, through the tables, `fetch` and `acting_pool`, is asked over connections of `agents`, where
    there are any; `agents_problem` says why there are none.
    """

    url: str
    engine: SchemaEngine
    pool: asyncpg.Pool
    statements: Statements
    agents: AgentsConnections | None
    agents_problem: str | None

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 8, table_pool_size: int = 8, statements_at_once: int = 8) -> Self:
        """Connect, and bind every table to this database until it is closed or another is opened.

        Raises:
            CannotOpen: the URL is malformed, nobody answers there, or PostgreSQL is older than 14.
        """
        agents_problem = await _look(url)
        agents = await AgentsConnections.of(url) if agents_problem is None else None
        engine = SchemaEngine(url, command_timeout=COMMAND_TIMEOUT_SECONDS, timeout=CONNECT_TIMEOUT_SECONDS)
        await engine.start_connection_pool(min_size=1, max_size=table_pool_size)
        engine.agents_pool = None if agents is None else agents.tables
        try:
            pool = await _pool(url, 1, pool_size, SESSION, reset=_keep_as_it_is)
        except BaseException:
            await _close_or_terminate(engine.own_pool)
            raise
        for table in TABLES:
            table._meta.db = engine
        return cls(
            url=url,
            engine=engine,
            pool=pool,
            statements=Statements(partial(connect, url), statements_at_once),
            agents=agents,
            agents_problem=agents_problem,
        )

    async def connect(self) -> asyncpg.Connection:
        """A connection of the caller's own, who closes it: for what must not wait, such as a heartbeat or a listener.

        Raises:
            CannotOpen: nobody answers, or they refuse.
        """
        return await connect(self.url)

    def transaction(self) -> AbstractAsyncContextManager[PostgresTransaction]:
        """What is done with tables inside `async with` happens together or not at all. Start no tasks in there."""
        return self.engine.transaction()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Inside `async with`, what is read with tables is the state of one moment, and nothing is written."""
        async with PostgresTransaction(self.engine) as transaction:
            await transaction.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """The rows of a statement of our own, as part of the `transaction` that it is called in, if it is in one."""
        transaction = self.engine.current_transaction.get()
        if transaction is None:
            statements = self.statements if self.agents is None or not is_agent() else self.agents.statements
            return await statements.fetch(statement, *values)
        return await transaction.connection.fetch(statement, *values)

    async def fetchrow(self, statement: str, *values: object) -> asyncpg.Record | None:
        """The first row of such a statement, if it has any."""
        return next(iter(await self.fetch(statement, *values)), None)

    async def write(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """As `fetch`, of a statement that changes what the audit keeps, and gives back the rows that it has changed:
        they are put down to who acts.
        """
        who = acting()
        if who is None or self.engine.current_transaction.get() is not None:
            return await self.fetch(statement, *values)
        return await self.fetch(attributed(statement, len(values)), *values, who.actor, who.channel)

    def acting_pool(self) -> asyncpg.Pool:
        """The pool for whoever acts in this task: `pool`, or the agents'."""
        return self.pool if self.agents is None or not is_agent() else self.agents.pool

    async def close(self) -> None:
        """Close every connection but those from `connect`; statements still running after five seconds are cut off."""
        for table in TABLES:
            if table._meta._db is self.engine:
                table._meta._db = None
        engine_pool, self.engine.own_pool, self.engine.agents_pool = self.engine.own_pool, None, None
        if self.agents is not None:
            await self.agents.close()
        await _close_or_terminate(self.statements)
        await _close_or_terminate(self.pool)
        await _close_or_terminate(engine_pool)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def connect(
    url: str, *, session: Mapping[str, str] = SESSION, command_timeout_seconds: float | None = COMMAND_TIMEOUT_SECONDS
) -> asyncpg.Connection:
    """A single connection. The caller closes it.

    Raises:
        CannotOpen: the URL is malformed, nobody answers there, or they refuse.
    """
    try:
        return await asyncpg.connect(
            checked(url),
            command_timeout=command_timeout_seconds,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings=dict(session),
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as problem:
        reason = str(problem) or type(problem).__name__
        raise CannotOpen(f"cannot open the database {shown(url)}: {reason}") from problem


def checked(url: str) -> str:
    """`url`, if it can be one of a PostgreSQL database.

    >>> checked("postgresql://rolecall@localhost/rolecall")
    'postgresql://rolecall@localhost/rolecall'
    >>> checked("postgresql+asyncpg://localhost/rolecall")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    db.connection.CannotOpen: 'postgresql+asyncpg://localhost/rolecall' is not the URL of a PostgreSQL database; ...
    """
    try:
        parts = urlsplit(url)
        # Of several hosts, each may have a port of its own; asyncpg reads those.
        wrong = parts.scheme not in ("postgresql", "postgres") or ("," not in parts.netloc and parts.port == 0)
    except ValueError:
        wrong = True
    if wrong:
        raise CannotOpen(
            f"{shown(url)!r} is not the URL of a PostgreSQL database; write "
            "postgresql://user:password@host:port/database or postgresql:///database?host=/directory/of/the/socket"
        )
    return url


def shown(url: str) -> str:
    """`url` without its password, for messages.

    >>> shown("postgresql://anna:secret@db:5432/rolecall")
    'postgresql://anna:***@db:5432/rolecall'
    """
    url = re.sub(r"(//[^:@/?]*:)[^/?]*@", r"\1***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)


async def _look(url: str) -> str | None:
    """Why nothing can be asked there in the role of agents; None when it can.

    Raises:
        CannotOpen: nobody answers, or PostgreSQL is too old.
    """
    connection = await connect(url)
    try:
        version = connection.get_server_version()
        if version.major < OLDEST_MAJOR_VERSION:
            raise CannotOpen(
                f"{shown(url)} is PostgreSQL {version.major}.{version.minor}; "
                f"Rolecall needs {OLDEST_MAJOR_VERSION} or later"
            )
        return await connection.fetchval(_AGENTS_PROBLEM, "SET" if version.major >= 16 else "MEMBER")
    finally:
        await connection.close()


async def _pool(url: str, min_size: int, max_size: int, session: Mapping[str, str], **config: Any) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings=dict(session),
        **config,
    )


async def _keep_as_it_is(_connection: asyncpg.Connection) -> None:
    """Asyncpg would send a reset, a round trip at every release."""


async def _close_or_terminate(pool: asyncpg.Pool | Statements | None) -> None:
    if pool is None:
        return
    try:
        await asyncio.wait_for(pool.close(), CLOSE_TIMEOUT_SECONDS)
    except TimeoutError:
        pool.terminate()
