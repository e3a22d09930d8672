"""What somebody with psql and `rolecall_admin` tries: edits that are refused, and edits that go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.db.attacks import (
    APPEND,
    ARCHIVED,
    BRIEF,
    COMPLETE,
    DRAFT,
    EDIT,
    EDIT_BRIEF,
    EDIT_DRAFT,
    EDIT_PUBLISHED,
    EDIT_ROLE_DRAFT,
    EDIT_SPARE,
    EDIT_STEP,
    KEYED,
    MARK,
    MONTH,
    PROPOSE,
    PUBLISHED,
    REJECT,
    REQUEST,
    ROLE_DRAFT,
    SECOND,
    START,
)

CHECK, STATE, UNIQUE, FOREIGN, NULL, RIGHT = "23514", "55000", "23505", "23503", "23502", "42501"
BY_WORKERS, JOURNALED = "execution__is_run_by_workers", "journal__is_written_by_workers"
BY_A_SERVER = "orchestration_version__published_by_a_server"
FOUND_OUT = "orchestration_version__is_written_by_a_server"
READ_ONLY = "orchestration_version__is_read_only"
STEP_READ_ONLY = "orchestration_step__is_read_only"
NEW_STEP = 'INSERT INTO orchestration_step (version_id, name, "order", kind, {}) SELECT {}, {}'
NEW_DRAFT = (
    "INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status) "
    f"SELECT {BRIEF}, 4, document, 'anna', '{{}}' FROM orchestration_version WHERE id = {PUBLISHED}"
)


@dataclass(frozen=True, kw_only=True)
class Illegal:
    """An edit that breaks a rule of ours; `behind` is what still refuses it when nothing asks who makes it."""

    breaks: str
    code: str
    rule: str | None
    edit: str
    behind: str | None = None


def _illegal(breaks: str, code: str, rule: str | None, edit: str, behind: str | None = None) -> Illegal:
    return Illegal(breaks=breaks, code=code, rule=rule, edit=edit, behind=behind)


# What an edit breaks is an invariant by its number, or one of these: a value out of its range, a name that is taken,
# the tree of steps, the active version, what runs without having been checked, what is in use or only appended to.
ILLEGAL = (
    # What executions are and become is for workers.
    _illegal(
        "I1",
        STATE,
        BY_WORKERS,
        EDIT.format("status = 'queued', finished_at = NULL, available_at = now(), output = NULL", "completed"),
        "execution__terminal_is_final",
    ),
    _illegal("I1", STATE, BY_WORKERS, EDIT.format("status = 'running'", "cancelling"), "execution__transition"),
    _illegal(
        "I1",
        STATE,
        BY_WORKERS,
        EDIT.format("output = '{\"forged\": true}'", "completed"),
        "execution__terminal_is_final",
    ),
    _illegal("I2", STATE, BY_WORKERS, EDIT.format("epoch = epoch + 1", "running"), "execution__epoch_counts_claims"),
    _illegal("I2", STATE, BY_WORKERS, EDIT.format("epoch = 0", "running"), "execution__epoch_counts_claims"),
    _illegal("I2", STATE, BY_WORKERS, EDIT.format("claims = 0", "running"), "execution__claims_are_counted"),
    _illegal(
        "I3",
        STATE,
        JOURNALED,
        APPEND.format("journal", 9, 1, "step_completed", 2, "running"),
        "journal__one_output_per_step",
    ),
    _illegal(
        "I3",
        STATE,
        JOURNALED,
        APPEND.format("journal", 9, 1, "step_failed", 1, "running"),
        "journal__one_failure_per_attempt",
    ),
    _illegal("I4", STATE, JOURNALED, APPEND.format("journal", 9, 0, "step_noted", 1, "running"), "journal__is_fenced"),
    _illegal("I4", STATE, JOURNALED, APPEND.format("journal", 9, 1, "step_noted", 1, "waiting"), "journal__is_fenced"),
    _illegal("I4", STATE, JOURNALED, APPEND.format("journal", 9, 1, "step_noted", 1, "running")),
    _illegal(
        "I4", STATE, BY_WORKERS, EDIT.format(f"owner = '{SECOND}'", "running"), "execution__owner_gives_back_first"
    ),
    _illegal(
        "I5", STATE, BY_WORKERS, EDIT.format(f"version_id = {ARCHIVED}", "queued"), "execution__identity_is_fixed"
    ),
    _illegal(
        "I5",
        STATE,
        BY_WORKERS,
        EDIT.format('input = \'{"topic": "coffee"}\'', "queued"),
        "execution__identity_is_fixed",
    ),
    _illegal("I5", STATE, READ_ONLY, EDIT_PUBLISHED.format("document = '{\"limits\": {}}'")),
    _illegal("I5", STATE, READ_ONLY, EDIT_PUBLISHED.format("message = 'another'")),
    _illegal("I5", STATE, READ_ONLY, EDIT_PUBLISHED.format("status = 'draft'")),
    _illegal("I5", STATE, READ_ONLY, f"DELETE FROM orchestration_version WHERE id = {PUBLISHED}"),
    _illegal("I5", STATE, READ_ONLY, REJECT + EDIT_DRAFT.format("rejection = 'for another reason'")),
    _illegal("I5", STATE, STEP_READ_ONLY, NEW_STEP.format("slot", PUBLISHED, "'Extra', 2, 'tool', 'main'")),
    _illegal(
        "I5", STATE, STEP_READ_ONLY, f"UPDATE orchestration_step SET config = '{{}}' WHERE version_id = {PUBLISHED}"
    ),
    _illegal("I5", STATE, STEP_READ_ONLY, f"DELETE FROM orchestration_step WHERE version_id = {ARCHIVED}"),
    _illegal("I5", STATE, STEP_READ_ONLY, EDIT_STEP.format(f"version_id = {PUBLISHED}, name = 'Moved in'")),
    _illegal("I5", STATE, STEP_READ_ONLY, PROPOSE + EDIT_STEP.format('config = \'{"prompt": "sneaked in"}\'')),
    _illegal("I5", STATE, "orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format("message = 'x'")),
    _illegal("I5", STATE, "role_version__is_immutable", "UPDATE role_version SET content = '{}'"),
    _illegal("I5", STATE, "role_version__is_immutable", "DELETE FROM role_version"),
    _illegal(
        "I5",
        CHECK,
        "role_version__is_written_by_the_role",
        "INSERT INTO role_version (role_id, number, status, content, published_at) "
        "SELECT role_id, 2, 'published', content, now() FROM role_version WHERE content ->> 'name' = 'Spare'",
    ),
    _illegal(
        "I5",
        STATE,
        "role_version__published_by_a_server",
        ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'published', published_at = now()"),
    ),
    _illegal("range", CHECK, "role_version__status", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'frozen'")),
    _illegal(
        "range", CHECK, "role_version__content_is_of_a_role", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("content = '{}'")
    ),
    _illegal("range", CHECK, "orchestration__canary_is_whole", EDIT_BRIEF.format("canary_percent = 10")),
    _illegal(
        "active",
        CHECK,
        "orchestration__canary_is_its_own",
        EDIT_BRIEF.format(f"canary_version_id = {DRAFT}, canary_percent = 10"),
    ),
    _illegal("I5", CHECK, "role__version_is_counted", EDIT_SPARE.format("version = 7")),
    _illegal(
        "I6",
        STATE,
        BY_WORKERS,
        EDIT.format("status = 'completed', owner = NULL, finished_at = now()", "running"),
        "execution__end_is_journaled",
    ),
    _illegal(
        "I7", STATE, BY_WORKERS, EDIT.format("finished_at = now()", "waiting"), "execution__finished_when_terminal"
    ),
    _illegal("I7", STATE, BY_WORKERS, EDIT.format("owner = NULL", "running"), "execution__owned_while_running"),
    _illegal("I7", STATE, BY_WORKERS, EDIT.format("output = '1'", "running"), "execution__output_when_completed"),
    _illegal(
        "I8",
        STATE,
        BY_WORKERS,
        START.format("idempotency_key, request_digest", PUBLISHED, "'failed', 'another'").replace('"eve"', '"anna"'),
        "execution__idempotency",
    ),
    _illegal("I8", STATE, "signal_key__is_not_edited", "UPDATE signal_key SET request_digest = 'another'"),
    _illegal("I8", STATE, "signal_key__is_kept", "DELETE FROM signal_key"),
    _illegal("I9", STATE, BY_WORKERS, EDIT.format("wake_seq = 0", "waiting"), "execution__wake_seq_rises"),
    _illegal("I9", STATE, BY_WORKERS, EDIT.format("available_at = NULL", "queued"), "execution__available_when_queued"),
    _illegal("I9", STATE, "inbox__is_not_edited", "UPDATE inbox SET kind = 'resume'"),
    _illegal(
        "I10", STATE, "inbox__is_read_by_workers", "DELETE FROM inbox WHERE kind = 'cancel'", "inbox__cancel_is_kept"
    ),
    _illegal(
        "I10", STATE, BY_WORKERS, EDIT.format("cancel_requested_at = NULL", "cancelling"), "execution__cancel_is_final"
    ),
    _illegal(
        "I11",
        STATE,
        BY_WORKERS,
        START.format(
            "parent_path, parent_execution_id, depth, parent_attempt",
            PUBLISHED,
            f"'Review[0]/Critic', {KEYED.format('paused')}, 1, 1",
        ),
        "execution__one_child_per_attempt",
    ),
    _illegal("I11", STATE, BY_WORKERS, START.format("depth", PUBLISHED, "9"), "execution__depth_counts_parents"),
    _illegal("I15", STATE, JOURNALED, "UPDATE journal SET payload = '{}'", "journal__is_append_only"),
    _illegal("I15", STATE, JOURNALED, "DELETE FROM journal", "journal__is_append_only"),
    _illegal("I15", STATE, "audit__is_append_only", "UPDATE audit SET actor = 'somebody else'"),
    _illegal("I15", STATE, "audit__is_append_only", "DELETE FROM audit"),
    _illegal(
        "I15",
        STATE,
        "audit__is_written_by_the_database",
        "INSERT INTO audit (seq, at, actor, channel, db_user, action, noun, subject, hash) "
        "VALUES (1000000, now(), 'eve', 'rpc', 'eve', 'insert', 'role', gen_random_uuid(), '')",
    ),
    # Append-only tables also refuse TRUNCATE.
    _illegal("append-only", STATE, "journal__is_append_only", "TRUNCATE journal"),
    _illegal("append-only", STATE, "audit__is_append_only", "TRUNCATE audit"),
    _illegal("append-only", STATE, "role_version__is_immutable", "TRUNCATE role_version"),
    _illegal("append-only", STATE, STEP_READ_ONLY, "TRUNCATE orchestration_step"),
    _illegal("append-only", STATE, "signal_key__is_not_edited", "TRUNCATE signal_key"),
    # Values out of their range, also where a CHECK would have found nothing to compare.
    _illegal("range", CHECK, "role__name_is_a_name", EDIT_SPARE.format("name = '1st'")),
    _illegal("range", CHECK, "role__tools_are_named", EDIT_SPARE.format("tools = ARRAY['files.read', NULL]")),
    _illegal("range", CHECK, "role__model_is_an_object", EDIT_SPARE.format("model = '[]'")),
    _illegal("range", CHECK, "role__parameters_are_an_object", EDIT_SPARE.format("parameters = 'null'")),
    _illegal("range", CHECK, "role__output_schema_is_a_schema", EDIT_SPARE.format("output_schema = '7'")),
    _illegal("range", NULL, None, EDIT_SPARE.format("base_prompt = NULL")),
    _illegal("range", NULL, None, EDIT_BRIEF.format("tags = NULL")),
    _illegal("range", NULL, None, EDIT_STEP.format("kind = NULL")),
    _illegal("range", CHECK, "orchestration__name_is_a_name", EDIT_BRIEF.format("name = ''")),
    _illegal("range", CHECK, "orchestration__tags_are_named", EDIT_BRIEF.format("tags = ARRAY['']")),
    _illegal("range", CHECK, "orchestration_version__status", EDIT_DRAFT.format("status = 'ready'")),
    _illegal("range", CHECK, "orchestration_version__document_is_an_object", EDIT_DRAFT.format("document = '[]'")),
    _illegal("range", CHECK, "orchestration_version__number_counts_from_one", EDIT_DRAFT.format("number = 0")),
    _illegal(
        "range",
        CHECK,
        "orchestration_version__rejected_when_decided",
        PROPOSE + EDIT_DRAFT.format("status = 'rejected'"),
    ),
    _illegal(
        "range",
        STATE,
        "orchestration_version__transition",
        EDIT_DRAFT.format("status = 'rejected', rejected_at = now()"),
    ),
    _illegal("range", CHECK, "orchestration_step__kind", EDIT_STEP.format("kind = 'goto'")),
    _illegal("range", CHECK, "orchestration_step__config_is_an_object", EDIT_STEP.format("config = '\"loop\"'")),
    _illegal("range", CHECK, "orchestration_step__max_retries", EDIT_STEP.format("max_retries = 20")),
    _illegal("range", CHECK, "orchestration_step__retry_delay_ms", EDIT_STEP.format("retry_delay_ms = -1")),
    _illegal("range", CHECK, "orchestration_step__timeout_ms", EDIT_STEP.format("timeout_ms = 0")),
    # Names are unique.
    _illegal("names", UNIQUE, "role__name", EDIT_SPARE.format("name = 'Coder'")),
    _illegal(
        "names", UNIQUE, "role__name", "INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'eve')"
    ),
    _illegal("names", UNIQUE, "orchestration__name", EDIT_BRIEF.format("name = 'Idle'")),
    _illegal("names", UNIQUE, "orchestration_version__orchestration_number", EDIT_DRAFT.format("number = 1")),
    _illegal("names", UNIQUE, "orchestration_step__version_name", EDIT_STEP.format("name = 'Review'")),
    # Order, group, slot and tree, at COMMIT.
    _illegal("tree", CHECK, "orchestration_step__order", EDIT_STEP.format('"order" = -1')),
    _illegal("tree", CHECK, "orchestration_step__slot", EDIT_STEP.format("slot = 'sideways'")),
    _illegal("tree", CHECK, "orchestration_step__slot_fits_parent", EDIT_STEP.format("slot = 'body'")),
    _illegal("tree", CHECK, "orchestration_step__name_is_free", EDIT_STEP.format("name = 'context'")),
    _illegal(
        "tree", CHECK, "orchestration_step__not_its_own_parent", EDIT_STEP.format("slot = 'body', parent_id = id")
    ),
    _illegal(
        "tree",
        FOREIGN,
        "orchestration_step__parent_of_same_version",
        EDIT_STEP.format(
            "slot = 'body', parent_id = (SELECT id FROM orchestration_step WHERE name = 'Review' AND version_id = "
            f"{PUBLISHED})"
        ),
    ),
    # The active version is the orchestration's own, and published.
    _illegal(
        "active",
        FOREIGN,
        "orchestration__active_version_id",
        EDIT_BRIEF.format("active_version_id = gen_random_uuid()"),
    ),
    _illegal(
        "active", CHECK, "orchestration__active_version_is_its_own", EDIT_BRIEF.format(f"active_version_id = {DRAFT}")
    ),
    _illegal(
        "active",
        CHECK,
        "orchestration__active_version_is_its_own",
        f"UPDATE orchestration SET active_version_id = {PUBLISHED} WHERE name = 'Idle'",
    ),
    _illegal(
        "active", STATE, "orchestration_version__active_is_published", EDIT_PUBLISHED.format("status = 'archived'")
    ),
    # What no server has checked does not run.
    _illegal("digest", STATE, BY_A_SERVER, EDIT_DRAFT.format("status = 'published'")),
    _illegal("digest", STATE, BY_A_SERVER, EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    _illegal("digest", STATE, BY_A_SERVER, MARK + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    _illegal("digest", STATE, BY_A_SERVER, PROPOSE + MARK + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    _illegal("digest", STATE, BY_A_SERVER, REQUEST + MARK + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    _illegal("digest", CHECK, "orchestration_version__begins_as_a_draft", MARK + NEW_DRAFT.format("published")),
    _illegal("digest", RIGHT, FOUND_OUT, EDIT_DRAFT.format("digest = 'sha256:' || repeat('0', 64)")),
    _illegal("digest", RIGHT, FOUND_OUT, EDIT_DRAFT.format("max_step_runs = 1")),
    _illegal("digest", RIGHT, FOUND_OUT, EDIT_DRAFT.format("effects = '[\"none\"]'")),
    _illegal("digest", STATE, "orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("message = 'x'")),
    _illegal("digest", STATE, STEP_READ_ONLY, REQUEST + MARK + EDIT_STEP.format("max_retries = 1")),
    _illegal(
        "digest", STATE, BY_WORKERS, START.format("priority", DRAFT, "1"), "execution__starts_from_a_published_version"
    ),
    # What is in use cannot vanish.
    _illegal("in use", FOREIGN, "orchestration_step_role_id_fkey", "DELETE FROM role WHERE name = 'Coder'"),
    _illegal("in use", FOREIGN, "orchestration_step_role_id_fkey", EDIT_STEP.format("role_id = gen_random_uuid()")),
    _illegal(
        "in use", FOREIGN, "orchestration_step_version_id_fkey", EDIT_STEP.format("version_id = gen_random_uuid()")
    ),
    _illegal(
        "in use",
        FOREIGN,
        "orchestration_version_orchestration_id_fkey",
        EDIT_DRAFT.format("orchestration_id = gen_random_uuid()"),
    ),
    _illegal("in use", FOREIGN, "execution_version_id_fkey", "DELETE FROM orchestration WHERE name = 'Brief'"),
    _illegal(
        "in use",
        STATE,
        BY_WORKERS,
        "DELETE FROM execution WHERE idempotency_key = 'completed'",
        "execution__history_is_kept",
    ),
    _illegal(
        "in use", STATE, "worker__is_kept_by_workers", "DELETE FROM worker WHERE name = 'first'", "execution_owner_fkey"
    ),
    _illegal("in use", STATE, "secret__is_not_in_use", "DELETE FROM secret WHERE name = 'Gateway key'"),
    # What is pasted as it is read.
    *[
        _illegal("secrets", CHECK, "secret__value_is_an_envelope", edit)
        for edit in (
            "UPDATE secret SET value = 'sk-in-plain-text' WHERE name = 'Spare key'",
            "INSERT INTO secret (name, value, created_by) VALUES ('New', 'sk-in-plain-text', 'anna')",
        )
    ],
    _illegal(
        "secrets",
        CHECK,
        "provider__key_variable_is_ours",
        "UPDATE provider SET secret = NULL, key_variable = 'ROLECALL_SECRETS_KEY'",
    ),
    _illegal("append-only", STATE, "model_price__is_append_only", "UPDATE model_price SET input = 0"),
    _illegal("append-only", STATE, "model_price__is_append_only", "DELETE FROM model_price"),
    _illegal("append-only", STATE, "model_price__is_append_only", "TRUNCATE model_price"),
    _illegal(
        "range",
        CHECK,
        "model_price__is_a_price",
        "INSERT INTO model_price (model, input, output, created_by) VALUES ('gateway/large', 'NaN', 1, 'anna')",
    ),
)

# What has no table yet: approvals (I12).
NOT_YET = {"I12": "approval"}
# What the engine holds alone: CORRECTNESS marks these with an empty square.
ENGINES = {"I13", "I14", "I16", "I17", "I18"}
RULES = {f"I{number}" for number in range(1, 19)} - ENGINES | {
    "range",
    "names",
    "tree",
    "active",
    "digest",
    "in use",
    "secrets",
    "append-only",
}

# What no trigger answers, because the right itself is not granted: Postgres gives these no HINT.
WITHOUT_THE_RIGHT = (
    "SELECT hash FROM token",
    "SELECT value FROM secret",
    "SELECT * FROM secret",
    "UPDATE secret SET hosts = '{evil.example}'",
    "UPDATE secret SET id = gen_random_uuid()",
    "SELECT * FROM session",
    "UPDATE token SET scopes = '{tokens.manage}'",
    "UPDATE token SET hash = decode(repeat('00', 32), 'hex')",
    "INSERT INTO token (prefix, hash, name, kind) VALUES ('mine', decode(repeat('00', 32), 'hex'), 'eve', 'human')",
    "DELETE FROM session",
    "TRUNCATE token CASCADE",
    "TRUNCATE role CASCADE",
    "DELETE FROM idempotency_key",
    f"UPDATE journal_{MONTH} SET payload = '{{}}'",
    "DELETE FROM journal_default",
    "INSERT INTO audit_pending (action, noun, subject) VALUES ('insert', 'role', gen_random_uuid())",
    "SELECT execution_prune('0 days', 1000)",
    "SELECT journal_drop_partitions()",
    "SELECT journal_add_partition('2040-01-01')",
    "ALTER TABLE execution DISABLE TRIGGER ALL",
    "DROP TRIGGER journal__is_append_only ON journal",
    "ALTER TABLE role DROP CONSTRAINT role__name",
    "CREATE OR REPLACE FUNCTION is_by_hand() RETURNS boolean LANGUAGE sql AS 'SELECT false'",
    "CREATE TABLE journal_2040_01 ()",
    "SET session_replication_role = replica",
    "SET ROLE rolecall_owner",
    "SET ROLE rolecall_app",
)

STEPS = f"SELECT string_agg(name, ' ' ORDER BY slot DESC, \"order\") FROM orchestration_step WHERE version_id = {DRAFT}"
OF_SPARE = "SELECT {} FROM role WHERE name = 'Spare'"
OF_STEP = f"SELECT {{}} FROM orchestration_step WHERE name = 'Write' AND version_id = {DRAFT}"
OF_DRAFT = f"SELECT {{}} FROM orchestration_version WHERE id = {DRAFT}"
POST = (
    "INSERT INTO inbox (execution_id, kind, sender) SELECT id, '{}', 'anna' FROM execution WHERE idempotency_key = '{}'"
)

# (what, the edit, a query, its result afterwards)
LEGAL: tuple[tuple[str, str, str, Any], ...] = (
    (
        "a new role",
        "INSERT INTO role (name, base_prompt, created_by) VALUES ('New', 'Be brief.', 'anna')",
        "SELECT version FROM role WHERE name = 'New'",
        1,
    ),
    ("a prompt", EDIT_SPARE.format("base_prompt = 'Be brief.'"), OF_SPARE.format("version"), 2),
    (
        "a prompt keeps the one before",
        EDIT_SPARE.format("base_prompt = 'Be brief.'"),
        "SELECT array_agg(content ->> 'base_prompt' ORDER BY number) FROM role_version "
        "WHERE content ->> 'name' = 'Spare'",
        ["Rest.", "Be brief."],
    ),
    (
        "the prompt of a role in use",
        "UPDATE role SET base_prompt = 'Write Rust.' WHERE name = 'Coder'",
        "SELECT version FROM role WHERE name = 'Coder'",
        2,
    ),
    ("a description", EDIT_SPARE.format("description = 'rests'"), OF_SPARE.format("description"), "rests"),
    (
        "a role drafted, and the draft to be published",
        ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'publishing'"),
        "SELECT count(*) FROM role_version WHERE number = 2 AND status = 'publishing'",
        1,
    ),
    (
        "another name of a role",
        EDIT_SPARE.format("name = 'Idler'"),
        "SELECT count(*) FROM role WHERE name = 'Idler'",
        1,
    ),
    ("tools", EDIT_SPARE.format("tools = '{files.*,meta}'"), OF_SPARE.format("tools"), ["files.*", "meta"]),
    (
        "a wish for a model",
        EDIT_SPARE.format('model = \'{"provider": "openai"}\''),
        OF_SPARE.format("model ->> 'provider'"),
        "openai",
    ),
    (
        "parameters",
        EDIT_SPARE.format("parameters = '{\"temperature\": 0.2}'"),
        OF_SPARE.format("parameters::text"),
        '{"temperature": 0.2}',
    ),
    (
        "an output schema",
        EDIT_SPARE.format('output_schema = \'{"type": "string"}\''),
        OF_SPARE.format("output_schema ->> 'type'"),
        "string",
    ),
    ("no output schema", EDIT_SPARE.format("output_schema = NULL"), OF_SPARE.format("output_schema IS NULL"), True),
    ("a role switched off", EDIT_SPARE.format("is_active = false"), OF_SPARE.format("is_active"), False),
    ("a role deleted", "DELETE FROM role WHERE name = 'Spare'", "SELECT count(*) FROM role", 1),
    (
        "two roles swap their names in three moves",
        EDIT_SPARE.format("name = 'X'")
        + ";UPDATE role SET name = 'Spare' WHERE name = 'Coder';UPDATE role SET name = 'Coder' WHERE name = 'X'",
        "SELECT string_agg(base_prompt, ' ' ORDER BY name) FROM role",
        "Rest. You write code.",
    ),
    (
        "a new orchestration",
        "INSERT INTO orchestration (name, created_by) VALUES ('Fresh', 'anna')",
        "SELECT is_active FROM orchestration WHERE name = 'Fresh'",
        True,
    ),
    (
        "another name of an orchestration",
        EDIT_BRIEF.format("name = 'Report'"),
        "SELECT count(*) FROM orchestration WHERE name = 'Report'",
        1,
    ),
    ("tags", EDIT_BRIEF.format("tags = '{daily}'"), "SELECT tags FROM orchestration WHERE name = 'Brief'", ["daily"]),
    (
        "the description of an orchestration",
        EDIT_BRIEF.format("description = 'x'"),
        "SELECT description FROM orchestration WHERE name = 'Brief'",
        "x",
    ),
    (
        "an orchestration switched off",
        EDIT_BRIEF.format("is_active = false"),
        "SELECT is_active FROM orchestration WHERE name = 'Brief'",
        False,
    ),
    (
        "an orchestration that never ran, deleted",
        "DELETE FROM orchestration WHERE name = 'Idle'",
        "SELECT count(*) FROM orchestration",
        2,
    ),
    (
        "no active version",
        EDIT_BRIEF.format("active_version_id = NULL"),
        "SELECT active_version_id FROM orchestration WHERE name = 'Brief'",
        None,
    ),
    (
        "the same active version",
        EDIT_BRIEF.format(f"active_version_id = {PUBLISHED}"),
        "SELECT count(active_version_id) FROM orchestration WHERE name = 'Brief'",
        1,
    ),
    (
        "the active version given up, together with its being active",
        EDIT_PUBLISHED.format("status = 'archived'") + ";" + EDIT_BRIEF.format("active_version_id = NULL"),
        "SELECT count(*) FROM orchestration_version WHERE status = 'archived'",
        2,
    ),
    ("a new draft", NEW_DRAFT.format("draft"), "SELECT status FROM orchestration_version WHERE number = 4", "draft"),
    (
        "a new draft with its steps",
        NEW_DRAFT.format("draft") + ';INSERT INTO orchestration_step (version_id, name, "order", kind) '
        "SELECT id, 'Write', 0, 'tool' FROM orchestration_version WHERE number = 4",
        "SELECT count(*) FROM orchestration_step JOIN orchestration_version AS version ON version.id = version_id "
        "WHERE number = 4",
        1,
    ),
    (
        "the document of a draft",
        EDIT_DRAFT.format("document = '{\"limits\": {}}'"),
        OF_DRAFT.format("document::text"),
        '{"limits": {}}',
    ),
    ("the message of a draft", EDIT_DRAFT.format("message = 'shorter'"), OF_DRAFT.format("message"), "shorter"),
    ("a draft proposed", EDIT_DRAFT.format("status = 'proposed'"), OF_DRAFT.format("status"), "proposed"),
    (
        "a proposal rejected",
        PROPOSE + EDIT_DRAFT.format("status = 'rejected', rejected_at = now(), rejection = 'no', decided_by = 'anna'"),
        OF_DRAFT.format("rejection"),
        "no",
    ),
    (
        "a draft asked to be published",
        REQUEST,
        "SELECT kind FROM row_request",
        "publication",
    ),
    (
        "a request withdrawn",
        REQUEST + EDIT_DRAFT.format("status = 'draft'"),
        "SELECT count(*) FROM row_request",
        0,
    ),
    (
        "a draft deleted",
        f"DELETE FROM orchestration_version WHERE id = {DRAFT}",
        f"SELECT count(*) FROM orchestration_version WHERE orchestration_id = {BRIEF}",
        2,
    ),
    (
        "a published version written back as it is",
        EDIT_PUBLISHED.format("message = message"),
        "SELECT count(*) FROM orchestration_version",
        5,
    ),
    ("a step added", NEW_STEP.format("slot", DRAFT, "'Extra', 2, 'tool', 'main'"), STEPS, "Write Review Extra Critic"),
    (
        "a step in a step",
        'INSERT INTO orchestration_step (version_id, parent_id, slot, name, "order", kind) '
        "SELECT version_id, id, 'body', 'Inner', 1, 'tool' FROM orchestration_step "
        f"WHERE name = 'Review' AND version_id = {DRAFT}",
        STEPS,
        "Write Review Critic Inner",
    ),
    ("the name of a step", EDIT_STEP.format("name = 'Draft'"), STEPS, "Draft Review Critic"),
    (
        "two steps swap their names",
        "UPDATE orchestration_step SET name = CASE name WHEN 'Write' THEN 'Review' ELSE 'Write' "
        f"END WHERE parent_id IS NULL AND version_id = {DRAFT}",
        STEPS,
        "Review Write Critic",
    ),
    (
        "two steps swap their places",
        f'UPDATE orchestration_step SET "order" = 1 - "order" WHERE parent_id IS NULL AND version_id = {DRAFT}',
        STEPS,
        "Review Write Critic",
    ),
    (
        "a name taken and given up in one transaction",
        EDIT_STEP.format("name = 'Review'")
        + f";DELETE FROM orchestration_step WHERE kind = 'loop' AND version_id = {DRAFT}",
        STEPS,
        "Review",
    ),
    (
        "the role of a step",
        EDIT_STEP.format("role_id = (SELECT id FROM role WHERE name = 'Spare')"),
        f"SELECT role.name FROM role JOIN orchestration_step AS step ON role.id = role_id WHERE version_id = {DRAFT}",
        "Spare",
    ),
    ("no role of a step", EDIT_STEP.format("role_id = NULL, kind = 'transform'"), OF_STEP.format("role_id"), None),
    (
        "what a step asks for",
        EDIT_STEP.format('config = \'{"prompt": "Be brief."}\''),
        OF_STEP.format("config ->> 'prompt'"),
        "Be brief.",
    ),
    ("retries", EDIT_STEP.format("max_retries = 19, retry_delay_ms = 0"), OF_STEP.format("max_retries"), 19),
    ("a timeout", EDIT_STEP.format("timeout_ms = 1"), OF_STEP.format("timeout_ms"), 1),
    (
        "a condition",
        EDIT_STEP.format('condition = \'{"exists": "context.x"}\''),
        OF_STEP.format("condition ->> 'exists'"),
        "context.x",
    ),
    (
        "mappings",
        EDIT_STEP.format("input_mapping = '{}', output_mapping = '{\"a\": \"<<output>>\"}'"),
        OF_STEP.format("output_mapping ->> 'a'"),
        "<<output>>",
    ),
    (
        "a step deleted with those in it",
        f"DELETE FROM orchestration_step WHERE name = 'Review' AND version_id = {DRAFT}",
        STEPS,
        "Write",
    ),
    (
        "an execution cancelled",
        POST.format("cancel", "queued"),
        "SELECT cancel_requested_at IS NOT NULL FROM execution WHERE idempotency_key = 'queued'",
        True,
    ),
    (
        "an execution resumed",
        POST.format("resume", "paused"),
        "SELECT status FROM execution WHERE idempotency_key = 'paused'",
        "queued",
    ),
    ("an execution paused", POST.format("pause", "running"), "SELECT count(*) FROM inbox WHERE kind = 'pause'", 1),
    (
        "a provider with a model and its price, and the model made the default",
        "INSERT INTO provider (name, preset, base_url, created_by) VALUES ('lab', 'compatible', 'https://lab.example', "
        "'anna'); INSERT INTO model (provider_id, name, created_by) SELECT id, 'tiny', 'anna' FROM provider "
        "WHERE name = 'lab'; INSERT INTO model_price (model, input, output, created_by) "
        "VALUES ('lab/tiny', 0.1, 0.2, 'anna'); UPDATE default_model SET model = 'lab/tiny'",
        "SELECT model FROM default_model",
        "lab/tiny",
    ),
    (
        "a secret described and renamed",
        "UPDATE secret SET name = 'Old key', description = 'not used' WHERE name = 'Spare key'",
        "SELECT key_id FROM secret WHERE name = 'Old key'",
        "0123abcd",
    ),
    ("the audit read", EDIT_SPARE.format("description = 'x'"), "SELECT count(*) > 0 FROM audit", True),
    ("the journal read", "SELECT", "SELECT count(*) > 0 FROM journal_event", True),
    ("tokens read but for their hashes", "SELECT", "SELECT name FROM token", "anna"),
)
