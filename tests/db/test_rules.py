"""What the rows refuse whoever writes them, and what they have to allow: raw SQL against a populated world."""

from __future__ import annotations

import re
from dataclasses import replace

import asyncpg
import pytest

from db.refusal import Refusal, refusal_of

FIRST, SECOND = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"

BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
PUBLISHED, ARCHIVED, DRAFT = (
    f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = {number})"
    for number in (1, 2, 3)
)
COMPLETE = "digest = 'sha256:' || repeat('0', 64), max_step_runs = 1, published_at = now()"
NEW_ROLE = "INSERT INTO role (name, base_prompt, created_by, {}) VALUES ('New', '', 'eve', {})"
EDIT_SPARE = "UPDATE role SET {} WHERE name = 'Spare'"
EDIT_BRIEF = "UPDATE orchestration SET {} WHERE name = 'Brief'"
EDIT_DRAFT = f"UPDATE orchestration_version SET {{}} WHERE id = {DRAFT}"
EDIT_PUBLISHED = f"UPDATE orchestration_version SET {{}} WHERE id = {PUBLISHED}"
EDIT_STEP = f"UPDATE orchestration_step SET {{}} WHERE name = 'Write' AND version_id = {DRAFT}"
EDIT = "UPDATE execution SET {} WHERE idempotency_key = '{}'"
START = (
    "INSERT INTO execution (id, version_id, input, started_by, {}) "
    'SELECT gen_random_uuid(), {}, \'{{}}\', \'{{"kind": "human", "name": "eve"}}\', {}'
)
NEW_TOKEN = "INSERT INTO token (prefix, name, hash, kind) VALUES ('{}', '{}', decode(repeat('00', {}), 'hex'), '{}')"

