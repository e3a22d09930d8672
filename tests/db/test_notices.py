"""Whoever changes a definition or asks something of the servers is heard of: one notice from each transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.connection import connect
from services.row_requests import CHANNEL

EDITS = {
    "role": "UPDATE role SET base_prompt = 'Rest well.' WHERE name = 'Spare'",
    "role_version": "UPDATE role_version SET message = 'x' WHERE status = 'draft'",
    "orchestration": "UPDATE orchestration SET description = 'x' WHERE name = 'Idle'",
    "orchestration_version": "UPDATE orchestration_version SET message = 'x' WHERE status = 'draft'",
    "orchestration_step": "DELETE FROM orchestration_step WHERE name = 'Critic' AND version_id IN"
    " (SELECT id FROM orchestration_version WHERE status = 'draft')",
    "budget": "UPDATE budget SET tokens_per_day = 5",
    "secret": "UPDATE secret SET description = 'x'",
    "provider": "UPDATE provider SET timeout_ms = 5",
    "model": "UPDATE model SET context_tokens = 5",
    "model_price": "INSERT INTO model_price (model, input, output, created_by) VALUES ('gateway/large', 1, 2, 'eve')",
    "default_model": "UPDATE default_model SET model = 'gateway/large'",
    "mcp_source": "UPDATE mcp_source SET is_active = true",
    "mcp_tool": "UPDATE mcp_tool SET security = 'low'",
    "execution_request": "INSERT INTO execution_request (orchestration) VALUES ('Brief')",
}
HEARD_OF = """
SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'definition_changed'::regproc ORDER BY 1
"""


async def test_what_servers_answer_to_is_heard_of(room: tuple[asyncpg.Connection, asyncio.Queue]) -> None:
    editor, _ = room

    assert [table for (table,) in await editor.fetch(HEARD_OF)] == sorted({*EDITS, "execution_request"})


@pytest.mark.parametrize("table", EDITS)
async def test_an_edit_is_heard_of_because_of_the_trigger_of_its_table(
    room: tuple[asyncpg.Connection, asyncio.Queue], table: str
) -> None:
    editor, heard = room

    await editor.execute(EDITS[table])
    async with asyncio.timeout(5):
        told = await heard.get()
    await editor.execute(f"DROP TRIGGER {table}__is_heard_of ON {table}")
    await editor.execute(EDITS[table].replace("Critic", "Review"))
    await editor.execute(f"SELECT pg_notify('{CHANNEL}', 'the end')")
    async with asyncio.timeout(5):
        last = await heard.get()

    # A step takes its version's row to lock it, and says nothing of it.
    assert (told, last) == ("", "the end")


async def test_a_transaction_is_heard_of_once(room: tuple[asyncpg.Connection, asyncio.Queue]) -> None:
    editor, heard = room

    async with editor.transaction():
        for edit in EDITS.values():
            await editor.execute(edit)
        assert heard.empty()
    await editor.execute(f"SELECT pg_notify('{CHANNEL}', 'the end')")
    async with asyncio.timeout(5):
        told = [await heard.get(), await heard.get()]

    assert told == ["", "the end"]


@pytest.fixture
async def room(
    copy_of: Callable[[str], AbstractAsyncContextManager[str]], world_url: str
) -> AsyncIterator[tuple[asyncpg.Connection, asyncio.Queue]]:
    """An editor of a world of the test's own, and what somebody else hears meanwhile."""
    async with copy_of(urlsplit(world_url).path.removeprefix("/")) as url:
        editor, listener = await connect(url), await connect(url)
        heard: asyncio.Queue[str] = asyncio.Queue()
        await listener.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))
        yield editor, heard
        await editor.close()
        await listener.close()
