"""What the rows have to allow: the edits of admins and of the engine, as raw SQL, checked as at a commit."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.db.attacks import CANARY, EDIT_BRIEF, EDIT_ROLE_DRAFT, MARK, MONTH, ROLE_DRAFT, ROLE_PROPOSAL
from tests.db.model_attacks import MODEL_EDITS
from tests.db.tool_attacks import TOOL_EDITS

FIRST, SECOND = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
DRAFT = f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = 3)"
PUBLISH_DRAFT = (
    f"{MARK} UPDATE orchestration_version SET status = 'published', digest = 'sha256:' || repeat('b', 64), "
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

ADD = "INSERT INTO orchestration_step (version_id, name, \"order\", kind, {}) SELECT {}, '{}', {}, '{}', {};"
SET_ORDER = f"UPDATE orchestration_step SET \"order\" = {{}} WHERE name = '{{}}' AND version_id = {DRAFT};"
NAMED = "(SELECT id FROM orchestration_step WHERE name = '{}' AND version_id = " + DRAFT + ")"
ROLE_OF_EXTRA = (
    "SELECT step.role_name || ' ' || coalesce(role.name, 'nobody') FROM orchestration_step AS step "
    "LEFT JOIN role ON role.id = role_id WHERE step.name = 'Extra'"
)


def _step(name: str, order: int, kind: str = "transform", **columns: str) -> str:
    """A new step of the draft; the values of columns are SQL."""
    own = {"slot": "'main'", **columns}
    return ADD.format(", ".join(own), DRAFT, name, order, kind, ", ".join(own.values()))


def _inside(parent: str, slot: str, name: str, kind: str = "transform", order: int = 0) -> str:
    """A new step of the draft, held by another."""
    return _step(name, order, kind, slot=f"'{slot}'", parent_id=NAMED.format(parent))


ROUTE = _step("Route", 2, "branch", config='\'{"cases": [{"name": "Pay now"}], "onError": {"catch": [{}]}}\'')
FILLED = "".join(
    [_inside("Route", slot, slot.title().replace(":", " ")) for slot in ("else", "catch:0", "compensate")]
    + [_inside("Route", "case:Pay now", "Pay")]
)
MEMBERS = "".join(
    _step(name, 5 + place, parallel_group="'search'") for place, name in enumerate(("One", "Two", "Three"))
)
UNFINISHED = ("agent", "tool", "orchestration", "loop", "map")
NINE = _step("Held 0", 5, "group") + "".join(
    _inside(f"Held {level}", "body", f"Held {level + 1}", "group") for level in range(8)
)

LATER = "UPDATE execution SET available_at = clock_timestamp() + interval '1 hour' WHERE idempotency_key = 'queued';"
CLAIM = (
    f"UPDATE execution SET owner = '{SECOND}', status = 'running', epoch = epoch + 1, available_at = NULL "
    "WHERE idempotency_key = '{}';"
)
GIVE_BACK = (
    "UPDATE execution SET owner = NULL, status = 'queued', available_at = clock_timestamp() "
    "WHERE idempotency_key = '{}';"
)
POST = (
    "INSERT INTO inbox (execution_id, kind, sender) "
    "SELECT id, '{}', 'anna' FROM execution WHERE idempotency_key = '{}';"
)
PARK = "UPDATE execution SET owner = NULL, status = 'waiting' WHERE idempotency_key = '{}';"
# A second child of the paused one, which that does not wait for.
DETACHED = (
    "INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, "
    "depth, is_detached) SELECT gen_random_uuid(), version_id, '{}', started_by, id, 'Alone', 1, 1, true "
    "FROM execution WHERE idempotency_key = 'paused';"
)
END = (
    "WITH done AS (UPDATE execution SET status = '{0}', owner = NULL, available_at = NULL, finished_at = now() "
    "WHERE {1} RETURNING id, epoch) INSERT INTO journal (execution_id, seq, epoch, kind, payload) "
    "SELECT id, 9, epoch, 'execution_{0}', '{{}}' FROM done;"
)
PAUSED = "idempotency_key = 'paused'"

LAST_ENTRY = "SELECT array[action, noun] FROM audit ORDER BY seq DESC LIMIT 1"
PUBLISH_ROLE = MARK + EDIT_ROLE_DRAFT.format("status = 'published', published_at = now(), decided_by = 'anna'") + ";"
SPARE = (
    "SELECT role.version || ' ' || base_prompt || ' ' || string_agg(number || ' ' || status, ', ' ORDER BY number) "
    "FROM role JOIN role_version ON role_id = role.id WHERE name = 'Spare' GROUP BY role.id"
)
CANARY_OF_BRIEF = (
    "SELECT coalesce(number || ' ' || canary_percent, 'none') FROM orchestration "
    "LEFT JOIN orchestration_version AS version ON version.id = canary_version_id WHERE name = 'Brief'"
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
        "drafting a role, editing the draft and discarding it stand in the audit",
        ROLE_DRAFT + EDIT_ROLE_DRAFT.format("message = 'why'") + "; DELETE FROM role_version WHERE number = 2; "
        "SET CONSTRAINTS ALL IMMEDIATE",
        "SELECT array_agg(action ORDER BY seq) FROM audit WHERE noun = 'role_version' "
        "AND coalesce(after, before) ->> 'number' = '2'",
        ["insert", "update", "delete"],
    ),
    (
        "a draft of a role is edited, and is what the role is once it is published",
        ROLE_DRAFT
        + EDIT_ROLE_DRAFT.format("content = content || '{\"base_prompt\": \"Nap.\", \"tools\": [\"a\", \"b\"]}'")
        + ";"
        + PUBLISH_ROLE,
        SPARE,
        "2 Nap. 1 published, 2 published",
    ),
    (
        "what a role is proposed to be is published as it is",
        ROLE_PROPOSAL + PUBLISH_ROLE,
        SPARE,
        "2 Doze. 1 published, 2 published",
    ),
    (
        "a draft of a role is to be published, and the database says who asks",
        ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'publishing', requested_by = 'eve', problems = '[{}]'"),
        "SELECT array[kind, (requested_by = session_user)::text, requested_from, problems::text] "
        "FROM row_request JOIN role_version USING (id, requested_by)",
        ["publication of a role", "true", "draft", "[]"],
    ),
    (
        "what a role is proposed to be is asked for, and the server has found problems",
        ROLE_PROPOSAL
        + EDIT_ROLE_DRAFT.format("status = 'publishing'")
        + f"; {MARK}"
        + EDIT_ROLE_DRAFT.format("status = requested_from, problems = '[{}]'"),
        "SELECT status || ' ' || problems::text FROM role_version WHERE number = 2",
        "proposed [{}]",
    ),
    (
        "the request to publish a draft of a role is withdrawn",
        ROLE_DRAFT
        + EDIT_ROLE_DRAFT.format("status = 'publishing'")
        + ";"
        + EDIT_ROLE_DRAFT.format("status = 'draft'"),
        SPARE,
        "1 Rest. 1 published, 2 draft",
    ),
    (
        "a draft that changes nothing can be published",
        ROLE_DRAFT + EDIT_ROLE_DRAFT.format("content = content || '{\"base_prompt\": \"Rest.\"}'") + ";" + PUBLISH_ROLE,
        SPARE,
        "2 Rest. 1 published, 2 published",
    ),
    (
        "an edit of a role counts on behind its drafts, which then are outdated",
        ROLE_DRAFT + "UPDATE role SET base_prompt = 'Sleep.' WHERE name = 'Spare'",
        SPARE,
        "3 Sleep. 1 published, 2 draft, 3 published",
    ),
    (
        "a proposal for a role is rejected, and stays",
        ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("status = 'rejected', rejected_at = now(), rejection = 'no'"),
        SPARE,
        "1 Rest. 1 published, 2 rejected",
    ),
    (
        "a draft of a role is deleted",
        ROLE_DRAFT + "DELETE FROM role_version WHERE number = 2",
        SPARE,
        "1 Rest. 1 published",
    ),
    (
        "what a role was is archived",
        "UPDATE role SET base_prompt = 'Sleep.' WHERE name = 'Spare';"
        "UPDATE role_version SET status = 'archived' WHERE number = 1 AND content ->> 'name' = 'Spare'",
        SPARE,
        "2 Sleep. 1 archived, 2 published",
    ),
    (
        "a role goes with its drafts and proposals",
        ROLE_PROPOSAL + "DELETE FROM role WHERE name = 'Spare'",
        "SELECT count(*) FROM role_version",
        1,
    ),
    (
        "a canary rests at a share of nothing",
        CANARY + EDIT_BRIEF.format("canary_percent = 0"),
        CANARY_OF_BRIEF,
        "3 0",
    ),
    (
        "a canary ends",
        CANARY + EDIT_BRIEF.format("canary_version_id = NULL, canary_percent = NULL"),
        CANARY_OF_BRIEF,
        "none",
    ),
    (
        "a canary ends when it becomes the active version",
        CANARY + ACTIVATE_DRAFT,
        CANARY_OF_BRIEF,
        "none",
    ),
    (
        "a canary ends when nothing is active any more",
        CANARY + EDIT_BRIEF.format("active_version_id = NULL"),
        CANARY_OF_BRIEF,
        "none",
    ),
    (
        "a canary is changed together with the active version",
        CANARY
        + EDIT_BRIEF.format("active_version_id = canary_version_id, canary_version_id = active_version_id"),
        CANARY_OF_BRIEF,
        "1 10",
    ),
    (
        "a canary that has ended is archived",
        CANARY
        + EDIT_BRIEF.format("canary_version_id = NULL, canary_percent = NULL")
        + f";UPDATE orchestration_version SET status = 'archived' WHERE id = {DRAFT}",
        f"SELECT status FROM orchestration_version WHERE id = {DRAFT}",
        "archived",
    ),
    (
        "an orchestration that never ran goes with its canary",
        f"{MARK} INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest, "
        "max_step_runs, published_at) SELECT id, 2, '{}', 'anna', 'published', 'sha256:' || repeat('c', 64), 1, now() "
        "FROM orchestration WHERE name = 'Idle';"
        "UPDATE orchestration SET canary_version_id = version.id, canary_percent = 1 "
        "FROM orchestration_version AS version WHERE version.orchestration_id = orchestration.id AND number = 2 "
        "AND name = 'Idle'; DELETE FROM orchestration WHERE name = 'Idle'",
        "SELECT count(*) FROM orchestration WHERE name = 'Idle'",
        0,
    ),
    (
        "a published version's expiry is set, put off and taken away",
        "UPDATE orchestration_version SET expires_at = now() WHERE status = 'published';"
        "UPDATE orchestration_version SET expires_at = now() + interval '1 day' WHERE status = 'published';"
        "UPDATE orchestration_version SET expires_at = NULL WHERE status = 'published'",
        "SELECT count(*) FROM orchestration_version WHERE expires_at IS NULL",
        5,
    ),
    (
        "a proposal's expiry is taken away while it waits for a decision",
        f"UPDATE orchestration_version SET status = 'proposed', expires_at = now() WHERE id = {DRAFT};"
        f"UPDATE orchestration_version SET expires_at = NULL WHERE id = {DRAFT}",
        f"SELECT status FROM orchestration_version WHERE id = {DRAFT} AND expires_at IS NULL",
        "proposed",
    ),
    (
        "the children of what is under way start after its version and its roles have expired",
        "UPDATE orchestration_version SET expires_at = now() WHERE status = 'published';"
        "UPDATE role SET expires_at = now();"
        "INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, "
        "depth) SELECT gen_random_uuid(), version_id, '{}', started_by, id, 'Sub', 1, 1 FROM execution "
        "WHERE idempotency_key = 'running'",
        "SELECT count(*) FROM execution WHERE depth = 1",
        2,
    ),
    (
        "an execution starts while nothing of it has expired",
        "UPDATE orchestration_version SET expires_at = now() + interval '1 day' WHERE status = 'published';"
        "UPDATE role SET expires_at = now() + interval '1 day' WHERE name = 'Coder';"
        "UPDATE role SET expires_at = now() WHERE name = 'Spare';"
        "INSERT INTO execution (id, version_id, input, started_by) "
        "SELECT gen_random_uuid(), version_id, '{}', started_by FROM execution WHERE idempotency_key = 'running'",
        "SELECT count(*) FROM execution WHERE idempotency_key IS NULL AND depth = 0",
        1,
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
        "an edit of an orchestration is dated by the database as well",
        "UPDATE orchestration SET description = 'x', updated_at = '2001-01-01' WHERE name = 'Brief'",
        "SELECT updated_at = now() FROM orchestration WHERE name = 'Brief'",
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
    (
        "what is proposed is published as it is",
        f"UPDATE orchestration_version SET status = 'proposed' WHERE id = {DRAFT};"
        + PUBLISH_DRAFT.replace("max_step_runs = 3", "max_step_runs = 3, major = 2, decided_by = 'anna'")
        + ACTIVATE_DRAFT,
        ACTIVE_NUMBER,
        3,
    ),
    (
        "what is proposed is rejected, and stays",
        f"UPDATE orchestration_version SET status = 'proposed' WHERE id = {DRAFT};"
        "UPDATE orchestration_version SET status = 'rejected', rejected_at = now(), rejection = 'no', "
        f"decided_by = 'anna' WHERE id = {DRAFT}",
        f"SELECT status || ': ' || rejection FROM orchestration_version WHERE id = {DRAFT}",
        "rejected: no",
    ),
    (
        "a key that was used a day ago is forgotten",
        "DELETE FROM idempotency_key WHERE created_at < now() + interval '1 second'",
        "SELECT count(*) FROM idempotency_key",
        0,
    ),
    (
        "who asks for a publication, and of what, is put down by the database",
        f"UPDATE orchestration_version SET status = 'publishing', requested_by = 'eve' WHERE id = {DRAFT}",
        "SELECT requested_by = session_user AND requested_at <= clock_timestamp() AND requested_from = 'draft' "
        f"AND activates AND NOT allows_breaking FROM orchestration_version WHERE id = {DRAFT}",
        True,
    ),
    (
        "a request is withdrawn, and the draft edited",
        f"UPDATE orchestration_version SET status = 'publishing' WHERE id = {DRAFT};"
        f"UPDATE orchestration_version SET status = 'draft' WHERE id = {DRAFT};"
        f"UPDATE orchestration_step SET name = 'Scribble' WHERE version_id = {DRAFT} AND name = 'Write'",
        STEPS,
        "Scribble Review Critic",
    ),
    (
        "a server publishes what was asked for, and notes the roles that its steps mean",
        f"UPDATE orchestration_version SET status = 'publishing' WHERE id = {DRAFT}; {MARK}"
        "UPDATE orchestration_step SET role_id = (SELECT id FROM role WHERE name = 'Spare') "
        f"WHERE version_id = {DRAFT} AND name = 'Write';" + PUBLISH_DRAFT,
        "SELECT role.name FROM orchestration_step AS step JOIN role ON role.id = role_id "
        f"JOIN orchestration_version AS version ON version.id = version_id WHERE version_id = {DRAFT} "
        "AND version.status = 'published'",
        "Spare",
    ),
    (
        "a server says what is against it; asked again, that is forgotten",
        f"UPDATE orchestration_version SET status = 'publishing' WHERE id = {DRAFT}; {MARK}"
        f"UPDATE orchestration_version SET status = requested_from, problems = '[{{}}]' WHERE id = {DRAFT};"
        f"UPDATE orchestration_version SET status = 'publishing' WHERE id = {DRAFT} AND problems = '[{{}}]'",
        f"SELECT status || problems FROM orchestration_version WHERE id = {DRAFT}",
        "publishing[]",
    ),
    (
        "a proposal that is to be published goes back to being one",
        f"UPDATE orchestration_version SET status = 'proposed' WHERE id = {DRAFT};"
        f"UPDATE orchestration_version SET status = 'publishing', activates = false, allows_breaking = true "
        f"WHERE id = {DRAFT}; {MARK}"
        f"UPDATE orchestration_version SET status = requested_from, problems = '[{{}}]' WHERE id = {DRAFT}",
        f"SELECT status || activates || allows_breaking FROM orchestration_version WHERE id = {DRAFT}",
        "proposedfalsetrue",
    ),
    (
        "what is asked of the servers stands in one place",
        f"UPDATE orchestration_version SET status = 'publishing' WHERE id = {DRAFT}",
        f"SELECT array_agg(kind) FROM row_request WHERE id = {DRAFT} AND requested_by = session_user",
        ["publication"],
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
        "two steps of a draft swap their orders, one after the other",
        SET_ORDER.format(1, "Write") + SET_ORDER.format(0, "Review"),
        STEPS,
        "Review Write Critic",
    ),
    (
        "all steps of a draft move down, and a new one stands before them",
        f"UPDATE orchestration_step SET \"order\" = \"order\" + 1 WHERE version_id = {DRAFT} AND parent_id IS NULL;"
        + _step("First", 0),
        STEPS,
        "First Write Review Critic",
    ),
    (
        "a step and the one that it holds change places",
        "UPDATE orchestration_step SET kind = 'group', slot = 'main', parent_id = NULL, \"order\" = 1 "
        f"WHERE id = {NAMED.format('Critic')};"
        f"UPDATE orchestration_step SET slot = 'body', parent_id = {NAMED.format('Critic')} WHERE id = "
        f"{NAMED.format('Review')}",
        STEPS,
        "Write Critic Review",
    ),
    (
        "the members of a group have one order, or orders that follow each other",
        MEMBERS + SET_ORDER.format(5, "Two"),
        "SELECT array_agg(\"order\" ORDER BY name) FROM orchestration_step WHERE parallel_group = 'search'",
        [5, 7, 5],
    ),
    (
        "a group is taken apart and put together again",
        MEMBERS + SET_ORDER.format(9, "Two") + _step("Between", 8) + SET_ORDER.format(4, "Two"),
        STEPS,
        "Write Review Two One Three Between Critic",
    ),
    (
        "a group may have the name of one in another list",
        MEMBERS + _inside("Review", "body", "Search", order=1)
        + f"UPDATE orchestration_step SET parallel_group = 'search' WHERE id = {NAMED.format('Search')}",
        f"SELECT count(*) FROM orchestration_step WHERE parallel_group = 'search' AND version_id = {DRAFT}",
        4,
    ),
    (
        "every slot that a branch has can be filled",
        ROUTE + FILLED,
        f"SELECT array_agg(slot ORDER BY slot) FROM orchestration_step WHERE parent_id = {NAMED.format('Route')}",
        ["case:Pay now", "catch:0", "compensate", "else"],
    ),
    (
        "a case is given another name, and its steps with it",
        ROUTE
        + FILLED
        + "UPDATE orchestration_step SET slot = 'case:Later' WHERE slot = 'case:Pay now';"
        + "UPDATE orchestration_step SET config = jsonb_set(config, '{cases,0,name}', '\"Later\"') "
        "WHERE name = 'Route'",
        "SELECT slot FROM orchestration_step WHERE name = 'Pay'",
        "case:Later",
    ),
    ("steps stand nine deep", NINE, "SELECT count(*) FROM orchestration_step WHERE name LIKE 'Held%'", 9),
    (
        "a draft has 200 steps",
        'INSERT INTO orchestration_step (version_id, name, "order", kind) '
        f"SELECT {DRAFT}, 'Extra ' || place, place, 'transform' FROM generate_series(2, 198) AS place",
        f"SELECT count(*) FROM orchestration_step WHERE version_id = {DRAFT}",
        200,
    ),
    (
        "a draft may lack what its publication needs",
        "".join(_step(f"The {kind}", 2 + place, kind) for place, kind in enumerate(UNFINISHED)),
        STEPS,
        "Write Review The agent The tool The orchestration The loop The map Critic",
    ),
    (
        "nothing is said by the null of JSON either",
        _step("Extra", 2, "loop", config="'{\"maxIterations\": null}'", input_mapping="'null'"),
        STEPS,
        "Write Review Extra Critic",
    ),
    (
        "a role that is said by its name has its id",
        _step("Extra", 2, "llm", role_name="'Spare'"),
        ROLE_OF_EXTRA,
        "Spare Spare",
    ),
    (
        "a role that is said by its id has its name",
        _step("Extra", 2, "llm", role_id="(SELECT id FROM role WHERE name = 'Spare')"),
        ROLE_OF_EXTRA,
        "Spare Spare",
    ),
    (
        "a role that is still to come is named",
        _step("Extra", 2, "llm", role_name="'Poet'"),
        ROLE_OF_EXTRA,
        "Poet nobody",
    ),
    (
        "another role is given by its name, and its id follows",
        _step("Extra", 2, "llm", role_name="'Spare'")
        + "UPDATE orchestration_step SET role_name = 'Coder' WHERE name = 'Extra'",
        ROLE_OF_EXTRA,
        "Coder Coder",
    ),
    (
        "another role is given by its id, and its name follows",
        _step("Extra", 2, "llm", role_name="'Spare'")
        + "UPDATE orchestration_step SET role_id = (SELECT id FROM role WHERE name = 'Coder') WHERE name = 'Extra'",
        ROLE_OF_EXTRA,
        "Coder Coder",
    ),
    (
        "a step whose role was renamed can be edited and keeps the name that it knows",
        _step("Extra", 2, "llm", role_name="'Spare'")
        + "UPDATE role SET name = 'Poet' WHERE name = 'Spare';"
        + "UPDATE orchestration_step SET role_name = role_name, max_retries = 1 WHERE name = 'Extra'",
        ROLE_OF_EXTRA,
        "Spare Poet",
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
        CLAIM.format("queued"),
        f"SELECT array_agg(idempotency_key || ' ' || epoch) FROM execution WHERE owner = '{SECOND}'",
        ["queued 1"],
    ),
    (
        "nine claims that come to nothing are counted",
        9 * (CLAIM.format("queued") + GIVE_BACK.format("queued")),
        "SELECT (claims, claimed_seq)::text FROM execution WHERE idempotency_key = 'queued'",
        "(9,0)",
    ),
    (
        "the tenth claim sees that the journal has grown",
        9 * (CLAIM.format("queued") + GIVE_BACK.format("queued")) + CLAIM.format("queued"),
        "SELECT (claims, claimed_seq)::text FROM execution WHERE idempotency_key = 'queued'",
        "(0,1)",
    ),
    (
        "twenty claims that come to nothing after that are all counted",
        30 * (CLAIM.format("queued") + GIVE_BACK.format("queued")),
        "SELECT (claims, claimed_seq)::text FROM execution WHERE idempotency_key = 'queued'",
        "(20,1)",
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
        POST.format("signal", "waiting"),
        "SELECT wake_seq || ' ' || (available_at <= clock_timestamp()) FROM execution "
        "WHERE idempotency_key = 'waiting'",
        "6 true",
    ),
    (
        "a message leaves what is paused alone",
        POST.format("signal", "paused"),
        "SELECT wake_seq || ' ' || status FROM execution WHERE idempotency_key = 'paused'",
        "6 paused",
    ),
    (
        "to settle a step by hand makes what is paused due",
        POST.format("skip_step", "paused"),
        "SELECT wake_seq || ' ' || status FROM execution WHERE idempotency_key = 'paused'",
        "6 queued",
    ),
    (
        "to resume makes what is paused due",
        POST.format("resume", "paused"),
        "SELECT wake_seq || ' ' || status FROM execution WHERE idempotency_key = 'paused'",
        "6 queued",
    ),
    (
        "a cancel reaches the children too, and is asked for once",
        2 * POST.format("cancel", "paused"),
        "SELECT array_agg(depth || ' ' || status || ' ' || wake_seq || ' ' || (cancel_requested_at IS NOT NULL) "
        "ORDER BY depth) FROM execution WHERE idempotency_key = 'paused' OR depth = 1",
        ["0 queued 7 true", "1 queued 2 true"],
    ),
    (
        "what is not due yet is not begun by a message",
        LATER + POST.format("pause", "queued") + POST.format("resume", "queued"),
        "SELECT wake_seq || ' ' || (available_at > now()) FROM execution WHERE idempotency_key = 'queued'",
        "2 true",
    ),
    (
        "what is not due yet is taken up when it is to end",
        LATER + POST.format("cancel", "queued"),
        "SELECT wake_seq || ' ' || (available_at > clock_timestamp()) FROM execution WHERE idempotency_key = 'queued'",
        "1 false",
    ),
    (
        "a cancel leaves the inbox once the journal has it",
        "INSERT INTO journal (execution_id, seq, epoch, kind, payload) SELECT id, 9, epoch, 'cancel_requested', '{}' "
        "FROM execution WHERE idempotency_key = 'cancelling'; DELETE FROM inbox",
        "SELECT count(*) FROM inbox",
        0,
    ),
    (
        "a child's end wakes its parent",
        f"UPDATE execution SET status = 'running', epoch = 1, owner = '{SECOND}', available_at = NULL WHERE depth = 1;"
        "WITH done AS (UPDATE execution SET status = 'completed', owner = NULL, finished_at = now() "
        "WHERE depth = 1 RETURNING id) INSERT INTO journal (execution_id, seq, epoch, kind, payload) "
        "SELECT id, 1, 1, 'execution_completed', '{}' FROM done",
        "SELECT wake_seq || ' ' || (payload ->> 'path') || ' ' || (payload ->> 'status') FROM inbox "
        "JOIN execution ON execution.id = execution_id WHERE idempotency_key = 'paused' AND kind = 'child_finished'",
        "6 Review[0]/Critic completed",
    ),
    (
        "the end of what its parent does not wait for wakes nobody",
        DETACHED + END.format("failed", "parent_path = 'Alone'"),
        "SELECT wake_seq FROM execution WHERE idempotency_key = 'paused'",
        5,
    ),
    (
        "a cancel does not reach what is detached",
        DETACHED + POST.format("cancel", "paused"),
        "SELECT array_agg(parent_path || ' ' || (cancel_requested_at IS NOT NULL) ORDER BY parent_path) FROM execution "
        "WHERE depth = 1",
        ["Alone false", "Review[0]/Critic true"],
    ),
    (
        "the end of a parent cancels the children that it waits for",
        DETACHED + END.format("failed", PAUSED),
        "SELECT array_agg(parent_path || ' ' || (cancel_requested_at IS NOT NULL) ORDER BY parent_path) FROM execution "
        "WHERE depth = 1",
        ["Alone false", "Review[0]/Critic true"],
    ),
    (
        "a parent completes while what it has stopped, or only started, goes on",
        DETACHED + "INSERT INTO inbox (execution_id, kind, sender) SELECT id, 'cancel', 'anna' FROM execution "
        "WHERE parent_path LIKE 'Review%';" + CLAIM.format("paused") + END.format("completed", PAUSED),
        "SELECT status FROM execution WHERE idempotency_key = 'paused'",
        "completed",
    ),
    (
        "a child runs an archived version of what has been switched off",
        "UPDATE orchestration SET is_active = false WHERE name = 'Brief';"
        "INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, "
        "depth) SELECT gen_random_uuid(), version.id, '{}', started_by, execution.id, 'Sub', 1, 1 FROM execution, "
        "orchestration_version AS version WHERE idempotency_key = 'running' AND version.status = 'archived'",
        "SELECT count(*) FROM execution WHERE depth = 1",
        2,
    ),
    (
        "each attempt at a step may have a child",
        "INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, "
        "depth) SELECT gen_random_uuid(), version_id, '{}', started_by, parent_execution_id, parent_path, 2, 1 "
        "FROM execution WHERE depth = 1",
        "SELECT count(*) FROM execution WHERE depth = 1",
        2,
    ),
    (
        "what was parked counts its claims anew",
        9 * (CLAIM.format("queued") + PARK.format("queued")),
        "SELECT claims FROM execution WHERE idempotency_key = 'queued'",
        0,
    ),
    (
        "an execution that has no history yet can be deleted",
        "DELETE FROM execution WHERE idempotency_key = 'new'",
        "SELECT count(*) FROM execution WHERE idempotency_key = 'new'",
        0,
    ),
    (
        "signals to two executions may have the same key",
        "INSERT INTO signal_key (execution_id, key, request_digest) "
        "SELECT id, 'paid', 'another' FROM execution WHERE idempotency_key = 'running'",
        "SELECT count(*) FROM signal_key WHERE key = 'paid'",
        3,
    ),
    (
        "two starters may use the same key",
        "INSERT INTO execution (id, version_id, input, started_by, idempotency_key, request_digest) "
        "SELECT gen_random_uuid(), version_id, '1', '{\"kind\": \"agent\", \"name\": \"bob\"}', 'queued', 'digest' "
        "FROM execution LIMIT 1",
        "SELECT count(*) FROM execution WHERE idempotency_key = 'queued'",
        2,
    ),
    (
        "the journal shows its payload as jsonb",
        "INSERT INTO journal (execution_id, seq, epoch, kind, payload) "
        "SELECT id, 9, 1, 'step_noted', '{\"note\": {\"text\": \"tea\"}}' FROM execution "
        "WHERE idempotency_key = 'running'",
        "SELECT payload #>> '{note,text}' FROM journal_event WHERE seq = 9",
        "tea",
    ),
    (
        "an execution started now is in the journal's partition of this month",
        "WITH started AS (INSERT INTO execution (id, version_id, input, started_by) "
        "SELECT first_id_at(now()), version_id, '1', started_by FROM execution LIMIT 1 RETURNING id) "
        "INSERT INTO journal (execution_id, seq, kind, payload) SELECT id, 1, 'execution_started', '{}' FROM started",
        "SELECT count(*) FROM ONLY journal_" + MONTH,
        1,
    ),
    (
        "what has finished long ago is pruned with its history, a batch at a time",
        "SELECT execution_prune('23 hours', 3)",
        "SELECT (SELECT count(*) FROM execution WHERE finished_at IS NOT NULL) || ' of ' "
        "|| count(*) FILTER (WHERE seq = 4) FROM journal",
        "1 of 1",
    ),
    (
        "the keys of the signals to an execution go with it",
        "SELECT execution_prune('23 hours', 100)",
        "SELECT array_agg(status) FROM signal_key JOIN execution ON execution.id = execution_id",
        ["waiting"],
    ),
    (
        "what has finished lately stays",
        "SELECT execution_prune('25 hours', 100)",
        "SELECT count(*) FROM execution WHERE finished_at IS NOT NULL",
        4,
    ),
    (
        "what a restart comes from stays with it",
        "INSERT INTO execution (id, version_id, input, started_by, forked_from) "
        "SELECT gen_random_uuid(), version_id, '1', started_by, id FROM execution WHERE idempotency_key = 'failed';"
        "SELECT execution_prune('1 hour', 100)",
        "SELECT array_agg(idempotency_key) FROM execution WHERE finished_at IS NOT NULL",
        ["failed"],
    ),
    (
        "after a pruning the guards are back",
        "SELECT execution_prune('25 hours', 100)",
        "SELECT is_pruning()",
        False,
    ),
    (
        "a request to start is in the name of who makes it, whatever that says",
        "INSERT INTO execution_request (id, orchestration, requested_by, requested_at, answered_at, execution_id) "
        f"VALUES ('{FIRST}', 'Brief', 'eve', '2020-01-01', now(), '{FIRST}')",
        "SELECT requested_by = session_user AND requested_at > now() - interval '1 hour' AND answered_at IS NULL "
        f"AND execution_id IS NULL AND id <> '{FIRST}' FROM execution_request",
        True,
    ),
    (
        "the key of a request that was refused is free again",
        "SELECT rolecall.run('Brief', '1', 'mine');"
        "UPDATE execution_request SET answered_at = now(), problems = '[{}]';"
        "SELECT rolecall.run('Brief', '2', 'mine')",
        "SELECT count(*) FROM execution_request WHERE idempotency_key = 'mine'",
        2,
    ),
    (
        "the partitions are there already",
        "SELECT",
        "SELECT journal_add_partitions()",
        0,
    ),
    (
        "partitions are made ahead",
        "SELECT journal_add_partitions(4)",
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'journal'::regclass",
        6,
    ),
    (
        "an empty month that is past is dropped, one that an execution started in is not",
        "SELECT journal_add_partition('2020-01-01'), journal_add_partition('2020-02-01');"
        "INSERT INTO execution (id, version_id, input, started_by) "
        "SELECT first_id_at('2020-02-11'), version_id, '1', started_by FROM execution LIMIT 1;"
        "SELECT journal_drop_partitions()",
        "SELECT array_agg(inhrelid::regclass::text) FROM pg_inherits "
        "WHERE inhparent = 'journal'::regclass AND inhrelid::regclass::text LIKE 'journal_2020%'",
        ["journal_2020_02"],
    ),
    (
        "a change of a role stands in the audit, as it was and as it is",
        "UPDATE role SET description = 'new' WHERE name = 'Coder'",
        "SELECT array[before ->> 'description', after ->> 'description'] FROM audit WHERE noun = 'role' "
        "ORDER BY seq DESC LIMIT 1",
        ["", "new"],
    ),
    (
        "a draft of a role stands in the audit",
        "INSERT INTO role_version (role_id, number, content, created_by) "
        "SELECT role_id, number + 1, content, 'eve' FROM role_version WHERE content ->> 'name' = 'Coder'",
        LAST_ENTRY,
        ["insert", "role_version"],
    ),
    (
        "a change of an orchestration stands in the audit",
        "UPDATE orchestration SET description = 'new' WHERE name = 'Brief'",
        LAST_ENTRY,
        ["update", "orchestration"],
    ),
    (
        "a new version of an orchestration stands in the audit",
        "INSERT INTO orchestration_version (orchestration_id, number, document, created_by) "
        f"VALUES ({BRIEF}, 9, '{{}}', 'eve')",
        LAST_ENTRY,
        ["insert", "orchestration_version"],
    ),
    (
        "a step that is taken out stands in the audit",
        f"DELETE FROM orchestration_step WHERE name = 'Write' AND version_id = {DRAFT}",
        LAST_ENTRY,
        ["delete", "orchestration_step"],
    ),
    (
        "a token that is revoked stands in the audit",
        "UPDATE token SET revoked_at = now()",
        LAST_ENTRY,
        ["update", "token"],
    ),
    (
        "a budget stands in the audit",
        "INSERT INTO budget (role_id, usd_per_day) SELECT id, 5 FROM role WHERE name = 'Coder'",
        LAST_ENTRY,
        ["insert", "budget"],
    ),
    (
        "an execution has the budget of its version, or the lower one of its start",
        f"{MARK} UPDATE orchestration_version SET document = '{{\"limits\": {{\"maxCostUsd\": \"2.50\"}}}}', "
        "status = 'published', digest = 'sha256:' || repeat('b', 64), max_step_runs = 3, published_at = now() "
        f"WHERE id = {DRAFT};"
        "INSERT INTO execution (id, version_id, input, started_by, budget_usd) "
        f"SELECT uuid7(), {DRAFT}, '1', '{{\"kind\": \"human\", \"name\": \"eve\"}}', usd "
        "FROM (VALUES (3), (0.5)) AS asked (usd)",
        "SELECT string_agg(concat_ws(' ', budget_usd, is_budgeted), ', ' ORDER BY budget_usd) FROM execution "
        "WHERE budget_usd IS NOT NULL",
        "0.5 t, 2.50 t",
    ),
    (
        "a session that ends stands in the audit",
        "UPDATE session SET revoked_at = now()",
        LAST_ENTRY,
        ["update", "session"],
    ),
    *MODEL_EDITS,
    *TOOL_EDITS,
)  # fmt: skip


@pytest.mark.parametrize(("edit", "query", "result"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
async def test_an_honest_edit_succeeds(world: asyncpg.Connection, edit: str, query: str, result: Any) -> None:
    await world.execute(edit)
    await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert await world.fetchval(query) == result
