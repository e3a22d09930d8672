"""Retention: history that is no longer wanted goes, and the journal gets its partitions ahead of time.

Nothing else deletes an execution. The rules stand in the database, which deletes whole executions only: finished long
enough ago, and not referred to by one that stays (a parent that runs on, a restart).
"""

import asyncio
import logging
from datetime import timedelta

import asyncpg

from services import connections, sessions

_log = logging.getLogger(__name__)
_DAY_SECONDS = 86_400.0


async def prune(*, older_than: timedelta, batch: int = 1000) -> int:
    """Delete the executions that finished longer ago than `older_than`, with their history; how many they were.

    Each `batch` of them is a transaction of its own, so nothing is locked for long, and what was done is done when this
    is stopped in the middle. Months of the journal in which nothing is left are dropped whole. Sessions that have ended
    are deleted, too.
    """
    pruned = 0
    while gone := await connections.pool().fetchval("SELECT execution_prune($1, $2)", older_than, batch):
        pruned += gone
    await connections.pool().execute("SELECT journal_drop_partitions()")
    await sessions.delete_ended()
    return pruned


async def add_partitions_daily() -> None:
    """Make the journal's partitions for the next months, now and every day, until cancelled.

    A database that is away or busy is asked again the next day: there are months to go, and what finds no partition of
    its own is kept all the same.
    """
    while True:
        try:
            await connections.pool().execute("SELECT journal_add_partitions()")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _log.warning("the journal's partitions will be made tomorrow: %r", error)
        await asyncio.sleep(_DAY_SECONDS)
