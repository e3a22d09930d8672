"""Edits by people with psql, as `rolecall_admin`: refused with what to do instead, or done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.connection import connect
from db.refusal import refusal_of
from tests.conftest import CopyOf
from tests.db.admin_edits import ILLEGAL, LEGAL, NOT_YET, RULES, WITHOUT_THE_RIGHT, Illegal
from tests.db.attacks import BRIEF, DRAFT, EDIT_BRIEF, EDIT_SPARE, EDIT_STEP, MARK, rule_of
from tests.db.logins import login

ADMIN = "SET LOCAL ROLE rolecall_admin"
BLOCKED = "SELECT cardinality(pg_blocking_pids($1)) > 0"
WHO_ASKS = """
SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
WHERE tgparentid = 0 AND pg_get_triggerdef(oid) LIKE '%WHEN (is_by_hand())%'
"""

NEW_ROLE = "INSERT INTO role (name, base_prompt, created_by) VALUES ('New', '', 'eve')"
PUBLISH = (
    f"{MARK} UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('b', 64), "
    f"max_step_runs = 3, published_at = now() WHERE id = {DRAFT}"
)
ARCHIVE = f"UPDATE orchestration_version SET status = 'archived' WHERE id = {DRAFT}"
ACTIVATE = f"UPDATE orchestration SET active_version_id = {DRAFT} WHERE name = 'Brief'"
NEW_NUMBER = (
    "INSERT INTO orchestration_version (orchestration_id, number, document, created_by) "
    f"SELECT {BRIEF}, 4, '{{}}', 'eve'"
)
NEW_STEP = f"INSERT INTO orchestration_step (version_id, name, \"order\", kind) SELECT {DRAFT}, 'Extra', 2, 'tool'"

# What a server has done before, what an admin does first and has not committed, what another one does meanwhile, and
# the rule that refuses that once the first is through.
RACES = (
    ("one name for two roles", "SELECT", NEW_ROLE, NEW_ROLE, "role__name"),
    ("one name for two roles, renamed", "SELECT", NEW_ROLE, EDIT_SPARE.format("name = 'New'"), "role__name"),
    (
        "one name for two orchestrations",
        "SELECT",
        "INSERT INTO orchestration (name, created_by) VALUES ('New', 'eve')",
        EDIT_BRIEF.format("name = 'New'"),
        "orchestration__name",
    ),
    ("one number for two drafts", "SELECT", NEW_NUMBER, NEW_NUMBER, "orchestration_version__orchestration_number"),
    ("one name for two steps", "SELECT", NEW_STEP, NEW_STEP, "orchestration_step__version_name"),
    ("activate what is archived", PUBLISH, ARCHIVE, ACTIVATE, "orchestration__active_version_is_its_own"),
    ("archive what is activated", PUBLISH, ACTIVATE, ARCHIVE, "orchestration_version__active_is_published"),
    (
        "edit what is proposed",
        "SELECT",
        f"UPDATE orchestration_version SET status = 'proposed' WHERE id = {DRAFT}",
        EDIT_STEP.format("max_retries = 1"),
        "orchestration_step__is_read_only",
    ),
)


@pytest.mark.parametrize("tried", ILLEGAL, ids=[f"{it.breaks}-{it.rule}-{i}" for i, it in enumerate(ILLEGAL)])
async def test_an_illegal_edit_is_refused_with_its_code_and_says_what_to_do(
    world: asyncpg.Connection, tried: Illegal
) -> None:
    await world.execute(ADMIN)

    refused = await _refused(world, tried.edit)

    assert (refused.sqlstate, rule_of(refused) or None) == (tried.code, tried.rule)
    assert len(str(refusal_of(refused).hint or "").split()) >= 3


BEHIND = [it for it in ILLEGAL if it.behind is not None]


@pytest.mark.parametrize("tried", BEHIND, ids=[f"{it.behind}-{i}" for i, it in enumerate(BEHIND)])
async def test_behind_the_question_who_asks_stands_the_rule_itself(world: asyncpg.Connection, tried: Illegal) -> None:
    for (statement,) in await world.fetch(WHO_ASKS):
        await world.execute(statement)
    await world.execute(ADMIN)

    assert rule_of(await _refused(world, tried.edit)) == tried.behind


@pytest.mark.parametrize("statement", WITHOUT_THE_RIGHT)
async def test_what_nobody_should_have_to_try_is_not_granted(
    editors: tuple[asyncpg.Connection, ...], statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await editors[0].execute(statement)


@pytest.mark.parametrize(("edit", "query", "result"), [it[1:] for it in LEGAL], ids=[it[0] for it in LEGAL])
async def test_a_legal_edit_goes_through(world: asyncpg.Connection, edit: str, query: str, result: Any) -> None:
    await world.execute(ADMIN)

    await world.execute(edit)
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert await world.fetchval(query) == result


@pytest.mark.parametrize(("before", "first", "second", "rule"), [it[1:] for it in RACES], ids=[it[0] for it in RACES])
async def test_of_two_admins_at_once_the_second_is_refused_and_told_why(
    editors: tuple[asyncpg.Connection, ...], before: str, first: str, second: str, rule: str
) -> None:
    one, other, server = editors
    await server.execute(before)
    await one.execute(f"BEGIN; {first}; SET CONSTRAINTS ALL IMMEDIATE")

    waiting = asyncio.create_task(other.execute(second))
    while not await server.fetchval(BLOCKED, other.get_server_pid()):
        assert not waiting.done()
    await one.execute("COMMIT")

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await waiting
    assert rule_of(refusal.value) == rule
    assert refusal_of(refusal.value).hint


async def test_every_rule_is_broken_at_least_once(world: asyncpg.Connection) -> None:
    assert {it.breaks for it in ILLEGAL} | NOT_YET.keys() == RULES
    assert [await world.fetchval("SELECT to_regclass($1)", table) for table in NOT_YET.values()] == [None] * len(
        NOT_YET
    )
    assert len(ILLEGAL) + len(RACES) >= 60 and len(LEGAL) >= 40


async def _refused(world: asyncpg.Connection, edit: str) -> asyncpg.PostgresError:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await world.execute(edit)
        await world.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return refusal.value


@pytest.fixture
async def editors(copy_of: CopyOf, world_url: str, postgres_url: str) -> AsyncIterator[tuple[asyncpg.Connection, ...]]:
    """Two admins and a server, each with a session of its own, in a world of the test's own."""
    world = urlsplit(world_url).path.removeprefix("/")
    async with login(postgres_url, "rolecall_admin") as anna, copy_of(world) as url:
        admins = [await connect(anna.at(url)) for _ in range(2)]
        connections = (*admins, await connect(url))
        yield connections
        for connection in connections:
            await connection.close()
