"""A role to try steps with, and the tools of a test's own."""

from collections.abc import AsyncIterator

import pytest

from db.connection import Database
from services import connections
from services.tools import registry


@pytest.fixture
async def opened(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Services over a database of the test's own, and no tools yet."""
    monkeypatch.setattr(registry, "_tools", {})
    connections.use(database, None)
    yield
    connections.use(None, None)
