"""Hints between processes, and what becomes of them when a connection is lost."""

import asyncio

from db.connection import Database
from services.engine.notifier import Notifier

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()
"""


async def test_who_only_listens_hears_again_after_its_connection_was_cut(database: Database) -> None:
    notifier = Notifier(database.connect)
    listening = asyncio.create_task(notifier.run())
    async with asyncio.timeout(20):
        while not notifier.is_listening:
            await database.pool.execute("SELECT")
        before = await notifier.hears(database.pool)

        await database.pool.execute(CUT)
        while notifier.is_listening:
            await database.pool.execute("SELECT")
        while not notifier.is_listening:
            await database.pool.execute("SELECT")
        after = await notifier.hears(database.pool)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

    assert (before, after) == (True, True)
