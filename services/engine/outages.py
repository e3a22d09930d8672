"""Which errors of the database go away by themselves, and which come again."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from db.connection import CannotOpen
from services.errors import Unavailable

Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection]]

# The database is away or busy: a lost connection, a restart, a fail-over, a full pool, a lock.
DATABASE_AWAY = (
    CannotOpen,
    ConnectionError,
    Unavailable,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)

# On a connection of our own nothing but the database raises these.
TRANSIENT = (*DATABASE_AWAY, OSError, TimeoutError)

# A value or a change that Postgres does not take, now or later.
REFUSALS = (
    ValueError,
    TypeError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ProgramLimitExceededError,
)


def is_away(error: BaseException) -> bool:
    """Whether the database is away. asyncpg's own refusal of a value is an InterfaceError too, and a ValueError."""
    return isinstance(error, DATABASE_AWAY) and not isinstance(error, ValueError)