# (the rule by its name, an attack on it)
ATTACKS = (
    ("role__name", "INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'eve')"),
    ("role__name_is_a_name", EDIT_SPARE.format("name = ''")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = '1st'")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = E'Coder\\n'")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = 'Coder; DROP TABLE role'")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY['files.read', NULL]")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY['']")),
    ("role__model_is_an_object", EDIT_SPARE.format("model = 'null'")),
    ("role__parameters_are_an_object", EDIT_SPARE.format("parameters = '[]'")),
    ("role__output_schema_is_a_schema", EDIT_SPARE.format("output_schema = '7'")),
    ("role__version_is_counted", NEW_ROLE.format("version", "7")),
    ("role__version_is_counted", EDIT_SPARE.format("version = 2")),
    ("role__version_is_counted", EDIT_SPARE.format("base_prompt = 'stale', version = 0")),
    ("orchestration_step_role_id_fkey", "DELETE FROM role WHERE name = 'Coder'"),
    (
        "role_version__is_written_by_the_role",
        "INSERT INTO role_version (role_id, number, content) SELECT id, 2, '{}' FROM role WHERE name = 'Spare'",
    ),
    ("role_version__is_immutable", "UPDATE role_version SET content = '{}'"),
    ("role_version__is_immutable", "DELETE FROM role_version"),
    ("role_version__is_immutable", "TRUNCATE role_version"),
    ("role_version__is_immutable", "TRUNCATE role CASCADE"),
    (
        "role_version__role_number",
        "INSERT INTO role_version (role_id, number, content) SELECT role_id, number, content FROM role_version LIMIT 1",
    ),
    ("orchestration__name", "INSERT INTO orchestration (name, created_by) VALUES ('Brief', 'eve')"),
    ("orchestration__name_is_a_name", EDIT_BRIEF.format("name = ' Brief'")),
    ("orchestration__tags_are_named", EDIT_BRIEF.format("tags = ARRAY[NULL]::varchar[]")),
    ("orchestration__active_version_id", EDIT_BRIEF.format("active_version_id = gen_random_uuid()")),
    ("orchestration__active_version_is_its_own", EDIT_BRIEF.format(f"active_version_id = {DRAFT}")),
    ("orchestration__active_version_is_its_own", EDIT_BRIEF.format(f"active_version_id = {ARCHIVED}")),
    (
        "orchestration__active_version_is_its_own",
        f"UPDATE orchestration SET active_version_id = {PUBLISHED} WHERE name = 'Idle'",
    ),
    ("orchestration_version__active_is_published", EDIT_PUBLISHED.format("status = 'archived'")),
    ("execution_version_id_fkey", "DELETE FROM orchestration WHERE name = 'Brief'"),
    ("orchestration_version_orchestration_id_fkey", EDIT_DRAFT.format("orchestration_id = gen_random_uuid()")),
    ("orchestration_version__orchestration_number", EDIT_DRAFT.format("number = 1")),
    ("orchestration_version__number_counts_from_one", EDIT_DRAFT.format("number = 0")),
    ("orchestration_version__status", EDIT_DRAFT.format(f"status = 'frozen', {COMPLETE}")),
    ("orchestration_version__document_is_an_object", EDIT_DRAFT.format("document = '[]'")),
    ("orchestration_version__digest_is_a_digest", EDIT_DRAFT.format("digest = 'sha256:00'")),
    ("orchestration_version__max_step_runs", EDIT_DRAFT.format("max_step_runs = -1")),
    ("orchestration_version__published_is_complete", EDIT_DRAFT.format("status = 'published'")),
    (
        "orchestration_version__published_is_complete",
        EDIT_DRAFT.format("status = 'published', max_step_runs = 1, published_at = now()"),
    ),
    (
        "orchestration_version__published_is_complete",
        EDIT_DRAFT.format("status = 'published', digest = 'sha256:' || repeat('0', 64), published_at = now()"),
    ),
    (
        "orchestration_version__published_is_complete",
        EDIT_DRAFT.format("status = 'published', digest = 'sha256:' || repeat('0', 64), max_step_runs = 1"),
    ),
    ("orchestration_version__transition", EDIT_DRAFT.format("status = 'archived'")),
    ("orchestration_version__is_read_only", EDIT_PUBLISHED.format("document = '{\"limits\": {}}'")),
    ("orchestration_version__is_read_only", EDIT_PUBLISHED.format("max_step_runs = 1000000")),
    ("orchestration_version__is_read_only", EDIT_PUBLISHED.format("status = 'draft'")),
    ("orchestration_version__is_read_only", EDIT_PUBLISHED.format("status = 'archived', message = 'sneaked in'")),
    (
        "orchestration_version__is_read_only",
        f"UPDATE orchestration_version SET status = 'published' WHERE id = {ARCHIVED}",
    ),
    ("orchestration_version__is_read_only", f"DELETE FROM orchestration_version WHERE id = {PUBLISHED}"),
    ("orchestration_version__is_read_only", f"DELETE FROM orchestration_version WHERE id = {ARCHIVED}"),
    ("orchestration_version__is_read_only", "TRUNCATE orchestration_version CASCADE"),
    (
        "orchestration_step__is_read_only",
        f"INSERT INTO orchestration_step (version_id, name, \"order\", kind) VALUES ({PUBLISHED}, 'Extra', 2, 'tool')",
    ),
    (
        "orchestration_step__is_read_only",
        f"UPDATE orchestration_step SET config = '{{}}' WHERE version_id = {ARCHIVED}",
    ),
    ("orchestration_step__is_read_only", f"DELETE FROM orchestration_step WHERE version_id = {PUBLISHED}"),
    ("orchestration_step__is_read_only", EDIT_STEP.format(f"version_id = {PUBLISHED}, name = 'Moved in'")),
    (
        "orchestration_step__is_read_only",
        f"UPDATE orchestration_step SET version_id = {DRAFT}, name = 'Moved out' "
        f"WHERE version_id = {PUBLISHED} AND name = 'Write'",
    ),
    ("orchestration_step__is_read_only", "TRUNCATE orchestration_step"),
    ("orchestration_step_version_id_fkey", EDIT_STEP.format("version_id = gen_random_uuid()")),
    ("orchestration_step_role_id_fkey", EDIT_STEP.format("role_id = gen_random_uuid()")),
    ("orchestration_step__version_name", EDIT_STEP.format("name = 'Review'")),
    (
        "orchestration_step__parent_of_same_version",
        EDIT_STEP.format(
            "slot = 'body', parent_id = (SELECT id FROM orchestration_step "
            f"WHERE name = 'Review' AND version_id = {PUBLISHED})"
        ),
    ),
    ("orchestration_step__not_its_own_parent", EDIT_STEP.format("slot = 'body', parent_id = id")),
    ("orchestration_step__slot", EDIT_STEP.format("slot = 'sideways'")),
    ("orchestration_step__slot_fits_parent", EDIT_STEP.format("slot = 'body'")),
    (
        "orchestration_step__slot_fits_parent",
        f"UPDATE orchestration_step SET slot = 'main' WHERE name = 'Critic' AND version_id = {DRAFT}",
    ),
    ("orchestration_step__name_is_free", EDIT_STEP.format("name = ''")),
    ("orchestration_step__name_is_free", EDIT_STEP.format("name = 'context'")),
    ("orchestration_step__order", EDIT_STEP.format('"order" = -1')),
    ("orchestration_step__kind", EDIT_STEP.format("kind = 'goto'")),
    ("orchestration_step__config_is_an_object", EDIT_STEP.format("config = '\"loop\"'")),
    ("orchestration_step__max_retries", EDIT_STEP.format("max_retries = 20")),
    ("orchestration_step__max_retries", EDIT_STEP.format("max_retries = -1")),
    ("orchestration_step__retry_delay_ms", EDIT_STEP.format("retry_delay_ms = 86400001")),
    ("orchestration_step__timeout_ms", EDIT_STEP.format("timeout_ms = 0")),
    ("orchestration_step__timeout_ms", EDIT_STEP.format("timeout_ms = 86400001")),
    ("worker__lease_seconds", "UPDATE worker SET lease_seconds = 0"),
    ("execution_owner_fkey", "DELETE FROM worker WHERE name = 'first'"),
    (
        "execution_owner_fkey",
        EDIT.format("status = 'running', owner = gen_random_uuid(), epoch = 1, available_at = NULL", "queued"),
    ),
    ("execution__starts_from_a_published_version", START.format("request_digest", DRAFT, "NULL")),
    ("execution__starts_from_a_published_version", START.format("request_digest", ARCHIVED, "NULL")),
    ("execution__starts_from_a_published_version", START.format("request_digest", "gen_random_uuid()", "NULL")),
    (
        "execution__starts_from_a_published_version",
        START.format("request_digest", "active_version_id", "NULL FROM orchestration WHERE name = 'Asleep'"),
    ),
    ("execution__starts_queued", START.format("epoch", PUBLISHED, "7")),
    ("execution__starts_queued", START.format("status, available_at", PUBLISHED, "'waiting', NULL")),
    (
        "execution__starts_queued",
        START.format("status, finished_at, available_at", PUBLISHED, "'completed', now(), NULL"),
    ),
    # Behind the triggers, which answer first, the checks hold even when the owner of the table has disabled them.
    (
        "execution__status",
        "ALTER TABLE execution DISABLE TRIGGER USER; " + EDIT.format("status = 'done', available_at = NULL", "queued"),
    ),
    ("execution__owned_while_running", EDIT.format("owner = NULL", "running")),
    ("execution__owned_while_running", EDIT.format(f"owner = '{FIRST}', epoch = 1", "queued")),
    ("execution__owned_while_running", EDIT.format("status = 'running', available_at = NULL", "queued")),
    ("execution__finished_when_terminal", EDIT.format("finished_at = now()", "waiting")),
    ("execution__finished_when_terminal", EDIT.format("status = 'completed', owner = NULL", "running")),
    ("execution__output_when_completed", EDIT.format("output = '1'", "running")),
    ("execution__output_when_completed", EDIT.format("output = 'null'", "queued")),
    ("execution__error_when_not_completed", EDIT.format("error = '{}'", "running")),
    (
        "execution__error_when_not_completed",
        EDIT.format("status = 'completed', owner = NULL, finished_at = now(), error = '{}'", "running"),
    ),
    ("execution__available_when_queued", EDIT.format("available_at = NULL", "queued")),
    ("execution__available_unless_held", EDIT.format("available_at = now()", "running")),
    ("execution__available_unless_held", EDIT.format("available_at = now()", "paused")),
    (
        "execution__available_unless_held",
        EDIT.format("available_at = now(), status = 'cancelled', finished_at = now()", "waiting"),
    ),
    (
        "execution__started_by_a_principal",
        f"INSERT INTO execution (id, version_id, input, started_by) SELECT gen_random_uuid(), {PUBLISHED}, '1', '{{}}'",
    ),
    (
        "execution__idempotency",
        "INSERT INTO execution (id, version_id, input, started_by, idempotency_key) "
        "SELECT gen_random_uuid(), version_id, '1', started_by, idempotency_key FROM execution LIMIT 1",
    ),
    (
        "execution__identity_is_fixed",
        EDIT.format("version_id = (SELECT active_version_id FROM orchestration WHERE name = 'Idle')", "queued"),
    ),
    ("execution__identity_is_fixed", EDIT.format('input = \'{"topic": "coffee"}\'', "queued")),
    ("execution__identity_is_fixed", EDIT.format('started_by = \'{"kind": "human", "name": "eve"}\'', "queued")),
    ("execution__identity_is_fixed", EDIT.format("idempotency_key = NULL", "queued")),
    ("execution__terminal_is_final", EDIT.format("output = '{\"forged\": true}'", "completed")),
    ("execution__terminal_is_final", EDIT.format("wake_seq = wake_seq + 1", "failed")),
    ("execution__transition", EDIT.format("status = 'running'", "cancelling")),
    ("execution__epoch_counts_claims", EDIT.format("epoch = epoch + 1", "running")),
    ("execution__epoch_counts_claims", EDIT.format("epoch = epoch - 1", "running")),
    ("execution__epoch_counts_claims", EDIT.format("epoch = epoch + 1", "queued")),
    (
        "execution__epoch_counts_claims",
        EDIT.format(f"status = 'running', owner = '{FIRST}', available_at = NULL", "waiting"),
    ),
    (
        "execution__epoch_counts_claims",
        EDIT.format(f"status = 'running', owner = '{FIRST}', available_at = NULL, epoch = epoch + 2", "waiting"),
    ),
    ("execution__owner_gives_back_first", EDIT.format(f"owner = '{SECOND}'", "running")),
    ("execution__wake_seq_rises", EDIT.format("wake_seq = wake_seq - 1", "waiting")),
    ("execution__history_is_kept", "DELETE FROM execution WHERE idempotency_key = 'completed'"),
    ("execution__history_is_kept", "TRUNCATE execution CASCADE"),
    ("journal__is_append_only", "UPDATE journal SET payload = '{}'"),
    ("journal__is_append_only", "DELETE FROM journal WHERE false"),
    ("journal__is_append_only", "TRUNCATE journal"),
    ("journal_pkey", "INSERT INTO journal SELECT * FROM journal LIMIT 1"),
    (
        "inbox_execution_id_fkey",
        "INSERT INTO inbox (execution_id, kind, sender) VALUES (gen_random_uuid(), 'cancel', 'eve')",
    ),
    (
        "inbox_execution_id_fkey",
        "INSERT INTO inbox (execution_id, kind, sender) SELECT id, 'cancel', 'anna' FROM execution "
        "WHERE idempotency_key = 'queued'; DELETE FROM execution WHERE idempotency_key = 'queued'",
    ),
    ("token__prefix", NEW_TOKEN.format("rc_1", "eve", 32, "human")),
    ("token__name", NEW_TOKEN.format("rc_2", "anna", 32, "human")),
    ("token__hash_has_32_bytes", NEW_TOKEN.format("rc_2", "eve", 31, "human")),
    ("token__kind", NEW_TOKEN.format("rc_2", "eve", 32, "root")),
    ("token__scopes_are_named", "UPDATE token SET scopes = ARRAY['read', NULL]"),
)


