"""Services over a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from db.connection import Database
from services import connections
from services.tools import files, registry


@pytest.fixture
async def opened(database: Database) -> AsyncIterator[Database]:
    registry.register(*files.tools(None))
    connections.use(database, None)
    yield database
    connections.use(None, None)
