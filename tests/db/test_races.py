"""Two editors at once: the guards lock what they look at, so two can break nothing that one could not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.connection import connect
from db.refusal import refusal_of
from tests.db.attacks import EDIT_ROLE_DRAFT, MARK, ROLE_DRAFT

BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
DRAFT = f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = 3)"
PUBLISH = (
    f"{MARK} UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('b', 64), "
    f"max_step_runs = 3, published_at = now() WHERE id = {DRAFT}"
)
ARCHIVE = f"UPDATE orchestration_version SET status = 'archived' WHERE id = {DRAFT}"
ACTIVATE = f"UPDATE orchestration SET active_version_id = {DRAFT} WHERE name = 'Brief'"
ADD = "INSERT INTO orchestration_step (version_id, name, \"order\", kind) VALUES ({}, '{}', {}, 'transform')"
ADD_STEP, ADD_OTHER = ADD.format(DRAFT, "Extra", 2), ADD.format(DRAFT, "Other", 2)
FILL = (
    'INSERT INTO orchestration_step (version_id, name, "order", kind) '
    f"SELECT {DRAFT}, 'Step ' || place, place, 'transform' FROM generate_series(10, 205) AS place"
)
GROUPS = (
    f"{ADD.format(DRAFT, 'One', 5)}; {ADD.format(DRAFT, 'Two', 6)}; "
    "UPDATE orchestration_step SET kind = 'group' WHERE name IN ('One', 'Two')"
)
HOLD = (
    "UPDATE orchestration_step AS step SET slot = 'body', parent_id = holder.id FROM orchestration_step AS holder "
    "WHERE step.version_id = holder.version_id AND step.name = '{}' AND holder.name = '{}'"
)
EDIT_ROLE = "UPDATE role SET base_prompt = 'Sleep.' WHERE name = 'Spare'"
PUBLISH_ROLE = MARK + EDIT_ROLE_DRAFT.format("status = 'published', published_at = now()")
CANARY = f"UPDATE orchestration SET canary_version_id = {DRAFT}, canary_percent = 10 WHERE name = 'Brief'"

FIRST = f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = 1)"
ACTIVATE_FIRST = f"UPDATE orchestration SET active_version_id = {FIRST} WHERE name = 'Brief'"
ACTIVE_AND_ARCHIVED = (
    "SELECT count(*) FROM orchestration JOIN orchestration_version AS version ON version.id = active_version_id "
    "WHERE version.status <> 'published'"
)
BLOCKED = "SELECT cardinality(pg_blocking_pids($1)) > 0"


@pytest.mark.parametrize(
    ("before", "first", "second", "rule"),
    [
        (PUBLISH, ARCHIVE, ACTIVATE, "orchestration__active_version_is_its_own"),
        (PUBLISH, ACTIVATE, ARCHIVE, "orchestration_version__active_is_published"),
        (PUBLISH, ARCHIVE, CANARY, "orchestration__canary_is_its_own"),
        (PUBLISH, CANARY, ARCHIVE, "orchestration_version__canary_is_published"),
        ("SELECT", PUBLISH, ADD_STEP, "orchestration_step__is_read_only"),
        ("SELECT", ADD_STEP, ADD_OTHER, "orchestration_step__order_is_its_own"),
        (FILL, ADD_STEP, ADD.format(DRAFT, "Other", 3), "orchestration_step__at_most_200"),
        (GROUPS, HOLD.format("One", "Two"), HOLD.format("Two", "One"), "orchestration_step__tree_has_a_top"),
        (ROLE_DRAFT, EDIT_ROLE, PUBLISH_ROLE, "role_version__is_not_outdated"),
    ],
    ids=[
        "activate while it is archived",
        "archive while it is activated",
        "make it a canary while it is archived",
        "archive while it is made a canary",
        "edit while it is published",
        "take the order that is taken",
        "write the 201st step",
        "hold what holds",
        "publish a draft of a role while that is edited",
    ],
)
async def test_the_second_editor_waits_and_is_refused(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection],
    before: str,
    first: str,
    second: str,
    rule: str,
) -> None:
    one, other, observer = editors
    await one.execute(before)
    await one.execute(f"BEGIN; {first}; SET CONSTRAINTS ALL IMMEDIATE")

    waiting = asyncio.create_task(other.execute(second))
    while not await observer.fetchval(BLOCKED, other.get_server_pid()):
        assert not waiting.done()
    await one.execute("COMMIT")

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await waiting
    assert refusal_of(refusal.value).rule == rule


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("slow", [ARCHIVE, ACTIVATE], ids=["archive", "activate"])
async def test_whoever_began_before_does_not_make_an_archived_version_active(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection], slow: str, isolation: str
) -> None:
    one, other, observer = editors
    await one.execute(PUBLISH)
    await one.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT FROM orchestration, orchestration_version")
    await other.execute(ACTIVATE if slow == ARCHIVE else ARCHIVE)

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await one.execute(slow)
        await one.execute("COMMIT")

    rule = (
        "orchestration_version__active_is_published" if slow == ARCHIVE else "orchestration__active_version_is_its_own"
    )
    assert refusal_of(refusal.value).rule == rule or refusal.value.sqlstate == "40001"
    assert await observer.fetchval(ACTIVE_AND_ARCHIVED) == 0


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
async def test_two_activations_and_an_archive_under_way_at_once_leave_an_active_version_that_is_published(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection], isolation: str
) -> None:
    one, other, observer = editors
    await one.execute(PUBLISH)
    for editor, edit in ((one, ACTIVATE), (other, ARCHIVE)):
        await editor.execute(f"BEGIN ISOLATION LEVEL {isolation}; SELECT FROM orchestration, orchestration_version")
        await editor.execute(edit)
    back = asyncio.create_task(observer.execute(ACTIVATE_FIRST))

    await asyncio.gather(one.execute("COMMIT"), other.execute("COMMIT"), return_exceptions=True)
    await back

    assert await observer.fetchval(ACTIVE_AND_ARCHIVED) == 0
    assert await observer.fetchval(f"SELECT active_version_id = {FIRST} FROM orchestration WHERE name = 'Brief'")


async def test_who_cannot_see_the_edit_before_theirs_is_refused(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection],
) -> None:
    one, other, _ = editors
    await other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM orchestration_step")
    await one.execute(ADD_STEP)

    with pytest.raises(asyncpg.SerializationError):
        await other.execute(ADD_OTHER)


async def test_a_publication_waits_for_the_edit_before_it(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection],
) -> None:
    one, other, observer = editors
    await one.execute(f"BEGIN; {ADD_STEP}")

    waiting = asyncio.create_task(other.execute(PUBLISH))
    while not await observer.fetchval(BLOCKED, other.get_server_pid()):
        assert not waiting.done()
    await one.execute("COMMIT")
    await waiting

    assert await observer.fetchval(f"SELECT count(*) FROM orchestration_step WHERE version_id = {DRAFT}") == 4


@pytest.fixture
async def editors(
    copy_of: Callable[[str], AbstractAsyncContextManager[str]], world_url: str
) -> AsyncIterator[tuple[asyncpg.Connection, ...]]:
    """Three connections to a world of the test's own."""
    async with copy_of(urlsplit(world_url).path.removeprefix("/")) as url:
        connections = [await connect(url) for _ in range(3)]
        yield tuple(connections)
        for connection in connections:
            await connection.close()
