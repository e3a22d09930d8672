"""The audit: what stands in it, and in which order."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from db.audited import AUDITED, functions, triggers
from db.connection import connect
from db.refusal import refusal_of
from tests.db.attacks import EDIT_SPARE
from tests.db.test_races import ACTIVATE, ARCHIVE, BLOCKED, PUBLISH, editors

__all__ = ["editors"]

ENTRIES = (
    "SELECT actor, channel, action, noun, before ->> 'description' AS before, after ->> 'description' AS after "
    "FROM audit WHERE subject = (SELECT id FROM role WHERE name = 'Coder') ORDER BY seq"
)
DESCRIBE = "UPDATE role SET description = '{}' WHERE name = '{}'"
NOW = "; SET CONSTRAINTS ALL IMMEDIATE"
NEW_ROLE = "INSERT INTO role (name, base_prompt, created_by) VALUES ($1, '', 'eve')"


async def test_an_edit_from_psql_stands_in_it(world: asyncpg.Connection) -> None:
    await world.execute(DESCRIBE.format("Writes code.", "Coder") + NOW)

    user = await world.fetchval("SELECT session_user")
    assert [tuple(entry) for entry in await world.fetch(ENTRIES)] == [
        (user, "sql", "insert", "role", None, ""),
        (user, "sql", "update", "role", "", "Writes code."),
    ]


async def test_whoever_acts_for_somebody_says_so_and_cannot_hide(world: asyncpg.Connection) -> None:
    await world.execute(
        "SET LOCAL rolecall.actor = 'anna'; SET LOCAL rolecall.channel = 'rpc';"
        + DESCRIBE.format("Writes code.", "Coder")
        + NOW
    )

    last = await world.fetchrow("SELECT actor, channel, db_user = session_user AS is_we FROM audit ORDER BY seq DESC")
    assert tuple(last) == ("anna", "rpc", True)


async def test_no_secret_stands_in_it(world: asyncpg.Connection) -> None:
    await world.execute(
        "INSERT INTO token (prefix, name, hash, kind) "
        "VALUES ('abcdefgh', 'x', decode(repeat('ab', 32), 'hex'), 'human');"
        "UPDATE session SET hash = decode(repeat('ab', 32), 'hex'), revoked_at = now()" + NOW
    )

    assert await world.fetchval("SELECT array_agg(noun) FROM (SELECT noun FROM audit ORDER BY seq DESC LIMIT 2)") == [
        "session", "token",
    ]  # fmt: skip
    assert not await world.fetchval("SELECT bool_or((audit.*)::text LIKE '%abababab%') FROM audit")


@pytest.mark.parametrize("edit", ["name = name", "last_used_at = now()"])
async def test_a_change_of_nothing_that_is_kept_is_no_entry(world: asyncpg.Connection, edit: str) -> None:
    before = await world.fetchval("SELECT count(*) FROM audit")

    await world.execute(f"UPDATE token SET {edit}{NOW}")

    assert await world.fetchval("SELECT count(*) FROM audit") == before


async def test_what_is_taken_along_stands_in_it_too(world: asyncpg.Connection) -> None:
    before = await world.fetchval("SELECT max(seq) FROM audit")

    await world.execute(f"DELETE FROM orchestration WHERE name = 'Idle'{NOW}")

    gone = await world.fetch("SELECT action, noun FROM audit WHERE seq > $1 ORDER BY seq", before)
    assert sorted(map(tuple, gone)) == [
        ("delete", "orchestration"), *3 * [("delete", "orchestration_step")], ("delete", "orchestration_version"),
    ]  # fmt: skip


async def test_nothing_is_left_between_a_change_and_its_entry(world: asyncpg.Connection) -> None:
    await world.execute(DESCRIBE.format("x", "Coder") + NOW)

    assert await world.fetchval("SELECT count(*) FROM audit_pending") == 0


async def test_an_entry_cannot_be_changed_on_its_way(world: asyncpg.Connection) -> None:
    await world.execute(DESCRIBE.format("x", "Coder") + "; SET CONSTRAINTS role__is_audited IMMEDIATE")
    await world.execute("UPDATE audit_pending SET after = '{}'; DELETE FROM audit_pending" + NOW)

    assert (await world.fetch(ENTRIES))[-1]["after"] == "x"


async def test_whoever_commits_first_comes_first(database_url: str) -> None:
    async def create(number: int) -> None:
        connection = await connect(database_url)
        try:
            for step in range(5):
                await connection.execute(NEW_ROLE, f"R{number} {step}")
        finally:
            await connection.close()

    await asyncio.gather(*map(create, range(8)))

    connection = await connect(database_url)
    assert tuple(await connection.fetchrow("SELECT count(*), max(seq) FROM audit")) == (40, 40)
    disordered = "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS is_early FROM audit) WHERE is_early"
    assert await connection.fetchval(disordered) == 0
    await connection.close()


async def test_an_old_snapshot_is_told_to_run_again(database_url: str) -> None:
    early, late = await connect(database_url), await connect(database_url)
    transaction = early.transaction(isolation="repeatable_read")
    await transaction.start()
    await early.fetch("SELECT 1 FROM role")
    await late.execute(NEW_ROLE, "Late")
    await early.execute(NEW_ROLE, "Early")

    with pytest.raises(asyncpg.SerializationError):
        await transaction.commit()

    assert await late.fetchval("SELECT array_agg(name) FROM role") == ["Late"]
    await early.close()
    await late.close()


async def test_what_waits_for_others_at_commit_does_not_hold_up_the_chain(
    editors: tuple[asyncpg.Connection, asyncpg.Connection, asyncpg.Connection],
) -> None:
    one, other, observer = editors
    await one.execute(PUBLISH)
    await one.execute(f"BEGIN; {EDIT_SPARE.format('description = $$x$$')}; {ACTIVATE}")
    await other.execute(f"BEGIN; {ARCHIVE}")

    waiting = asyncio.create_task(one.execute("COMMIT"))
    while not await observer.fetchval(BLOCKED, one.get_server_pid()):
        assert not waiting.done()
    await observer.execute(DESCRIBE.format("y", "Coder"))
    await other.execute("COMMIT")

    with pytest.raises(asyncpg.PostgresError) as refusal:
        await waiting
    assert refusal_of(refusal.value).rule == "orchestration__active_version_is_its_own"


async def test_what_keeps_the_audit_is_known(world: asyncpg.Connection) -> None:
    rows = await world.fetch(
        "SELECT tgrelid::regclass::text, tgname, proname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE NOT tgisinternal AND proname LIKE 'audit%' ORDER BY 1, 2"
    )
    ours = {(it.table, it.name, it.function) for it in triggers() if it.function != "refuse"}

    assert {tuple(row) for row in rows} == ours
    assert {row["tgrelid"] for row in rows if row["proname"] == "audit_change"} == set(AUDITED)
    assert set(functions()) == {"audit_guard", "audit_change", "audit_seal", "refuse"}
