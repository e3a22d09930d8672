"""What the rows have to allow: the edits of admins and of the engine, as raw SQL, checked as at a commit."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

FIRST, SECOND = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
DRAFT = f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = 3)"
PUBLISH_DRAFT = (
    "UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('b', 64), "
    f"max_step_runs = 3, published_at = now() WHERE id = {DRAFT};"
)
ACTIVATE_DRAFT = f"UPDATE orchestration SET active_version_id = {DRAFT} WHERE name = 'Brief';"
ACTIVE_NUMBER = (
    "SELECT number FROM orchestration_version AS version JOIN orchestration ON version.id = active_version_id "
    "WHERE orchestration.name = 'Brief'"
)
ARCHIVE_ACTIVE = (
    "UPDATE orchestration_version SET status = 'archived' "
    f"WHERE orchestration_id = {BRIEF} AND number = 1 AND status = 'published';"
)
STEPS = f"SELECT string_agg(name, ' ' ORDER BY slot DESC, \"order\") FROM orchestration_step WHERE version_id = {DRAFT}"
STATUSES = (
    "SELECT array_agg(idempotency_key || ' ' || status ORDER BY idempotency_key) FROM execution "
    "WHERE idempotency_key IN ('running', 'cancelling')"
)

# (what, the edit, a query, its result afterwards)
EDITS = (
    (
        "a new content is a new version and the old one is kept",
        "UPDATE role SET base_prompt = 'You review code.' WHERE name = 'Coder'",
        "SELECT array_agg(content ->> 'base_prompt' ORDER BY number) FROM role_version JOIN role ON role.id = role_id "
        "WHERE name = 'Coder' AND role.version = 2",
        ["You write code.", "You review code."],
    ),
    (
        "switching a role off is no new version",
        "UPDATE role SET is_active = false WHERE name = 'Coder'",
        "SELECT version FROM role WHERE name = 'Coder'",
        1,
    ),
    (
        "writing a role back as it was is no new version",
        "UPDATE role SET base_prompt = base_prompt, tools = tools, version = version WHERE name = 'Coder'",
        "SELECT count(*) FROM role_version JOIN role ON role.id = role_id WHERE name = 'Coder'",
        1,
    ),
    (
        "an edit is dated by the database",
        "UPDATE role SET description = 'x', updated_at = '2001-01-01' WHERE name = 'Coder'",
        "SELECT updated_at = now() FROM role WHERE name = 'Coder'",
        True,
    ),
    (
        "a role that no step uses goes with its versions",
        "DELETE FROM role WHERE name = 'Spare'",
        "SELECT array_agg(content ->> 'name') FROM role_version",
        ["Coder"],
    ),
    (
        "an orchestration that never ran goes with its published version and its steps",
        "DELETE FROM orchestration WHERE name = 'Idle'",
        "SELECT count(DISTINCT orchestration_id) FROM orchestration_step AS step "
        "JOIN orchestration_version AS version ON version.id = version_id",
        2,
    ),
    (
        "a role is free again once the orchestration that used it is gone",
        "UPDATE role SET name = 'Writer' WHERE name = 'Spare';"
        "INSERT INTO orchestration (name, created_by) VALUES ('Brand new', 'anna');"
        "INSERT INTO orchestration_version (orchestration_id, number, document, created_by) "
        "SELECT id, 1, '{}', 'anna' FROM orchestration WHERE name = 'Brand new';"
        "INSERT INTO orchestration_step (version_id, name, \"order\", kind, role_id) "
        "SELECT version.id, 'Write', 0, 'agent', role.id FROM role, orchestration_version AS version "
        "JOIN orchestration AS o ON o.id = orchestration_id WHERE o.name = 'Brand new' AND role.name = 'Writer';"
        "DELETE FROM orchestration WHERE name = 'Brand new'; DELETE FROM role WHERE name = 'Writer'",
        "SELECT count(*) FROM role WHERE name IN ('Spare', 'Writer')",
        0,
    ),
    (
        "a draft is deleted with its steps",
        f"DELETE FROM orchestration_version WHERE id = {DRAFT}",
        f"SELECT array_agg(number ORDER BY number) FROM orchestration_version WHERE orchestration_id = {BRIEF}",
        [1, 2],
    ),
    ("publish, then activate", PUBLISH_DRAFT + ACTIVATE_DRAFT, ACTIVE_NUMBER, 3),
    ("activate, then publish", ACTIVATE_DRAFT + PUBLISH_DRAFT, ACTIVE_NUMBER, 3),
    (
        "archive the active version, then activate another",
        ARCHIVE_ACTIVE + PUBLISH_DRAFT + ACTIVATE_DRAFT,
        ACTIVE_NUMBER,
        3,
    ),
    (
        "archive the active version and have none",
        ARCHIVE_ACTIVE + "UPDATE orchestration SET active_version_id = NULL WHERE name = 'Brief'",
        "SELECT count(*) FROM orchestration_version WHERE status = 'archived'",
        2,
    ),
    (
        "a published version can be written back as it is",
        "UPDATE orchestration_version SET message = message, status = status",
        "SELECT count(*) FROM orchestration_version",
        5,
    ),
    (
        "two steps of a draft swap their names",
        'UPDATE orchestration_step SET name = CASE name WHEN \'Write\' THEN \'Review\' ELSE \'Write\' END '
        f"WHERE version_id = {DRAFT} AND parent_id IS NULL",
        STEPS,
        "Review Write Critic",
    ),
    (
        "a child is written before its parent",
        "INSERT INTO orchestration_step (version_id, parent_id, slot, name, \"order\", kind) "
        f"SELECT {DRAFT}, '{FIRST}', 'body', 'Inner', 9, 'tool';"
        "INSERT INTO orchestration_step (id, version_id, name, \"order\", kind) "
        f"SELECT '{FIRST}', {DRAFT}, 'Map', 2, 'map'",
        STEPS,
        "Write Review Map Critic Inner",
    ),
    (
        "a step of a draft is deleted with those inside it",
        f"DELETE FROM orchestration_step WHERE version_id = {DRAFT} AND name = 'Review'",
        STEPS,
        "Write",
    ),
    (
        "a dead worker is deleted and its executions are due again, in one statement",
        f"WITH dead AS (DELETE FROM worker WHERE id = '{FIRST}' RETURNING id) "
        "UPDATE execution SET owner = NULL, status = 'queued', available_at = clock_timestamp() "
        "FROM dead WHERE owner = dead.id",
        STATUSES,
        ["cancelling queued", "running queued"],
    ),
    (
        "a worker claims what is due",
        f"UPDATE execution SET owner = '{SECOND}', status = 'running', epoch = epoch + 1, available_at = NULL "
        "WHERE available_at <= clock_timestamp()",
        f"SELECT array_agg(idempotency_key || ' ' || epoch) FROM execution WHERE owner = '{SECOND}'",
        ["queued 1"],
    ),
    (
        "an owner parks until a time, if nobody has woken it",
        "UPDATE execution SET owner = NULL, status = 'waiting', available_at = clock_timestamp() + interval '1 hour' "
        f"WHERE idempotency_key = 'running' AND owner = '{FIRST}' AND epoch = 1 AND wake_seq = 5",
        "SELECT status FROM execution WHERE idempotency_key = 'running'",
        "waiting",
    ),
    (
        "a message wakes what waits",
        "INSERT INTO inbox (execution_id, kind, sender) "
        "SELECT id, 'signal', 'anna' FROM execution WHERE idempotency_key = 'waiting';"
        "UPDATE execution SET wake_seq = wake_seq + 1, status = 'queued', available_at = clock_timestamp() "
        "WHERE idempotency_key = 'waiting'",
        "SELECT wake_seq FROM execution WHERE idempotency_key = 'waiting'",
        6,
    ),
    (
        "an execution that has no history yet can be deleted",
        "DELETE FROM execution WHERE idempotency_key = 'queued'",
        "SELECT count(*) FROM execution WHERE idempotency_key = 'queued'",
        0,
    ),
    (
        "two starters may use the same key",
        "INSERT INTO execution (id, version_id, input, started_by, idempotency_key) "
        "SELECT gen_random_uuid(), version_id, '1', '{\"kind\": \"agent\", \"name\": \"bob\"}', 'queued' "
        "FROM execution LIMIT 1",
        "SELECT count(*) FROM execution WHERE idempotency_key = 'queued'",
        2,
    ),
    (
        "the journal shows its payload as jsonb",
        "INSERT INTO journal (execution_id, seq, kind, payload) "
        "SELECT execution_id, 2, 'StepCompleted', '{\"output\": {\"text\": \"tea\"}}' FROM journal LIMIT 1",
        "SELECT payload #>> '{output,text}' FROM journal_event WHERE seq = 2",
        "tea",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("edit", "query", "result"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
async def test_an_honest_edit_succeeds(world: asyncpg.Connection, edit: str, query: str, result: Any) -> None:
    await world.execute(edit)
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert await world.fetchval(query) == result
