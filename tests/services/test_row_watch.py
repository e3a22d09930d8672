"""A watch over rows goes on, whatever one look comes to."""

import asyncio

import asyncpg
import pytest

from services import background
from services.row_watch import RowWatch


@pytest.mark.parametrize("error", [ConnectionRefusedError(), asyncpg.UndefinedTableError("gone"), ZeroDivisionError()])
async def test_it_looks_again_when_a_look_has_failed(error: Exception) -> None:
    looks: list[int] = []
    seen = asyncio.Event()

    async def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise error
        seen.set()

    watch = RowWatch("rows", look, poll_seconds=600)
    watching = asyncio.create_task(watch.run())
    watch.wake()
    async with asyncio.timeout(30):
        await seen.wait()
    await background.end(watching)

    assert looks == [0, 1]


async def test_it_looks_by_itself_where_nobody_wakes_it() -> None:
    seen = asyncio.Event()

    async def look() -> None:
        seen.set()

    watching = asyncio.create_task(RowWatch("rows", look, poll_seconds=0.01).run())
    async with asyncio.timeout(30):
        await seen.wait()
    await background.end(watching)