# Keys that a trigger or a primary key guards first, so that no statement gets to them.
UNREACHABLE = {"role_version_role_id_fkey", "orchestration_step__version_id"}

RULES = """
SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f', 'u') AND connamespace = 'public'::regnamespace
UNION SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
  WHERE indisunique AND NOT indisprimary AND relnamespace = 'public'::regnamespace
UNION SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''([^'']+)''', 'g'))[1] FROM pg_proc
  WHERE pronamespace = 'public'::regnamespace
UNION SELECT split_part(encode(tgargs, 'escape'), E'\\\\000', 1) FROM pg_trigger WHERE tgnargs > 0
"""


@pytest.mark.parametrize(("rule", "attack"), ATTACKS, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(ATTACKS)])
async def test_an_attack_on_a_rule_is_refused_in_its_name(world: asyncpg.Connection, rule: str, attack: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await world.execute(attack)
        await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    refused = refusal_of(refusal.value)
    assert refused.rule == rule
    # A trigger that refuses a change says what to do instead.
    assert refused.hint or not isinstance(refusal.value, asyncpg.ObjectNotInPrerequisiteStateError)


async def test_every_rule_in_the_schema_is_attacked(world: asyncpg.Connection) -> None:
    rules = {name for (name,) in await world.fetch(RULES)}

    assert rules - UNREACHABLE == {rule for rule, _ in ATTACKS if not rule.endswith("_pkey")}


async def test_a_refusal_names_the_thing_and_says_what_to_do_instead(world: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError) as refusal:
        await world.execute(f"DELETE FROM orchestration_step WHERE name = 'Critic' AND version_id = {PUBLISHED}")

    refused = refusal_of(refusal.value)
    assert replace(refused, message=re.sub(r"[0-9a-f-]{36}", "<id>", refused.message)) == Refusal(
        rule="orchestration_step__is_read_only",
        message='step "Critic" belongs to version 1 of orchestration <id>, which is published and never changes',
        hint="Make a new draft and edit its steps.",
    )
