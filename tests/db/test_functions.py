"""The functions of the schema `rolecall`: what they do, and what they say to what nobody expects."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from db.connection import connect
from db.refusal import refusal_of
from tests.db.attacks import MARK

STEPS = """
SELECT step.name, parent.name AS parent, step.slot, step."order", step.parallel_group
FROM orchestration_step AS step LEFT JOIN orchestration_step AS parent ON parent.id = step.parent_id
WHERE step.version_id = $1 ORDER BY 2 NULLS FIRST, 4, 1
"""
WAITING = "(SELECT id FROM execution WHERE idempotency_key = 'waiting')"
COMPLETED = "(SELECT id FROM execution WHERE idempotency_key = 'completed')"
NOBODY = "'00000000-0000-7000-8000-00000000ffff'"
BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
ARCHIVE_ACTIVE = f"UPDATE orchestration SET active_version_id = NULL WHERE id = {BRIEF};"


async def test_a_draft_has_the_steps_of_what_is_active(world: asyncpg.Connection) -> None:
    made = await world.fetchval("SELECT rolecall.draft('Brief', message => 'shorter')")
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    version = await world.fetchrow(
        "SELECT number, status, message, digest, created_by = session_user AS is_mine FROM orchestration_version"
        " WHERE id = $1",
        made,
    )
    active = await world.fetchval(f"SELECT active_version_id FROM orchestration WHERE id = {BRIEF}")
    assert tuple(version) == (4, "draft", "shorter", None, True)
    assert await world.fetch(STEPS, made) == await world.fetch(STEPS, active)
    assert await world.fetch("SELECT * FROM rolecall.diff($1::uuid, $2::uuid)", active, made) == []
    assert await world.fetchval("SELECT rolecall.version('Brief')") == made


async def test_a_tree_shows_what_stands_in_what(world: asyncpg.Connection) -> None:
    await world.execute(
        'INSERT INTO orchestration_step (version_id, slot, name, "order", kind, role_name, parallel_group, condition)'
        " VALUES (rolecall.version('Brief'), 'finally', 'Tell', 0, 'llm', 'Coder', 'ends', '\"input.n > 1\"')"
    )

    assert [row[0] for row in await world.fetch("SELECT rolecall.tree('Brief', 3)")] == [
        "Brief, version 3 (draft)",
        "├─ Write (agent as Coder)",
        "├─ Review (loop, at most 3)",
        "│  └─ Critic (transform)",
        '└─ finally: Tell (llm as Coder, together as ends, if "input.n > 1")',
    ]
    assert await world.fetchval("SELECT rolecall.tree('Brief')") == "Brief, version 1 (published, active)"


@pytest.mark.parametrize(
    ("moves", "names"),
    [
        (["'F', 'A'"], ["F0", "A1", "B2", "C3 x", "D3 x", "E5"]),
        (["'A'"], ["B1", "C2 x", "D2 x", "E4", "F5", "A6"]),
        (["'A', 'D'"], ["B1", "A2", "C3 x", "D3 x", "E5", "F6"]),
        (["'C', 'D'"], ["A0", "B1", "C2 x", "D3 x", "E5", "F6"]),
        (["'C', 'A'"], ["C0", "A1", "B2", "D3 x", "E5", "F6"]),
        (["'Critic', 'B'"], ["A0", "Critic1", "B2", "C3 x", "D3 x", "E5", "F6"]),
    ],
)
async def test_a_step_is_moved_and_the_others_are_renumbered(
    world: asyncpg.Connection, moves: list[str], names: list[str]
) -> None:
    version = await world.fetchval("SELECT rolecall.version('Brief')")
    await world.execute("DELETE FROM orchestration_step WHERE version_id = $1 AND name = 'Write'", version)
    await world.execute(
        "UPDATE orchestration_step SET \"order\" = 9, slot = 'finally' WHERE name = 'Review' AND version_id = $1",
        version,
    )
    await world.execute(
        'INSERT INTO orchestration_step (version_id, name, "order", kind, parallel_group)'
        " SELECT $1, name, place, 'transform', g FROM (VALUES ('A', 0, NULL), ('B', 1, NULL), ('C', 2, 'x'),"
        " ('D', 2, 'x'), ('E', 4, NULL), ('F', 5, NULL)) AS made (name, place, g)",
        version,
    )

    for move in moves:
        await world.fetchval(f"SELECT rolecall.move_step($1, {move})", version)
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    found = await world.fetch(
        "SELECT concat(name, \"order\", ' ' || parallel_group) FROM orchestration_step"
        " WHERE version_id = $1 AND slot = 'main' ORDER BY \"order\", name",
        version,
    )
    assert [row[0] for row in found] == names


async def test_what_is_active_goes_back_and_forth(world: asyncpg.Connection) -> None:
    await world.execute(
        "INSERT INTO orchestration_version (orchestration_id, number, document, created_by)"
        f' SELECT {BRIEF}, 4, \'{{"name": "Brief", "description": "Shorter.", "tags": ["new"]}}\', \'anna\''
    )
    await world.execute(
        'INSERT INTO orchestration_step (version_id, name, "order", kind) '
        "SELECT rolecall.version('Brief', 4), 'Wait', 0, 'transform'"
    )
    await _publish(world, 4)

    assert await world.fetchval("SELECT rolecall.activate('Brief', 4)") == 4
    shown = "SELECT active_version, description, tags FROM workflow_overview WHERE name = 'Brief'"
    assert tuple(await world.fetchrow(shown)) == (4, "Shorter.", ["new"])
    assert await world.fetchval("SELECT rolecall.rollback('Brief')") == 1
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert tuple(await world.fetchrow(shown)) == (1, "", [])


async def test_a_publication_is_asked_for(world: asyncpg.Connection) -> None:
    asked = "SELECT version, answer, problems FROM rolecall.publication('Brief')"
    assert tuple(await world.fetchrow(asked)) == (1, "published", 0)

    assert await world.fetchval("SELECT rolecall.publish('Brief', activate => false, breaking => true)") == 3

    row = await world.fetchrow(
        "SELECT status, activates, allows_breaking, requested_by = session_user FROM orchestration_version"
        f" WHERE number = 3 AND orchestration_id = {BRIEF}"
    )
    assert tuple(row) == ("publishing", False, True, True)
    assert tuple(await world.fetchrow(asked)) == (3, "not yet", 0)
    with pytest.raises(asyncpg.PostgresError) as error:
        await world.execute("SELECT rolecall.publish('Brief', 3)")
    assert "rolecall.publication('Brief')" in (refusal_of(error.value).hint or "")


async def test_which_of_several_drafts_is_to_be_published_has_to_be_said(world: asyncpg.Connection) -> None:
    await world.execute("SELECT rolecall.draft('Brief')")

    with pytest.raises(asyncpg.PostgresError) as error:
        await world.execute("SELECT rolecall.publish('Brief')")

    assert refusal_of(error.value).hint == "Give a number: 3, 4."


async def test_an_execution_is_steered(world: asyncpg.Connection) -> None:
    assert await world.fetchval(f"SELECT rolecall.pause({WAITING})") == "waiting"
    assert await world.fetchval(f"SELECT rolecall.resume({WAITING})") == "waiting"
    assert await world.fetchval(f"SELECT rolecall.cancel({WAITING}, 'not needed')") == "waiting"

    sent = await world.fetch(
        f"SELECT kind, payload::text, sender = session_user FROM inbox WHERE execution_id = {WAITING} ORDER BY id"
    )
    assert [tuple(row) for row in sent] == [
        ("pause", "{}", True),
        ("resume", "{}", True),
        ("cancel", '{"reason": "not needed"}', True),
    ]


async def test_a_request_to_start_is_what_the_database_says_it_is(world: asyncpg.Connection) -> None:
    first = await world.fetchval("SELECT rolecall.run('Brief', '{\"topic\": \"tea\"}', 'mine')")
    again = await world.fetchval("SELECT rolecall.run('Brief', '{\"topic\": \"tea\"}', 'mine')")
    other = await world.fetchval("SELECT rolecall.run('Brief')")

    rows = await world.fetch(
        "SELECT id, orchestration, input::text, requested_by = session_user FROM execution_request ORDER BY id"
    )
    assert first == again
    assert first.version == 7
    assert [tuple(row) for row in rows] == [
        (first, "Brief", '{"topic": "tea"}', True),
        (other, "Brief", "{}", True),
    ]
    assert (await world.fetchrow("SELECT status, orchestration FROM rolecall.status($1)", first))[0] == "asked"


async def test_requests_with_one_key_at_the_same_time_are_one(world_url: str) -> None:
    sessions = [await connect(world_url) for _ in range(4)]
    try:
        given = await asyncio.gather(
            *(one.fetchval("SELECT rolecall.run('Brief', '{}', 'at once')") for one in sessions)
        )
        assert len(set(given)) == 1
    finally:
        await sessions[0].execute("DELETE FROM execution_request")
        for one in sessions:
            await one.close()


# (what is asked, the code of the refusal, its message or a part, its hint or a part)
REFUSED: tuple[tuple[str, str, str, str], ...] = (
    ("rolecall.draft('Breif')", "P0002", 'there is no orchestration "Breif"', 'Did you mean "Brief"?'),
    ("rolecall.draft('brief')", "P0002", 'there is no orchestration "brief"', 'Did you mean "Brief"?'),
    ("rolecall.draft('zzz')", "P0002", 'there is no orchestration "zzz"', "SELECT name FROM workflow_overview"),
    ("rolecall.draft(NULL)", "P0002", "there is no orchestration without a name", "workflow_overview"),
    ("rolecall.draft('')", "P0002", 'there is no orchestration ""', "workflow_overview"),
    ("rolecall.draft('x''); DROP TABLE role; --')", "P0002", "DROP TABLE", "workflow_overview"),
    ("rolecall.draft(repeat('Brief', 100000))", "P0002", "there is no orchestration", ""),
    ("rolecall.draft('Brief', 9)", "P0002", "has no version 9", "It has 1 (published), 2 (archived), 3 (draft)."),
    ("rolecall.draft('Brief', -1)", "P0002", "has no version -1", "It has 1"),
    ("rolecall.publish('Breif')", "P0002", "there is no orchestration", 'Did you mean "Brief"?'),
    ("rolecall.publish('Idle')", "55000", "has 0 drafts and proposals", "rolecall.draft('Idle')"),
    ("rolecall.publish('Brief', 1)", "55000", "is published and cannot be published", "rolecall.activate('Brief', 1)"),
    ("rolecall.publish('Brief', 2)", "55000", "is archived and cannot be published", "rolecall.draft('Brief', 2)"),
    ("rolecall.publish('Brief', 9)", "P0002", "has no version 9", "It has"),
    ("rolecall.publication('Breif')", "P0002", "there is no orchestration", "Did you mean"),
    ("rolecall.problems('Brief', 9)", "P0002", "has no version 9", "It has"),
    ("rolecall.tree('Breif')", "P0002", "there is no orchestration", "Did you mean"),
    ("rolecall.definition(NULL::uuid)", "P0002", "there is no version with the id null", "version_history"),
    (f"rolecall.definition({NOBODY}::uuid)", "P0002", "there is no version with the id", "version_history"),
    ("rolecall.definition('Brief', 0)", "P0002", "has no version 0", "It has"),
    (f"rolecall.diff({NOBODY}::uuid, {NOBODY}::uuid)", "P0002", "there is no version", "version_history"),
    ("rolecall.diff('Brief', 1, 9)", "P0002", "has no version 9", "It has"),
    ("rolecall.diff('Brief', NULL::integer)", "P0002", "there is no version with the id null", "version_history"),
    ("rolecall.version('Idel')", "P0002", "there is no orchestration", 'Did you mean "Idle"?'),
    ("rolecall.activate('Brief', NULL)", "22004", "no number says", "version_history"),
    ("rolecall.activate('Brief', 3)", "55000", "is draft and cannot be active", "rolecall.publish('Brief', 3)"),
    ("rolecall.activate('Brief', 2)", "55000", "is archived and cannot be active", "status = 'published'"),
    ("rolecall.rollback('Brief')", "55000", "no published version stands before 1", "rolecall.activate('Brief', ...)"),
    ("rolecall.rollback('Brief', 2)", "55000", "that does not stand before 1", "rolecall.activate"),
    ("rolecall.move_step(rolecall.version('Brief'), 'Wirte')", "P0002", 'no step "Wirte"', 'Did you mean "Write"?'),
    ("rolecall.move_step(rolecall.version('Brief'), NULL)", "P0002", "no step without a name", "orchestration_step"),
    ("rolecall.move_step(rolecall.version('Brief'), 'Review', 'Critic')", "22023", "is itself or in it", "outside"),
    ("rolecall.move_step(rolecall.version('Brief'), 'Write', 'Write')", "22023", "is itself or in it", "outside"),
    ("rolecall.move_step(rolecall.version('Brief', 1), 'Write')", "55000", "never changes", "Make a new draft"),
    (f"rolecall.move_step({NOBODY}::uuid, 'Write')", "P0002", "there is no version", "version_history"),
    ("rolecall.run('Breif')", "P0002", "there is no orchestration", 'Did you mean "Brief"?'),
    ("rolecall.run(NULL)", "P0002", "there is no orchestration without a name", "workflow_overview"),
    ("rolecall.run('Brief', NULL)", "22004", "the input is null", "Leave it out"),
    ("rolecall.run('Brief', '1', 'used')", "23505", 'the key "used" was used for another request', "new key"),
    ("rolecall.run('Brief', key => '')", "23514", "execution_request__key_is_not_empty", ""),
    ("rolecall.run('Brief', key => repeat('k', 201))", "22001", "too long", ""),
    (f"rolecall.status({NOBODY})", "P0002", "there is no execution", "execution_overview"),
    ("rolecall.status(NULL)", "P0002", "there is no execution with the id null", "execution_overview"),
    (f"rolecall.cancel({NOBODY})", "P0002", "there is no execution", "execution_overview"),
    ("rolecall.cancel(NULL)", "P0002", "there is no execution with the id null", "execution_overview"),
    (f"rolecall.cancel({COMPLETED})", "55000", "has finished and reads no messages", "Start another execution."),
    (f"rolecall.pause({COMPLETED})", "55000", "has finished", "Start another execution."),
    ("rolecall.resume((SELECT id FROM execution_request))", "55000", "has not begun", "rolecall.status"),
)


@pytest.mark.parametrize(("call", "code", "message", "hint"), REFUSED, ids=[call for call, *_ in REFUSED])
async def test_a_refusal_says_what_would_have_been_right(
    world: asyncpg.Connection, call: str, code: str, message: str, hint: str
) -> None:
    await world.execute("SELECT rolecall.run('Brief', '2', 'used')")

    with pytest.raises(asyncpg.PostgresError) as error:
        await world.execute(f"SELECT {call}")

    refused = refusal_of(error.value)
    assert error.value.sqlstate == code
    assert message in refused.message
    assert hint in (refused.hint or "")


async def test_help_lists_every_function_with_what_it_does(world: asyncpg.Connection) -> None:
    listed = await world.fetch("SELECT call, purpose FROM rolecall.help()")

    names = {row["call"].partition("(")[0] for row in listed}
    called = {f"rolecall.{call.partition('rolecall.')[2].partition('(')[0]}" for call, *_ in REFUSED}
    assert {f"rolecall.{it}" for it in ("draft", "publish", "run", "status", "help")} <= names
    assert names - called == {"rolecall.help"}
    assert all(row["purpose"] for row in listed)


async def test_functions_read_what_they_say_they_read(world: asyncpg.Connection) -> None:
    rows = await world.fetch(
        "SELECT proname, provolatile = 'v' AS changes, prosecdef AS is_as_owner, proconfig IS NOT NULL AS is_pinned,"
        " has_function_privilege('public', oid, 'EXECUTE') AS is_open"
        " FROM pg_proc WHERE pronamespace = 'rolecall'::regnamespace"
    )

    changing = {"draft", "move_step", "publish", "activate", "rollback", "run", "cancel", "pause", "resume"}
    assert {row["proname"] for row in rows if row["changes"]} == changing
    assert {row["proname"] for row in rows if row["is_as_owner"]} == {"run", "cancel", "pause", "resume"}
    assert all(row["is_pinned"] and not row["is_open"] for row in rows)


async def test_names_that_are_near_are_found_among_many(world: asyncpg.Connection) -> None:
    known = [f"Report {n}" for n in range(1000)]

    assert await world.fetchval("SELECT did_you_mean('Reprot 77', $1)", known) == (
        'Did you mean "Report 77" or "Report 777" or "Report 7"?'
    )
    assert await world.fetchval("SELECT did_you_mean('', $1)", known) is None
    assert await world.fetchval("SELECT did_you_mean(NULL, $1)", known) is None
    assert await world.fetchval("SELECT did_you_mean('x', '{}')") is None


async def _publish(world: asyncpg.Connection, number: int) -> None:
    await world.execute(
        f"{MARK} UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('c', 64),"
        f" max_step_runs = 1, published_at = now() WHERE number = {number} AND orchestration_id = {BRIEF}"
    )
