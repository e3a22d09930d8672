"""When a token or a session was last used: noted beside the call, once a minute at most."""

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from services import connections
from services.errors import Unavailable

Used: TypeAlias = Literal["token", "session"]

_SECONDS = 60.0
_MAX_REMEMBERED = 10_000
# A row that somebody holds is left alone: the next minute will do.
_NOTE = """
UPDATE {table} SET last_used_at = now() WHERE id = (
  SELECT id FROM {table} WHERE id = $1 AND coalesce(last_used_at < now() - interval '1 minute', true)
  FOR NO KEY UPDATE SKIP LOCKED
)
"""

_log = logging.getLogger(__name__)
# By id, when this process noted it last: a database that takes no writes is not asked with every call.
_noted: OrderedDict[UUID, float] = OrderedDict()
_writing: set[asyncio.Task[None]] = set()


def note(used: Used, id: UUID) -> None:
    """Have it written down that this token or session is in use; nobody waits for that."""
    now = time.monotonic()
    if now - _noted.get(id, -_SECONDS) < _SECONDS:
        return
    _noted[id] = now
    _noted.move_to_end(id)
    if len(_noted) > _MAX_REMEMBERED:
        _noted.popitem(last=False)
    task = asyncio.create_task(_write(used, id), name=f"use of {used} {id}")
    _writing.add(task)
    task.add_done_callback(_writing.discard)


async def written() -> None:
    """Wait until all that was noted is written, or could not be."""
    await asyncio.gather(*_writing)


async def _write(used: Used, id: UUID) -> None:
    try:
        await connections.pool().execute(_NOTE.format(table=used), id)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable, OSError, TimeoutError) as error:
        _log.debug("the use of %s %s was not noted: %r", used, id, error)
