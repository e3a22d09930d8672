"""Keeping metrics: each hour is read from the journal once, some minutes after it is over."""

import asyncio
import logging

from services import connections
from services.engine.outages import TRANSIENT

_log = logging.getLogger(__name__)
_POLL_SECONDS = 300.0
# An hour of much work is much to read, which nobody waits for.
_LONG_SECONDS = 1_800


async def keep() -> int:
    """Keep the hours that are over and have not been kept; how many they were. Of several processes one keeps each."""
    hours = 0
    while await _keep_next():
        hours += 1
    return hours


async def _keep_next() -> bool:
    async with connections.database().pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = '{_LONG_SECONDS}s'")
        return await connection.fetchval("SELECT step_metrics_keep()", timeout=_LONG_SECONDS) is not None


async def keep_hourly() -> None:
    """Keep what is over, now and every five minutes, until cancelled. A database that is away is asked again."""
    while True:
        try:
            await keep()
        except TRANSIENT as error:
            _log.warning("metrics are kept in five minutes: %r", error)
        await asyncio.sleep(_POLL_SECONDS)
