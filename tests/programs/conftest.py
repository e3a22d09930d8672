"""Worker processes of the test's own."""

from collections.abc import AsyncIterator

import pytest

from services.programs.limits import Limits
from services.programs.workers import Workers
from tests.programs.world import World

# Tight enough that reaching them takes no time.
TIGHT = Limits(seconds=1.0, depth=100, calls=20, calls_at_once=4, printed_characters=100, value_bytes=1_000)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(TIGHT, at_most=4)
    yield workers
    await workers.close()


@pytest.fixture
def world(workers: Workers) -> World:
    return World(workers)
