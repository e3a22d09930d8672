"""A database with a household of executions that spend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from db.connection import Database
from services import connections
from services.budgets import BudgetWatch
from tests.budgets import household


@pytest.fixture
async def watch(database: Database) -> AsyncIterator[BudgetWatch]:
    """The watch over the budgets of the test's own database, which the services use."""
    connections.use(database, None)
    await household.set_up()
    watch = BudgetWatch()
    await watch.look()
    yield watch
    await database.pool.execute("DELETE FROM budget")
    await watch.look()
    connections.use(None, None)
