"""The watch over budgets: whether any day has one, and what was reserved for calls that nobody is at any more.

While no day has a budget, calls of executions without one ask the database nothing. Every change of a budget is heard
of by NOTIFY; where that does not arrive it is noticed within a minute.
"""

import logging
from dataclasses import dataclass

from services import connections
from services.row_watch import RowWatch

_log = logging.getLogger(__name__)
_POLL_SECONDS = 60.0
_AT_ONCE = 1_000
# Whoever is at a call owns its execution, under the epoch that it was reserved under.
_ABANDONED = """
SELECT id FROM budget_reservation AS reservation WHERE NOT EXISTS (
  SELECT FROM execution WHERE id = reservation.execution_id AND epoch = reservation.epoch AND owner IS NOT NULL
) LIMIT $1
"""
# All of it is spent, for nobody knows what the provider has done.
_CLOSE = "SELECT budget_settle($1, NULL, NULL) AS was_open"


@dataclass(slots=True)
class _Known:
    is_any_day_limited: bool = False


_known = _Known()


def is_any_day_limited() -> bool:
    """Whether there is a budget of days, as this process has last seen it."""
    return _known.is_any_day_limited


async def close_abandoned() -> int:
    """Settle what was reserved for calls whose worker has died or given up their execution; how many they were.

    Each is a transaction of its own, as when it is settled by who has made it: so no two wait for each other.
    """
    closed = 0
    for row in await connections.database().statements.fetch(_ABANDONED, _AT_ONCE):
        (settled,) = await connections.database().statements.fetch(_CLOSE, row["id"])
        closed += settled["was_open"]
    return closed


class BudgetWatch:
    """The task of a process that watches. Before it runs, `look` says how things stand."""

    def __init__(self) -> None:
        self._watch = RowWatch("budgets", self._tidied, poll_seconds=_POLL_SECONDS)

    def wake(self) -> None:
        """Look at once."""
        self._watch.wake()

    async def look(self) -> None:
        """Find out whether any day has a budget."""
        (row,) = await connections.database().statements.fetch("SELECT EXISTS (SELECT FROM budget) AS is_any")
        _known.is_any_day_limited = row["is_any"]

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._watch.run()

    async def _tidied(self) -> None:
        await self.look()
        if closed := await close_abandoned():
            _log.warning("%d model calls were left open by their workers; they count as spent", closed)
