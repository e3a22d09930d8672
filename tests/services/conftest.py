"""Services over a database of the test's own, with two roles."""

from collections.abc import AsyncIterator

import pytest

from db.connection import Database
from services import connections, roles
from services.caller import OPERATOR
from services.tools import files, registry


@pytest.fixture(autouse=True)
async def opened(database: Database) -> AsyncIterator[Database]:
    registry.register(*files.tools(None))
    connections.use(database, None)
    for name in ("Reader", "Writer"):
        await roles.create(OPERATOR, name=name, base_prompt=f"You are the {name}.")
    yield database
    connections.use(None, None)
