"""Retention: history that is no longer wanted goes, old keys are forgotten, and the journal gets its partitions ahead.

Nothing else deletes an execution. The rules stand in the database, which deletes whole executions only: finished long
enough ago, and not referred to by one that stays (a parent that runs on, a restart).
"""

import asyncio
import logging
from datetime import timedelta

import asyncpg

from services import answers, budgets, connections, sessions

_log = logging.getLogger(__name__)
_DAY_SECONDS = 86_400.0
_AT_ONCE = 10_000
_FORGET_KEYS = """
WITH forgotten AS (
  DELETE FROM idempotency_key WHERE (principal, key) IN (
    SELECT principal, key FROM idempotency_key WHERE created_at < now() - interval '24 hours' LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1
) SELECT count(*) FROM forgotten
"""
_FORGET_REQUESTS = """
WITH forgotten AS (
  DELETE FROM execution_request WHERE id IN (
    SELECT id FROM execution_request WHERE answered_at < now() - interval '24 hours' LIMIT $1 FOR UPDATE SKIP LOCKED
  ) RETURNING 1
) SELECT count(*) FROM forgotten
"""


async def prune(*, older_than: timedelta, batch: int = 1000) -> int:
    """Delete the executions that finished longer ago than `older_than`, with their history; how many they were.

    Each `batch` of them is a transaction of its own, so nothing is locked for long, and what was done is done when this
    is stopped in the middle. Months of the journal in which nothing is left are dropped whole. What was spent on days
    so long ago goes too; sessions that have ended, models' answers that are over, and idempotency keys and answered
    requests of more than a day ago go whatever `older_than` says.
    """
    pruned = 0
    while gone := await connections.pool().fetchval("SELECT execution_prune($1, $2)", older_than, batch):
        pruned += gone
    await connections.pool().execute("SELECT journal_drop_partitions()")
    await sessions.delete_ended()
    await answers.forget()
    await budgets.forget_days(older_than)
    await forget_keys()
    return pruned


async def forget_keys() -> None:
    """Let go of the idempotency keys that were used more than 24 hours ago with the answers kept with them, and of the
    requests to start that were answered so long ago.
    """
    for forget in (_FORGET_KEYS, _FORGET_REQUESTS):
        while await connections.pool().fetchval(forget, _AT_ONCE) == _AT_ONCE:
            pass


async def tidy_daily() -> None:
    """Make the journal's partitions for the next months and forget old keys, now and every day, until cancelled.

    A database that is away or busy is asked again the next day: there are months to go, and what finds no partition of
    its own is kept all the same.
    """
    while True:
        try:
            await connections.pool().execute("SELECT journal_add_partitions()")
            await forget_keys()
            await answers.forget()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            _log.warning("partitions are made and keys forgotten tomorrow: %r", error)
        await asyncio.sleep(_DAY_SECONDS)
