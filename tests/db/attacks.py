"""Attacks on every rule of the schema: raw SQL against the world of conftest.py, to be refused in the rule's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import asyncpg

from db.refusal import refusal_of
from tests.db.model_attacks import MODEL_ATTACKS
from tests.db.tool_attacks import TOOL_ATTACKS

MONTH = f"{datetime.now(UTC):%Y_%m}"
FIRST, SECOND = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"

BRIEF = "(SELECT id FROM orchestration WHERE name = 'Brief')"
PUBLISHED, ARCHIVED, DRAFT = (
    f"(SELECT id FROM orchestration_version WHERE orchestration_id = {BRIEF} AND number = {number})"
    for number in (1, 2, 3)
)
# What a server does to be let through, by somebody else.
MARK = "SELECT set_config('rolecall.publishing', pg_current_xact_id()::text, true);"
COMPLETE = "digest = 'sha256:' || repeat('0', 64), max_step_runs = 1, published_at = now()"
NEW_ROLE = "INSERT INTO role (name, base_prompt, created_by, {}) VALUES ('New', '', 'eve', {})"
EDIT_SPARE = "UPDATE role SET {} WHERE name = 'Spare'"
EDIT_BRIEF = "UPDATE orchestration SET {} WHERE name = 'Brief'"
EDIT_DRAFT = f"UPDATE orchestration_version SET {{}} WHERE id = {DRAFT}"
# The draft as a proposal, and as one that was rejected.
PROPOSE = EDIT_DRAFT.format("status = 'proposed'") + "; "
REJECT = PROPOSE + EDIT_DRAFT.format("status = 'rejected', rejected_at = now()") + "; "
# The draft waits for a server to publish it.
REQUEST = EDIT_DRAFT.format("status = 'publishing'") + "; "
# A further version that could be the canary, and one that is.
PUBLISH_DRAFT = MARK + " " + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}") + "; "
CANARY = PUBLISH_DRAFT + EDIT_BRIEF.format(f"canary_version_id = {DRAFT}, canary_percent = 10") + "; "
# Version 2 of Spare as a draft, as a proposal, and as one that was rejected.
ROLE_DRAFT = (
    'INSERT INTO role_version (role_id, number, content) SELECT role.id, 2, content || \'{"base_prompt": "Doze."}\' '
    "FROM role JOIN role_version ON role_id = role.id WHERE name = 'Spare'; "
)
PUBLISHED_ROLE = "status = 'published', published_at = now()"
EDIT_ROLE_DRAFT = "UPDATE role_version SET {} WHERE number = 2"
ROLE_PROPOSAL = ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'proposed'") + "; "
ROLE_REQUEST = ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'publishing'") + "; "
ROLE_REJECTED = ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("status = 'rejected', rejected_at = now()") + "; "
EDIT_PUBLISHED = f"UPDATE orchestration_version SET {{}} WHERE id = {PUBLISHED}"
EDIT_STEP = f"UPDATE orchestration_step SET {{}} WHERE name = 'Write' AND version_id = {DRAFT}"
EDIT_LOOP = f"UPDATE orchestration_step SET {{}} WHERE name = 'Review' AND version_id = {DRAFT}"
EDIT_CRITIC = f"UPDATE orchestration_step SET {{}} WHERE name = 'Critic' AND version_id = {DRAFT}"
NEW_STEP = 'INSERT INTO orchestration_step (version_id, name, "order", kind, {}) VALUES ({}, {}, {})'
ROLE = "(SELECT id FROM role WHERE name = '{}')"
DEEP = "(repeat('[', 65) || '1' || repeat(']', 65))::jsonb"
NESTED = "jsonb_build_object('deep', (repeat('[', 64) || '1' || repeat(']', 64))::jsonb)"
HUGE = "'{\"number\": 1e309}'"
LONG = "jsonb_build_object('text', repeat('x', 1048576))"
TRANSFORM, GROUP, SEARCH, OTHER = "'transform'", "'group'", "'search'", "'other'"
CASES, HANDLERS = '\'{"cases": [{"name": "Good"}]}\'', '\'{"onError": {"catch": [{}]}}\''
NO_LIST = '\'{"onError": {"catch": {"0": {}}}}\''
FOREVER = ("'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 BC'")
EDIT = "UPDATE execution SET {} WHERE idempotency_key = '{}'"
START = (
    "INSERT INTO execution (id, version_id, input, started_by, {}) "
    'SELECT gen_random_uuid(), {}, \'{{}}\', \'{{"kind": "human", "name": "eve"}}\', {}'
)
KEYED = "(SELECT id FROM execution WHERE idempotency_key = '{}')"
# An execution with descendants, each the child of the one before.
DESCEND = f"""
DO $$ DECLARE last uuid := {KEYED.format("running")}; BEGIN
  FOR depth IN 1..9 LOOP
    INSERT INTO execution (id, version_id, input, started_by, parent_execution_id, parent_path, parent_attempt, depth)
      SELECT gen_random_uuid(), {PUBLISHED}, '1', '{{"kind": "human", "name": "eve"}}', last, 'Sub', 1, depth
      RETURNING id INTO last;
  END LOOP;
END $$
"""
FINISH = (
    "WITH done AS (UPDATE execution SET status = '{0}', owner = NULL, finished_at = now() "
    "WHERE idempotency_key = 'running' RETURNING id, epoch) "
    "INSERT INTO journal (execution_id, seq, epoch, kind, payload) SELECT id, 9, epoch, '{1}', '{{}}' FROM done"
)
APPEND = (
    "INSERT INTO {} (execution_id, seq, epoch, kind, path, attempt, payload) "
    "SELECT id, {}, {}, '{}', 'Write', {}, '{{}}' FROM execution WHERE idempotency_key = '{}'"
)
# What execution_prune does to be let through, by somebody else.
PRETEND = "SELECT set_config('rolecall.pruning', pg_current_xact_id()::text, true);"
NEW_SESSION = (
    "INSERT INTO session (hash, expires_at, {}) SELECT decode(repeat('{}', {}), 'hex'), now(), {} FROM token LIMIT 1"
)
# What else would be emptied with the executions refuses to be.
UNGUARDED = "".join(f"ALTER TABLE {table} DISABLE TRIGGER USER; " for table in ("inbox", "signal_key", "budget"))
UNGUARDED_STEPS = "ALTER TABLE orchestration_version DISABLE TRIGGER USER; "
SEND = "INSERT INTO signal_key (execution_id, key, request_digest) SELECT {}, 'paid', 'another'"
# A request to start, and what becomes of it.
ASK = "SELECT rolecall.run('Brief', {}, {});"
ASKED = ASK.format("'1'", "'mine'") + " UPDATE execution_request SET "
NEW_KEY = (
    "INSERT INTO idempotency_key (principal, key, procedure, request_digest, answer) "
    "VALUES ('{}', '{}', 'role.create', 'digest', 'null')"
)
NEW_TOKEN = "INSERT INTO token (prefix, name, hash, kind) VALUES ('{}', '{}', decode(repeat('00', {}), 'hex'), '{}')"


def _child(path: str, parent: str, depth: int, version: str = PUBLISHED, attempt: str = "1") -> str:
    columns = "parent_path, parent_execution_id, depth, parent_attempt"
    return START.format(columns, version, f"'{path}', {parent}, {depth}, {attempt}")


def _step(name: str, order: int, kind: str = "transform", **columns: str) -> str:
    """A new step of the draft; the values of columns are SQL."""
    own = {"slot": "'main'", **columns}
    return NEW_STEP.format(", ".join(own), DRAFT, f"'{name}', {order}, '{kind}'", ", ".join(own.values()))


def _inside(parent: str, slot: str, name: str = "Inner", order: int = 0) -> str:
    """A new step of the draft, held by another."""
    held_by = f"(SELECT id FROM orchestration_step WHERE name = '{parent}' AND version_id = {DRAFT})"
    return _step(name, order, slot=f"'{slot}'", parent_id=held_by)


def _held(levels: int) -> str:
    """Groups of the draft, each in the one before; the first stands at the top."""
    steps = [_step("Held 0", 10, "group")]
    for level in range(1, levels):
        steps.append(_inside(f"Held {level - 1}", "body", f"Held {level}").replace("'transform'", "'group'"))
    return "; ".join(steps)


DIGEST = "'sha256:' || repeat('0', 64)"
NEW_BUDGET = "INSERT INTO budget ({}) VALUES ({}); "
FOR_CODER = NEW_BUDGET.format("role_id, usd_per_day", ROLE.format("Coder") + ", 5")
FOR_BRIEF = NEW_BUDGET.format("orchestration_id, usd_per_day", f"{BRIEF}, 5")
FOR_ALL = NEW_BUDGET.format("usd_per_day", "5")
NEW_ACCOUNT = "INSERT INTO budget_account ({}) SELECT {} FROM execution WHERE idempotency_key = 'running'; "
OF_EXECUTION = NEW_ACCOUNT.format("execution_id, path", "id, ''")
NEW_DAY = "INSERT INTO budget_account (budget_id, day) SELECT {}, current_date FROM budget; "
UNHINTED = "ALTER TABLE {} DISABLE TRIGGER USER; "

# What follows is done by hand, as somebody in that role.
BY_HAND = "SET LOCAL ROLE rolecall_admin; "

# (the rule by its name, an attack on it)
ATTACKS = (
    ("role__name", "INSERT INTO role (name, base_prompt, created_by) VALUES ('Coder', '', 'eve')"),
    ("role__name_is_a_name", EDIT_SPARE.format("name = ''")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = '1st'")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = E'Coder\\n'")),
    ("role__name_is_a_name", EDIT_SPARE.format("name = 'Coder; DROP TABLE role'")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY['files.read', NULL]")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY['']")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY[ARRAY['a'], ARRAY['b']]")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = array_fill('a'::varchar, ARRAY[1001])")),
    ("role__tools_are_named", EDIT_SPARE.format("tools = ARRAY[repeat('a', 101)]")),
    *[("role__model_is_readable", EDIT_SPARE.format(f"model = {value}")) for value in (NESTED, HUGE, LONG)],
    *[("role__parameters_are_readable", EDIT_SPARE.format(f"parameters = {value}")) for value in (NESTED, HUGE, LONG)],
    *[
        ("role__output_schema_is_readable", EDIT_SPARE.format(f"output_schema = {value}"))
        for value in (NESTED, HUGE, LONG)
    ],
    # Behind the trigger that keeps a version, which would be refused as well.
    *[
        (
            f"role__{column}_{verb}_readable",
            "ALTER TABLE role DISABLE TRIGGER USER; " + EDIT_SPARE.format(f"{column} = {NESTED}"),
        )
        for column, verb in (("model", "is"), ("parameters", "are"), ("output_schema", "is"))
    ],
    *[
        ("role__texts_have_a_length", EDIT_SPARE.format(f"{column} = repeat('x', 100001)"))
        for column in ("description", "base_prompt", "created_by")
    ],
    *[("role__times_are_dates", EDIT_SPARE.format(f"created_at = {value}")) for value in FOREVER],
    (
        "role__times_are_dates",
        "ALTER TABLE role DISABLE TRIGGER USER; " + EDIT_SPARE.format("updated_at = 'infinity'"),
    ),
    ("role__model_is_an_object", EDIT_SPARE.format("model = 'null'")),
    ("role__parameters_are_an_object", EDIT_SPARE.format("parameters = '[]'")),
    ("role__output_schema_is_a_schema", EDIT_SPARE.format("output_schema = '7'")),
    # Behind the trigger that keeps a version, whose content has the same shape.
    *(
        (rule, "ALTER TABLE role DISABLE TRIGGER USER; " + EDIT_SPARE.format(edit))
        for rule, edit in (
            ("role__tools_are_named", "tools = ARRAY['']"),
            ("role__model_is_an_object", "model = 'null'"),
            ("role__parameters_are_an_object", "parameters = '[]'"),
            ("role__output_schema_is_a_schema", "output_schema = '7'"),
        )
    ),
    ("role__version_is_counted", NEW_ROLE.format("version", "7")),
    ("role__version_is_counted", EDIT_SPARE.format("version = 2")),
    ("role__version_is_counted", EDIT_SPARE.format("base_prompt = 'stale', version = 0")),
    ("orchestration_step_role_id_fkey", "DELETE FROM role WHERE name = 'Coder'"),
    (
        "role_version__is_written_by_the_role",
        "INSERT INTO role_version (role_id, number, status, content, published_at) "
        "SELECT role.id, 2, 'published', content || '{\"base_prompt\": \"Doze.\"}', now() FROM role "
        "JOIN role_version ON role_id = role.id WHERE name = 'Spare'",
    ),
    (
        "role_version__is_written_by_the_role",
        "INSERT INTO role_version (role_id, number, status, content, rejected_at) "
        "SELECT role_id, 2, 'rejected', content, now() FROM role_version LIMIT 1",
    ),
    *(
        ("role_version__content_is_of_a_role", ROLE_DRAFT + EDIT_ROLE_DRAFT.format(f"content = {content}"))
        for content in (
            "'7'",
            "'[]'",
            "'{}'",
            "content - 'tools'",
            "content || '{\"is_active\": true}'",
            "content || '{\"name\": 7}'",
            "content || '{\"description\": null}'",
            'content || \'{"base_prompt": ["Rest."]}\'',
            'content || \'{"tools": "files.read"}\'',
            'content || \'{"tools": ["files.read", 7]}\'',
            'content || \'{"tools": [""]}\'',
            'content || \'{"needs_tools": "yes"}\'',
            "content || '{\"model\": null}'",
            "content || '{\"parameters\": []}'",
            "content || '{\"output_schema\": 7}'",
        )
    ),
    *[
        (
            "role_version__content_is_readable",
            ROLE_DRAFT + EDIT_ROLE_DRAFT.format(f"content = content || jsonb_build_object('{member}', {value})"),
        )
        for member in ("model", "parameters", "output_schema")
        for value in (NESTED, HUGE + "::jsonb", LONG)
    ],
    *[
        (
            "role_version__content_is_readable",
            ROLE_DRAFT + EDIT_ROLE_DRAFT.format(f"content = content || jsonb_build_object('{member}', {value})"),
        )
        for member, value in (
            ("description", "repeat('x', 100001)"),
            ("base_prompt", "repeat('x', 100001)"),
            ("tools", "jsonb_build_array(repeat('x', 1048576))"),
        )
    ],
    *[
        ("role_version__texts_have_a_length", ROLE_DRAFT + EDIT_ROLE_DRAFT.format(f"{column} = repeat('x', 100001)"))
        for column in ("message", "rejection", "created_by", "decided_by")
    ],
    *[
        ("role_version__times_are_dates", ROLE_DRAFT + EDIT_ROLE_DRAFT.format(f"created_at = {value}"))
        for value in FOREVER
    ],
    (
        "role_version__times_are_dates",
        MARK + ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'published', published_at = 'infinity'"),
    ),
    (
        "role_version__times_are_dates",
        ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("status = 'rejected', rejected_at = 'infinity'"),
    ),
    ("role_version__number_counts_from_one", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("number = 0")),
    ("role_version__status", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'frozen'")),
    ("role_version__published_when_dated", MARK + ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'published'")),
    ("role_version__published_by_a_server", ROLE_DRAFT + EDIT_ROLE_DRAFT.format(PUBLISHED_ROLE)),
    ("role_version__published_by_a_server", ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format(PUBLISHED_ROLE)),
    ("role_version__published_by_a_server", ROLE_REQUEST + EDIT_ROLE_DRAFT.format(PUBLISHED_ROLE)),
    ("role_version__problems_are_a_list", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("problems = '{}'")),
    # Behind the trigger that fills in who asks.
    (
        "role_version__publishing_is_requested",
        "ALTER TABLE role_version DISABLE TRIGGER USER; "
        + ROLE_DRAFT
        + EDIT_ROLE_DRAFT.format("status = 'publishing'"),
    ),
    ("role_version__request_is_kept", ROLE_REQUEST + EDIT_ROLE_DRAFT.format("status = 'proposed'")),
    ("role_version__request_is_kept", ROLE_REQUEST + EDIT_ROLE_DRAFT.format("message = 'another reason'")),
    ("role_version__request_is_kept", ROLE_REQUEST + EDIT_ROLE_DRAFT.format("status = 'draft', problems = '[{}]'")),
    (
        "role_version__request_is_kept",
        MARK
        + ROLE_REQUEST
        + EDIT_ROLE_DRAFT.format("status = 'draft', content = content || '{\"needs_tools\": true}'"),
    ),
    ("role_version__is_immutable", ROLE_REQUEST + "DELETE FROM role_version WHERE number = 2"),
    ("role_version__published_when_dated", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("published_at = now()")),
    ("role_version__rejected_when_decided", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("rejected_at = now()")),
    ("role_version__rejected_when_decided", ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("status = 'rejected'")),
    ("role_version__transition", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'archived', published_at = now()")),
    ("role_version__transition", ROLE_DRAFT + EDIT_ROLE_DRAFT.format("status = 'rejected', rejected_at = now()")),
    ("role_version__proposal_is_kept", ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("message = 'another reason'")),
    ("role_version__proposal_is_kept", ROLE_PROPOSAL + EDIT_ROLE_DRAFT.format("status = 'draft'")),
    (
        "role_version__proposal_is_kept",
        MARK
        + ROLE_PROPOSAL
        + EDIT_ROLE_DRAFT.format(
            "status = 'published', published_at = now(), content = content || '{\"needs_tools\": true}'"
        ),
    ),
    ("role_version__is_immutable", ROLE_PROPOSAL + "DELETE FROM role_version WHERE number = 2"),
    ("role_version__is_immutable", ROLE_REJECTED + EDIT_ROLE_DRAFT.format("rejection = 'for another reason'")),
    (
        "role_version__is_immutable",
        ROLE_REJECTED + EDIT_ROLE_DRAFT.format("status = 'published', rejected_at = NULL, published_at = now()"),
    ),
    (
        "role_version__is_immutable",
        EDIT_SPARE.format("base_prompt = 'Doze.'")
        + "; UPDATE role_version SET status = 'archived', message = 'sneaked in' "
        "WHERE number = 1 AND content ->> 'name' = 'Spare'",
    ),
    ("role_version__present_is_published", "UPDATE role_version SET status = 'archived'"),
    (
        "role_version__is_not_outdated",
        MARK
        + ROLE_DRAFT
        + EDIT_SPARE.format("base_prompt = 'Sleep.'")
        + "; "
        + EDIT_ROLE_DRAFT.format("status = 'published', published_at = now()"),
    ),
    ("role__version_is_counted", ROLE_DRAFT + EDIT_SPARE.format("base_prompt = 'Doze.', version = 2")),
    (
        "role__version_is_counted",
        MARK
        + ROLE_DRAFT
        + EDIT_ROLE_DRAFT.format(PUBLISHED_ROLE)
        + "; "
        + EDIT_SPARE.format("base_prompt = 'Rest.', version = 1"),
    ),
    ("role__expires_at_is_a_date", EDIT_SPARE.format("expires_at = 'infinity'")),
    ("role__expires_at_is_a_date", EDIT_SPARE.format("expires_at = '0001-01-01 BC'")),
    ("role_version__is_immutable", "UPDATE role_version SET content = '{}'"),
    ("role_version__is_immutable", "DELETE FROM role_version"),
    ("role_version__is_immutable", "TRUNCATE role_version"),
    ("role_version__is_immutable", "TRUNCATE role CASCADE"),
    (
        "role_version__role_number",
        "INSERT INTO role_version (role_id, number, content) SELECT role_id, number, content FROM role_version LIMIT 1",
    ),
    (
        "role_version__is_pinned",
        f"WITH started AS ({START.format('priority', PUBLISHED, 1)} RETURNING id) "
        "INSERT INTO journal (execution_id, seq, kind, payload) SELECT started.id, 1, 'execution_started', "
        "json_build_object('roles', json_build_object('Spare', role_version.id))::text FROM started, role_version "
        "WHERE content ->> 'name' = 'Spare'; DELETE FROM role WHERE name = 'Spare'",
    ),
    # Behind the guard, as below.
    (
        "role_version_role_id_fkey",
        "ALTER TABLE role_version DISABLE TRIGGER USER; "
        "INSERT INTO role_version (role_id, number, content) SELECT gen_random_uuid(), 1, content FROM role_version",
    ),
    ("orchestration__name", "INSERT INTO orchestration (name, created_by) VALUES ('Brief', 'eve')"),
    ("orchestration__name_is_a_name", EDIT_BRIEF.format("name = ' Brief'")),
    ("orchestration__tags_are_named", EDIT_BRIEF.format("tags = ARRAY[NULL]::varchar[]")),
    ("orchestration__tags_are_named", EDIT_BRIEF.format("tags = ARRAY[ARRAY['a'], ARRAY['b']]")),
    ("orchestration__texts_have_a_length", EDIT_BRIEF.format("description = repeat('x', 100001)")),
    ("orchestration__texts_have_a_length", EDIT_BRIEF.format("created_by = repeat('x', 2001)")),
    *[("orchestration__times_are_dates", EDIT_BRIEF.format(f"created_at = {value}")) for value in FOREVER],
    ("orchestration__active_version_id", EDIT_BRIEF.format("active_version_id = gen_random_uuid()")),
    (
        "orchestration__active_version_id",
        "ALTER TABLE orchestration DISABLE TRIGGER USER; " + EDIT_BRIEF.format("active_version_id = gen_random_uuid()"),
    ),
    ("orchestration__active_version_is_its_own", EDIT_BRIEF.format(f"active_version_id = {DRAFT}")),
    ("orchestration__active_version_is_its_own", EDIT_BRIEF.format(f"active_version_id = {ARCHIVED}")),
    (
        "orchestration__active_version_is_its_own",
        f"UPDATE orchestration SET active_version_id = {PUBLISHED} WHERE name = 'Idle'",
    ),
    ("orchestration__canary_is_whole", EDIT_BRIEF.format("canary_percent = 10")),
    ("orchestration__canary_is_whole", PUBLISH_DRAFT + EDIT_BRIEF.format(f"canary_version_id = {DRAFT}")),
    ("orchestration__canary_percent", CANARY + EDIT_BRIEF.format("canary_percent = 101")),
    ("orchestration__canary_percent", CANARY + EDIT_BRIEF.format("canary_percent = -1")),
    (
        "orchestration__canary_is_beside_the_active",
        EDIT_BRIEF.format("canary_version_id = active_version_id, canary_percent = 10"),
    ),
    (
        "orchestration__canary_is_beside_the_active",
        CANARY
        + EDIT_BRIEF.format("active_version_id = NULL, canary_version_id = canary_version_id, canary_percent = 20"),
    ),
    (
        "orchestration__canary_version_id",
        EDIT_BRIEF.format("canary_version_id = gen_random_uuid(), canary_percent = 10"),
    ),
    (
        "orchestration__canary_version_id",
        "ALTER TABLE orchestration DISABLE TRIGGER USER; "
        + EDIT_BRIEF.format("canary_version_id = gen_random_uuid(), canary_percent = 10"),
    ),
    (
        "orchestration__canary_is_its_own",
        EDIT_BRIEF.format(f"canary_version_id = {DRAFT}, canary_percent = 10"),
    ),
    (
        "orchestration__canary_is_its_own",
        EDIT_BRIEF.format(f"canary_version_id = {ARCHIVED}, canary_percent = 10"),
    ),
    (
        "orchestration__canary_is_its_own",
        f"UPDATE orchestration SET canary_version_id = {PUBLISHED}, canary_percent = 10 WHERE name = 'Idle'",
    ),
    (
        "orchestration__canary_breaks_nobody",
        EDIT_DRAFT.format("major = 2") + "; " + CANARY,
    ),
    (
        "orchestration_version__canary_is_published",
        CANARY + "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; "
        f"UPDATE orchestration_version SET status = 'archived' WHERE id = {DRAFT}",
    ),
    ("orchestration_version__expires_at_is_a_date", EDIT_DRAFT.format("expires_at = 'infinity'")),
    ("orchestration_version__expires_at_is_a_date", EDIT_DRAFT.format("expires_at = '10000-01-01'")),
    ("orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format("decided_by = 'eve'")),
    (
        "orchestration_version__is_read_only",
        f"UPDATE orchestration_version SET expires_at = now() WHERE id = {ARCHIVED}",
    ),
    ("orchestration_version__active_is_published", EDIT_PUBLISHED.format("status = 'archived'")),
    ("execution_version_id_fkey", "DELETE FROM orchestration WHERE name = 'Brief'"),
    (
        "orchestration_version__is_pinned",
        f"WITH started AS ({START.format('priority', PUBLISHED, 1)} RETURNING id) "
        "INSERT INTO journal (execution_id, seq, kind, payload) SELECT started.id, 1, 'execution_started', "
        "json_build_object('calls', json_build_object('Idle', active_version_id))::text FROM started, orchestration "
        "WHERE name = 'Idle'; DELETE FROM orchestration WHERE name = 'Idle'",
    ),
    ("orchestration_version_orchestration_id_fkey", EDIT_DRAFT.format("orchestration_id = gen_random_uuid()")),
    ("orchestration_version__orchestration_number", EDIT_DRAFT.format("number = 1")),
    ("orchestration_version__number_counts_from_one", EDIT_DRAFT.format("number = 0")),
    ("orchestration_version__status", EDIT_DRAFT.format(f"status = 'frozen', {COMPLETE}")),
    ("orchestration_version__document_is_an_object", EDIT_DRAFT.format("document = '[]'")),
    *[
        ("orchestration_version__document_is_readable", EDIT_DRAFT.format(f"document = {value}"))
        for value in (NESTED, HUGE, LONG)
    ],
    *[
        ("orchestration_version__texts_have_a_length", EDIT_DRAFT.format(f"{column} = repeat('x', 100001)"))
        for column in ("message", "rejection", "created_by", "decided_by", "requested_by")
    ],
    *[
        ("orchestration_version__times_are_dates", EDIT_DRAFT.format(f"{column} = {value}"))
        for value in FOREVER
        for column in ("created_at", "published_at")
    ],
    (
        "orchestration_version__times_are_dates",
        PROPOSE + EDIT_DRAFT.format("status = 'rejected', rejected_at = 'infinity'"),
    ),
    ("orchestration_version__times_are_dates", EDIT_DRAFT.format("requested_at = 'infinity'")),
    *[
        ("orchestration_version__findings_are_readable", EDIT_DRAFT.format(f"{column} = jsonb_build_array({value})"))
        for value in (NESTED, HUGE + "::jsonb", LONG)
        for column in ("problems", "effects")
    ],
    ("orchestration_version__findings_are_readable", EDIT_DRAFT.format(f"closure = {HUGE}")),
    # What a draft may lack, and what is published may not.
    (
        "orchestration_version__published_is_finished",
        f"DELETE FROM orchestration_step WHERE version_id = {DRAFT}; {PUBLISH_DRAFT}",
    ),
    (
        "orchestration_version__published_is_finished",
        f"{EDIT_STEP.format('role_id = NULL')}; {PUBLISH_DRAFT}",
    ),
    *[
        ("orchestration_version__published_is_finished", f"{_step('Extra', 2, kind)}; {PUBLISH_DRAFT}")
        for kind in ("agent", "llm", "tool", "orchestration", "loop", "map")
    ],
    (
        "orchestration_version__published_is_finished",
        _step("Extra", 2, "tool", config='\'{"tool": ""}\'') + f"; {PUBLISH_DRAFT}",
    ),
    ("orchestration_version__digest_is_a_digest", EDIT_DRAFT.format("digest = 'sha256:00'")),
    ("orchestration_version__max_step_runs", EDIT_DRAFT.format("max_step_runs = -1")),
    ("orchestration_version__published_is_complete", MARK + EDIT_DRAFT.format("status = 'published'")),
    (
        "orchestration_version__published_is_complete",
        MARK + EDIT_DRAFT.format("status = 'published', max_step_runs = 1, published_at = now()"),
    ),
    (
        "orchestration_version__published_is_complete",
        MARK + EDIT_DRAFT.format("status = 'published', digest = 'sha256:' || repeat('0', 64), published_at = now()"),
    ),
    (
        "orchestration_version__published_is_complete",
        MARK + EDIT_DRAFT.format("status = 'published', digest = 'sha256:' || repeat('0', 64), max_step_runs = 1"),
    ),
    ("orchestration_version__transition", EDIT_DRAFT.format("status = 'archived'")),
    ("orchestration_version__transition", EDIT_DRAFT.format(f"status = 'archived', {COMPLETE}")),
    ("orchestration_version__transition", EDIT_DRAFT.format("status = 'rejected', rejected_at = now()")),
    ("orchestration_version__major_counts_from_one", EDIT_DRAFT.format("major = 0")),
    ("orchestration_version__rejected_when_decided", EDIT_DRAFT.format("rejected_at = now()")),
    ("orchestration_version__rejected_when_decided", PROPOSE + EDIT_DRAFT.format("status = 'rejected'")),
    ("orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format("document = '{\"limits\": {}}'")),
    ("orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format("message = 'another reason'")),
    ("orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format("status = 'draft'")),
    ("orchestration_version__proposal_is_kept", PROPOSE + EDIT_DRAFT.format(f"status = 'archived', {COMPLETE}")),
    (
        "orchestration_version__proposal_is_kept",
        MARK + PROPOSE + EDIT_DRAFT.format(f"status = 'published', document = '{{\"limits\": {{}}}}', {COMPLETE}"),
    ),
    ("orchestration_version__is_read_only", PROPOSE + f"DELETE FROM orchestration_version WHERE id = {DRAFT}"),
    ("orchestration_version__is_read_only", REJECT + f"DELETE FROM orchestration_version WHERE id = {DRAFT}"),
    (
        "orchestration_version__is_read_only",
        REJECT + EDIT_DRAFT.format(f"status = 'published', rejected_at = NULL, {COMPLETE}"),
    ),
    ("orchestration_version__is_read_only", REJECT + EDIT_DRAFT.format("rejection = 'for another reason'")),
    (
        "orchestration_version__proposal_is_kept",
        PROPOSE + EDIT_DRAFT.format("status = 'publishing', message = 'another reason'"),
    ),
    (
        "orchestration_version__begins_as_a_draft",
        "INSERT INTO orchestration_version (orchestration_id, number, document, created_by, status, digest,"
        " max_step_runs, published_at) SELECT id, 9, '{}', 'eve', 'published', 'sha256:' || repeat('0', 64), 1, now()"
        " FROM orchestration WHERE name = 'Brief'",
    ),
    ("orchestration_version__published_by_a_server", EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    ("orchestration_version__published_by_a_server", PROPOSE + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}")),
    ("orchestration_version__published_by_a_server", REQUEST + EDIT_DRAFT.format("status = 'published'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("document = '{\"limits\": {}}'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("allows_breaking = true")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("requested_by = 'anna'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("status = 'draft', message = 'edited'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("status = 'draft', problems = '[{}]'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("status = 'proposed'")),
    ("orchestration_version__request_is_kept", REQUEST + EDIT_DRAFT.format("status = 'rejected', rejected_at = now()")),
    ("orchestration_version__request_is_kept", PROPOSE + REQUEST + EDIT_DRAFT.format("status = 'draft'")),
    (
        "orchestration_version__request_is_kept",
        MARK + REQUEST + EDIT_DRAFT.format(f"status = 'published', document = '{{\"limits\": {{}}}}', {COMPLETE}"),
    ),
    # Behind the guard, which writes down who asks.
    (
        "orchestration_version__publishing_is_requested",
        "ALTER TABLE orchestration_version DISABLE TRIGGER USER; " + EDIT_DRAFT.format("status = 'publishing'"),
    ),
    (
        "orchestration_version__publishing_is_requested",
        "ALTER TABLE orchestration_version DISABLE TRIGGER USER; "
        + EDIT_DRAFT.format("status = 'publishing', requested_by = 'eve', requested_at = now()"),
    ),
    ("orchestration_version__problems_are_a_list", EDIT_DRAFT.format("problems = '{}'")),
    ("orchestration_version__effects_are_a_list", EDIT_DRAFT.format("effects = '\"none\"'")),
    ("orchestration_version__closure_is_an_object", EDIT_DRAFT.format("closure = '[]'")),
    ("orchestration_version__is_read_only", REQUEST + f"DELETE FROM orchestration_version WHERE id = {DRAFT}"),
    ("orchestration_step__is_read_only", REQUEST + EDIT_STEP.format('config = \'{"prompt": "sneaked in"}\'')),
    ("orchestration_step__is_read_only", REQUEST + f"DELETE FROM orchestration_step WHERE version_id = {DRAFT}"),
    ("orchestration__active_version_is_its_own", REQUEST + EDIT_BRIEF.format(f"active_version_id = {DRAFT}")),
    ("orchestration_step__is_read_only", PROPOSE + EDIT_STEP.format('config = \'{"prompt": "sneaked in"}\'')),
    ("orchestration__active_version_is_its_own", PROPOSE + EDIT_BRIEF.format(f"active_version_id = {DRAFT}")),
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
        "orchestration_version__is_read_only",
        "ALTER TABLE orchestration_step DISABLE TRIGGER USER; ALTER TABLE execution DISABLE TRIGGER USER; "
        f"{UNGUARDED} TRUNCATE orchestration_version CASCADE",
    ),
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
    # Behind the guard of the tree, which looks at it when the transaction ends.
    (
        "orchestration_step__parent_of_same_version",
        UNGUARDED_STEPS + EDIT_STEP.format("slot = 'body', parent_id = gen_random_uuid()"),
    ),
    ("orchestration_step__not_its_own_parent", EDIT_STEP.format("slot = 'body', parent_id = id")),
    (
        "orchestration_step__not_its_own_parent",
        UNGUARDED_STEPS + EDIT_STEP.format("slot = 'body', parent_id = id"),
    ),
    ("orchestration_step__slot", EDIT_STEP.format("slot = 'sideways'")),
    (
        "orchestration_step__slot",
        f"UPDATE orchestration_step SET slot = 'sideways' WHERE name = 'Critic' AND version_id = {DRAFT}",
    ),
    ("orchestration_step__slot_fits_parent", EDIT_STEP.format("slot = 'body'")),
    (
        "orchestration_step__slot_fits_parent",
        f"UPDATE orchestration_step SET slot = 'main' WHERE name = 'Critic' AND version_id = {DRAFT}",
    ),
    ("orchestration_step__name_is_a_name", EDIT_STEP.format("name = ''")),
    ("orchestration_step__name_is_a_name", EDIT_STEP.format("name = 'a/b'")),
    ("orchestration_step__name_is_a_name", EDIT_STEP.format("name = E'Write\\n'")),
    ("orchestration_step__group_is_a_name", EDIT_STEP.format("parallel_group = ''")),
    ("orchestration_step__role_name_is_a_name", EDIT_STEP.format("role_name = '7', role_id = NULL")),
    ("orchestration_step__name_is_free", EDIT_STEP.format("name = 'context'")),
    ("orchestration_step__order", EDIT_STEP.format('"order" = -1')),
    ("orchestration_step__order", EDIT_STEP.format('"order" = 1000001')),
    ("orchestration_step__slot", EDIT_CRITIC.format("slot = 'catch:00'")),
    ("orchestration_step__role_agrees", EDIT_STEP.format(f"role_id = {ROLE.format('Spare')}, role_name = 'Coder '")),
    (
        "orchestration_step__role_agrees",
        _step("Extra", 2, "llm", role_id=ROLE.format("Spare"), role_name="'Coder'"),
    ),
    ("orchestration_step__condition_is_readable", EDIT_STEP.format(f"condition = {DEEP}")),
    ("orchestration_step__condition_is_readable", EDIT_STEP.format(f"condition = {HUGE}")),
    ("orchestration_step__config_is_readable", EDIT_STEP.format(f"config = {NESTED}")),
    ("orchestration_step__mappings_are_objects", EDIT_STEP.format("input_mapping = '[]'")),
    ("orchestration_step__mappings_are_objects", EDIT_STEP.format("output_mapping = '\"all\"'")),
    ("orchestration_step__mappings_are_readable", EDIT_STEP.format(f"input_mapping = {HUGE}")),
    ("orchestration_step__mappings_are_readable", EDIT_STEP.format(f"output_mapping = {NESTED}")),
    *[
        ("orchestration_step__loop_is_bounded", EDIT_LOOP.format(f"config = '{{\"maxIterations\": {value}}}'"))
        for value in ("0", "1001", "2.5", "true", '"3"')
    ],
    ("orchestration_step__map_is_bounded", EDIT_LOOP.format("kind = 'map', config = '{\"maxItems\": 10001}'")),
    ("orchestration_step__map_is_bounded", EDIT_LOOP.format("kind = 'map', config = '{\"maxConcurrency\": 101}'")),
    (
        "orchestration_step__at_most_200",
        'INSERT INTO orchestration_step (version_id, name, "order", kind) '
        f"SELECT {DRAFT}, 'Extra ' || place, place, 'transform' FROM generate_series(2, 199) AS place",
    ),
    ("orchestration_step__tree_is_shallow", _held(10)),
    (
        "orchestration_step__tree_has_a_top",
        f"{_step('One', 5, 'group')}; {_inside('One', 'body', 'Two').replace(TRANSFORM, GROUP)}; "
        "UPDATE orchestration_step AS step SET slot = 'body', parent_id = two.id FROM orchestration_step AS two "
        "WHERE step.name = 'One' AND two.name = 'Two'",
    ),
    ("orchestration_step__slot_of_its_parent", _inside("Critic", "body")),
    ("orchestration_step__slot_of_its_parent", _inside("Review", "else")),
    ("orchestration_step__slot_of_its_parent", _inside("Review", "case:Good")),
    ("orchestration_step__slot_of_its_parent", _inside("Review", "catch:0")),
    ("orchestration_step__slot_of_its_parent", EDIT_LOOP.format("kind = 'branch', config = '{}'")),
    (
        "orchestration_step__slot_of_its_parent",
        f"{_step('Route', 2, 'branch', config=CASES)}; {_inside('Route', 'case:Bad')}",
    ),
    (
        "orchestration_step__slot_of_its_parent",
        f"{_step('Safe', 2, config=HANDLERS)}; {_inside('Safe', 'catch:1')}",
    ),
    (
        "orchestration_step__slot_of_its_parent",
        f"{_step('Safe', 2, config=NO_LIST)}; {_inside('Safe', 'catch:0')}",
    ),
    ("orchestration_step__slot_of_its_parent", f"{_step('End', 2, 'stop')}; {_inside('End', 'compensate')}"),
    ("orchestration_step__order_is_its_own", EDIT_STEP.format('"order" = 1')),
    ("orchestration_step__order_is_its_own", _step("Extra", 1)),
    ("orchestration_step__order_is_its_own", _inside("Review", "body")),
    (
        "orchestration_step__order_is_its_own",
        f"{_step('One', 5, parallel_group=SEARCH)}; {_step('Two', 5)}",
    ),
    (
        "orchestration_step__order_is_its_own",
        f"{_step('One', 5, parallel_group=SEARCH)}; {_step('Two', 5, parallel_group=OTHER)}",
    ),
    (
        "orchestration_step__group_is_contiguous",
        f"{_step('One', 5, parallel_group=SEARCH)}; {_step('Two', 6)}; {_step('Three', 7, parallel_group=SEARCH)}",
    ),
    (
        "orchestration_step__group_is_contiguous",
        f"{_step('One', 5, parallel_group=SEARCH)}; {_step('Two', 6, parallel_group=OTHER)}; "
        f"{_step('Three', 7, parallel_group=SEARCH)}",
    ),
    ("orchestration_step__kind", EDIT_STEP.format("kind = 'goto'")),
    ("orchestration_step__config_is_an_object", EDIT_STEP.format("config = '\"loop\"'")),
    ("orchestration_step__max_retries", EDIT_STEP.format("max_retries = 20")),
    ("orchestration_step__max_retries", EDIT_STEP.format("max_retries = -1")),
    ("orchestration_step__retry_delay_ms", EDIT_STEP.format("retry_delay_ms = 86400001")),
    ("orchestration_step__timeout_ms", EDIT_STEP.format("timeout_ms = 0")),
    ("orchestration_step__timeout_ms", EDIT_STEP.format("timeout_ms = 86400001")),
    ("worker__lease_seconds", "UPDATE worker SET lease_seconds = 0"),
    *[("worker__times_are_dates", f"UPDATE worker SET heartbeat_at = {value}") for value in FOREVER],
    ("worker__times_are_dates", "UPDATE worker SET started_at = 'infinity'"),
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
    ("execution__starts_from_a_published_version", _child("Sub", KEYED.format("running"), 1, version=DRAFT)),
    ("execution__starts_from_a_published_version", PROPOSE + START.format("request_digest", DRAFT, "NULL")),
    ("execution__starts_from_a_published_version", PROPOSE + _child("Sub", KEYED.format("running"), 1, version=DRAFT)),
    ("execution__starts_from_a_published_version", REJECT + _child("Sub", KEYED.format("running"), 1, version=DRAFT)),
    (
        "execution__starts_before_expiry",
        EDIT_PUBLISHED.format("expires_at = now()") + "; " + START.format("request_digest", PUBLISHED, "NULL"),
    ),
    (
        "execution__starts_before_expiry",
        "UPDATE role SET expires_at = now() WHERE name = 'Coder'; " + START.format("request_digest", PUBLISHED, "NULL"),
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
    *[("execution__times_are_dates", EDIT.format(f"available_at = {value}", "queued")) for value in FOREVER],
    *[("execution__times_are_dates", EDIT.format(f"started_at = {value}", "waiting")) for value in FOREVER],
    ("execution__times_are_dates", START.format("created_at", PUBLISHED, "'infinity'")),
    (
        "execution__times_are_dates",
        "ALTER TABLE execution DISABLE TRIGGER USER; "
        + EDIT.format("cancel_requested_at = 'infinity', finished_at = finished_at", "completed"),
    ),
    (
        "execution__times_are_dates",
        "ALTER TABLE execution DISABLE TRIGGER USER; " + EDIT.format("finished_at = 'infinity'", "completed"),
    ),
    ("execution__starts_within_a_year", START.format("available_at", PUBLISHED, "now() + interval '366 days 1 hour'")),
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
        "INSERT INTO execution (id, version_id, input, started_by, idempotency_key, request_digest) "
        "SELECT gen_random_uuid(), version_id, '1', started_by, idempotency_key, 'another' FROM execution "
        "WHERE idempotency_key = 'failed'",
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
    ("execution__claims_are_counted", EDIT.format("claims = 0", "running")),
    ("execution__claims_are_counted", EDIT.format("claimed_seq = 100", "queued")),
    ("execution__cancel_is_final", EDIT.format("cancel_requested_at = NULL", "cancelling")),
    ("execution__cancel_is_final", EDIT.format("cancel_requested_at = now()", "running")),
    ("execution__key_has_its_request", START.format("idempotency_key", PUBLISHED, "'mine'")),
    ("execution__active_ms", EDIT.format("active_ms = -1", "running")),
    ("execution__priority", EDIT.format("priority = 101", "queued")),
    ("execution__priority", EDIT.format("priority = -101", "queued")),
    ("execution__child_of_a_step", START.format("parent_path", PUBLISHED, "'Sub'")),
    (
        "execution__child_of_a_step",
        START.format("parent_execution_id, depth", PUBLISHED, f"{KEYED.format('running')}, 1"),
    ),
    ("execution__child_of_a_step", _child("", KEYED.format("running"), 1)),
    ("execution__child_of_a_step", _child("Sub", KEYED.format("running"), 1, attempt="NULL")),
    ("execution__child_of_a_step", _child("Sub", KEYED.format("running"), 1, attempt="0")),
    ("execution__child_of_a_step", START.format("parent_attempt", PUBLISHED, "1")),
    ("execution__only_a_child_is_detached", START.format("is_detached", PUBLISHED, "true")),
    ("execution__depth", DESCEND),
    *[
        ("execution__budget", START.format(column, PUBLISHED, value))
        for column, value in (
            ("budget_usd", "-1"),
            ("budget_usd", "'NaN'"),
            ("budget_usd", "'Infinity'"),
            ("budget_tokens", "-1"),
            ("budget_tokens", "1000000001"),
        )
    ],
    *[
        ("execution__identity_is_fixed", EDIT.format(edit, "new"))
        for edit in ("budget_usd = 5", "budget_tokens = 5", "is_budgeted = true")
    ],
    *[
        ("orchestration_step__budget_is_a_budget", EDIT_STEP.format(f"config = '{{\"budget\": {budget}}}'"))
        for budget in (
            "5",
            "[]",
            '{"maxCostUsd": 0.5}',
            '{"maxCostUsd": "-1"}',
            '{"maxCostUsd": "NaN"}',
            '{"maxCostUsd": "0.0000001"}',
            '{"maxTokens": "5"}',
            '{"maxTokens": 0}',
            '{"maxTokens": 1000000001}',
        )
    ],
    *[
        ("orchestration_step__cache_is_a_cache", EDIT_STEP.format(f"config = '{{\"cache\": {cache}}}'"))
        for cache in (
            "true",
            "{}",
            '{"ttlMs": 0}',
            '{"ttlMs": 1.5}',
            '{"ttlMs": "5"}',
            '{"ttlMs": 31622400001}',
            '{"ttlMs": 5, "scope": "me"}',
            '{"ttlMs": 5, "scope": null}',
        )
    ],
    *[
        ("orchestration_version__budget_is_a_budget", EDIT_DRAFT.format(f"document = '{{\"limits\": {limits}}}'"))
        for limits in ('{"maxCostUsd": 2.5}', '{"maxCostUsd": "1e3"}', '{"maxTokens": "9"}', '{"maxTokens": 1.5}')
    ],
    ("budget__role_id", FOR_CODER + FOR_CODER),
    ("budget__role_id", UNHINTED.format("budget") + FOR_CODER + FOR_CODER),
    ("budget__orchestration_id", FOR_BRIEF + FOR_BRIEF),
    ("budget__orchestration_id", UNHINTED.format("budget") + FOR_BRIEF + FOR_BRIEF),
    ("budget__one_for_all", FOR_ALL + FOR_ALL),
    *[
        (rule, prefix + NEW_BUDGET.format(columns, values))
        for prefix in ("", UNHINTED.format("budget"))
        for rule, columns, values in (
            ("budget_role_id_fkey", "role_id, usd_per_day", "gen_random_uuid(), 5"),
            ("budget_orchestration_id_fkey", "orchestration_id, usd_per_day", "gen_random_uuid(), 5"),
            ("budget__of_one_thing", "role_id, orchestration_id, usd_per_day", f"{ROLE.format('Coder')}, {BRIEF}, 5"),
            ("budget__limits_something", "usd_per_day", "NULL"),
            ("budget__usd_per_day", "usd_per_day", "-1"),
            ("budget__usd_per_day", "usd_per_day", "'NaN'"),
            ("budget__usd_per_day", "usd_per_day", "'Infinity'"),
            ("budget__usd_per_day", "usd_per_day", "0.0000001"),
            ("budget__tokens_per_day", "tokens_per_day", "-1"),
            ("budget__tokens_per_day", "tokens_per_day", "1000000000001"),
        )
    ],
    *[
        (rule, f"INSERT INTO answer (key, model, content, {column}) VALUES ({key}, 'a/b', {content}, {value})")
        for rule, key, content, column, value in (
            ("answer__key_is_a_digest", "'sha256:00'", "''", "expires_at", "now()"),
            ("answer__content_has_a_length", DIGEST, "repeat('x', 1048577)", "expires_at", "now()"),
            ("answer__times_are_dates", DIGEST, "''", "expires_at", "'infinity'"),
            ("answer__times_are_dates", DIGEST, "''", "expires_at, kept_at", "now(), 'infinity'"),
        )
    ],
    *[
        (rule, f"INSERT INTO {table} SELECT {hour}{rest}")
        for rule, table, rest in (
            ("step_metric__is_of_an_hour", "step_metric", ", 'llm', '', '', 0, 1, 1, 0, 0, 0, 0, 0"),
            ("step_metric_hour__is_an_hour", "step_metric_hour", ""),
        )
        for hour in ("timestamptz '2026-01-01 00:00:01Z'", "timestamptz 'infinity'")
    ],
    ("budget_account__of_execution", OF_EXECUTION + OF_EXECUTION),
    ("budget_account__of_day", FOR_ALL + 2 * NEW_DAY.format("id")),
    ("budget_account_execution_id_fkey", NEW_ACCOUNT.format("execution_id, path", "gen_random_uuid(), ''")),
    ("budget_account_budget_id_fkey", FOR_ALL + NEW_DAY.format("gen_random_uuid()")),
    *[
        ("budget_account__of_one_thing", FOR_ALL + NEW_ACCOUNT.format(columns, values))
        for columns, values in (
            ("path", "NULL"),
            ("execution_id", "id"),
            ("budget_id", "(SELECT id FROM budget)"),
            ("execution_id, path, budget_id, day", "id, '', (SELECT id FROM budget), current_date"),
            ("execution_id, path, day", "id, '', current_date"),
        )
    ],
    *[
        ("budget_account__owes_nothing", OF_EXECUTION + f"UPDATE budget_account SET {column} = -1")
        for column in ("reserved_usd", "reserved_tokens", "settled_usd", "settled_tokens")
    ],
    *[
        (
            "budget_reservation__takes_nothing_away",
            "INSERT INTO budget_reservation (execution_id, epoch, path, model, accounts, usd, tokens) "
            f"VALUES (gen_random_uuid(), 1, 'Write', 'openai/some', '{{}}', {usd}, {tokens})",
        )
        for usd, tokens in (("-1", "1"), ("1", "-1"))
    ],
    ("execution__depth_counts_parents", START.format("depth", PUBLISHED, "1")),
    ("execution__depth_counts_parents", _child("Sub", KEYED.format("running"), 2)),
    ("execution__parent_is_open", _child("Sub", KEYED.format("completed"), 1)),
    ("execution__parent_is_open", _child("Sub", "gen_random_uuid()", 1)),
    ("execution__one_child_per_attempt", _child("Review[0]/Critic", KEYED.format("paused"), 1)),
    ("execution_forked_from_fkey", START.format("forked_from", PUBLISHED, "gen_random_uuid()")),
    # Behind the guards, which let nothing go that has finished, and nothing restart that has not.
    (
        "execution_forked_from_fkey",
        "ALTER TABLE execution DISABLE TRIGGER USER; "
        + START.format("forked_from", PUBLISHED, KEYED.format("new"))
        + "; DELETE FROM execution WHERE idempotency_key = 'new'",
    ),
    ("execution__restarts_what_has_finished", START.format("forked_from", PUBLISHED, KEYED.format("running"))),
    (
        "execution__restarts_what_has_finished",
        START.format(
            "forked_from", "active_version_id", f"{KEYED.format('failed')} FROM orchestration WHERE name = 'Idle'"
        ),
    ),
    (
        "execution_parent_execution_id_fkey",
        _child("Sub", KEYED.format("new"), 1) + "; DELETE FROM execution WHERE idempotency_key = 'new'",
    ),
    ("execution__identity_is_fixed", "UPDATE execution SET parent_path = 'Other' WHERE depth = 1"),
    ("execution__identity_is_fixed", "UPDATE execution SET parent_attempt = 2 WHERE depth = 1"),
    ("execution__identity_is_fixed", "UPDATE execution SET is_detached = true WHERE depth = 1"),
    ("execution__identity_is_fixed", EDIT.format("forked_from = id", "queued")),
    ("execution__end_is_journaled", EDIT.format("status = 'failed', owner = NULL, finished_at = now()", "running")),
    (
        "execution__end_is_journaled",
        EDIT.format("status = 'cancelled', available_at = NULL, finished_at = now()", "queued"),
    ),
    ("execution__end_is_journaled", FINISH.format("completed", "step_completed")),
    ("execution__end_is_journaled", FINISH.format("cancelled", "execution_completed")),
    (
        "execution__completes_after_its_children",
        _child("Sub", KEYED.format("running"), 1) + "; " + FINISH.format("completed", "execution_completed"),
    ),
    ("execution__history_is_kept", "DELETE FROM execution WHERE idempotency_key = 'completed'"),
    ("execution__history_is_kept", f"{PRETEND} DELETE FROM execution WHERE idempotency_key = 'waiting'"),
    ("execution__history_is_kept", "TRUNCATE execution CASCADE"),
    (
        "execution__history_is_kept",
        f"{UNGUARDED} TRUNCATE execution CASCADE",
    ),
    ("execution__is_run_by_workers", BY_HAND + EDIT.format("priority = 100", "queued")),
    ("execution__is_run_by_workers", BY_HAND + START.format("priority", PUBLISHED, 1)),
    ("execution__is_run_by_workers", BY_HAND + "DELETE FROM execution WHERE idempotency_key = 'new'"),
    ("journal__is_written_by_workers", BY_HAND + APPEND.format("journal", 9, 1, "step_noted", 1, "running")),
    ("journal__is_written_by_workers", BY_HAND + "DELETE FROM journal"),
    ("inbox__is_read_by_workers", BY_HAND + "DELETE FROM inbox WHERE kind <> 'cancel'"),
    ("worker__is_kept_by_workers", BY_HAND + "UPDATE worker SET lease_seconds = 1000000"),
    ("worker__is_kept_by_workers", BY_HAND + "DELETE FROM worker WHERE name = 'second'"),
    (
        "orchestration_version__published_by_a_server",
        BY_HAND + MARK + EDIT_DRAFT.format(f"status = 'published', {COMPLETE}"),
    ),
    (
        "orchestration_version__is_written_by_a_server",
        BY_HAND + EDIT_DRAFT.format("digest = 'sha256:' || repeat('0', 64)"),
    ),
    ("orchestration_version__is_written_by_a_server", BY_HAND + EDIT_DRAFT.format("major = 7")),
    ("orchestration_version__is_written_by_a_server", BY_HAND + EDIT_DRAFT.format("effects = '[1]'")),
    ("journal__is_append_only", "UPDATE journal SET payload = '{}'"),
    ("journal__is_append_only", "DELETE FROM journal"),
    ("journal__is_append_only", f"{PRETEND} DELETE FROM journal"),
    ("journal__is_append_only", "TRUNCATE journal"),
    ("journal__is_append_only", "UPDATE journal_default SET payload = '{}'"),
    ("journal__is_append_only", "DELETE FROM journal_default"),
    ("journal__is_append_only", "TRUNCATE journal_default"),
    ("journal__is_append_only", "TRUNCATE journal_" + MONTH),
    ("journal__is_fenced", APPEND.format("journal", 9, 0, "step_noted", 1, "running")),
    ("journal__is_fenced", APPEND.format("journal", 9, 2, "step_noted", 1, "running")),
    ("journal__is_fenced", APPEND.format("journal", 9, 1, "step_noted", 1, "waiting")),
    ("journal__is_fenced", APPEND.format("journal", 9, 1, "execution_failed", 0, "completed")),
    ("journal__is_fenced", APPEND.format("journal_default", 9, 1, "step_noted", 1, "waiting")),
    (
        "journal__is_fenced",
        "INSERT INTO journal (execution_id, seq, kind, payload) VALUES (gen_random_uuid(), 1, 'x', '1')",
    ),
    (
        "journal__is_fenced",
        f"INSERT INTO journal_{MONTH} (execution_id, seq, kind, payload) VALUES (first_id_at(now()), 1, 'x', '1')",
    ),
    ("journal__one_output_per_step", APPEND.format("journal", 9, 1, "step_completed", 2, "running")),
    ("journal__one_failure_per_attempt", APPEND.format("journal", 9, 1, "step_failed", 1, "running")),
    (
        "journal__times_are_dates",
        "INSERT INTO journal (execution_id, seq, epoch, kind, payload, recorded_at) "
        "SELECT id, 9, 1, 'step_noted', '{}', 'infinity' FROM execution WHERE idempotency_key = 'running'",
    ),
    ("journal__seq_counts_from_one", APPEND.format("journal", 0, 1, "step_noted", 1, "running")),
    ("journal_pkey", APPEND.format("journal", 1, 1, "step_noted", 1, "running")),
    (
        "inbox_execution_id_fkey",
        "INSERT INTO inbox (execution_id, kind, sender) VALUES (gen_random_uuid(), 'signal', 'eve')",
    ),
    (
        "inbox_execution_id_fkey",
        "INSERT INTO inbox (execution_id, kind, sender) SELECT id, 'signal', 'anna' FROM execution "
        "WHERE idempotency_key = 'new'; DELETE FROM execution WHERE idempotency_key = 'new'",
    ),
    (
        "inbox__execution_is_open",
        f"INSERT INTO inbox (execution_id, kind, sender) VALUES ({KEYED.format('completed')}, 'signal', 'eve')",
    ),
    ("inbox__is_not_edited", "UPDATE inbox SET kind = 'signal'"),
    ("inbox__is_not_edited", "TRUNCATE inbox"),
    ("inbox__cancel_is_kept", "DELETE FROM inbox"),
    ("execution_request__key_is_not_empty", ASK.format("'1'", "''")),
    (
        "execution_request__one_per_key",
        "INSERT INTO execution_request (orchestration, idempotency_key) VALUES ('Brief', 'mine'), ('Idle', 'mine')",
    ),
    ("execution_request__input_is_bounded", ASK.format("to_jsonb(repeat('x', 1048576))", "'mine'")),
    ("execution_request__input_is_bounded", ASK.format("(repeat('[', 65) || repeat(']', 65))::jsonb", "'mine'")),
    ("execution_request__problems_are_a_list", ASKED + "answered_at = now(), problems = '{}'"),
    ("execution_request__answer_is_one", ASKED + "answered_at = now()"),
    ("execution_request__answer_is_one", ASKED + "execution_id = id"),
    ("execution_request__answer_is_one", ASKED + "problems = '[1]'"),
    ("execution_request__answer_is_one", ASKED + "answered_at = now(), execution_id = id, problems = '[1]'"),
    ("execution_request__is_answered_once", ASKED + "input = '2'"),
    ("execution_request__is_answered_once", ASKED + "requested_by = 'eve'"),
    (
        "execution_request__is_answered_once",
        ASKED + "answered_at = now(), execution_id = id; UPDATE execution_request SET execution_id = gen_random_uuid()",
    ),
    ("signal_key_pkey", SEND.format(KEYED.format("waiting"))),
    ("signal_key_execution_id_fkey", SEND.format("gen_random_uuid()")),
    ("signal_key__is_not_edited", "UPDATE signal_key SET request_digest = 'another'"),
    ("signal_key__is_not_edited", "TRUNCATE signal_key"),
    ("signal_key__is_kept", "DELETE FROM signal_key"),
    ("token__prefix", NEW_TOKEN.format("rc_1", "eve", 32, "human")),
    ("token__name", NEW_TOKEN.format("rc_2", "anna", 32, "human")),
    ("token__hash_has_32_bytes", NEW_TOKEN.format("rc_2", "eve", 31, "human")),
    ("token__kind", NEW_TOKEN.format("rc_2", "eve", 32, "root")),
    ("idempotency_key__key_is_not_empty", NEW_KEY.format("eve", "")),
    ("idempotency_key_pkey", NEW_KEY.format("human anna", "mine")),
    ("idempotency_key__is_not_edited", 'UPDATE idempotency_key SET answer = \'{"name": "Forged"}\''),
    ("token__scopes_are_named", "UPDATE token SET scopes = ARRAY['read', NULL]"),
    ("token__scopes_are_named", "UPDATE token SET scopes = ARRAY[ARRAY['a'], ARRAY['b']]"),
    ("token__name_has_a_length", "UPDATE token SET name = ''"),
    ("token__name_has_a_length", "UPDATE token SET name = repeat('x', 2001)"),
    *[
        ("token__times_are_dates", f"UPDATE token SET {column} = {value}")
        for value in FOREVER
        for column in ("created_at", "expires_at", "revoked_at", "last_used_at")
    ],
    ("token__agents_manage_no_tokens", "UPDATE token SET kind = 'agent', scopes = '{roles.read,tokens.manage}'"),
    ("token__agents_read_no_audit", "UPDATE token SET kind = 'agent', scopes = '{roles.read,audit.read}'"),
    ("token__agents_set_no_budgets", "UPDATE token SET kind = 'agent', scopes = '{roles.read,budgets.write}'"),
    ("token__agents_are_no_admins", "UPDATE token SET kind = 'agent', scopes = '{roles.read,admin}'"),
    *MODEL_ATTACKS,
    *TOOL_ATTACKS,
    ("session_token_id_fkey", NEW_SESSION.format("token_id", "11", 32, "gen_random_uuid()")),
    ("session__hash", NEW_SESSION.format("token_id", "00", 32, "id")),
    ("session__hash_has_32_bytes", NEW_SESSION.format("token_id", "11", 31, "id")),
    ("session__stands_for_one", NEW_SESSION.format("token_id, name", "11", 32, "id, 'eve'")),
    ("session__stands_for_one", NEW_SESSION.format("token_id, scopes", "11", 32, "id, '{}'")),
    ("session__stands_for_one", NEW_SESSION.format("name", "11", 32, "'eve'")),
    ("session__stands_for_one", NEW_SESSION.format("scopes", "11", 32, "'{}'")),
    ("session__stands_for_one", NEW_SESSION.format("token_id", "11", 32, "NULL")),
    ("session__scopes_are_named", NEW_SESSION.format("name, scopes", "11", 32, "'eve', ARRAY['read', NULL]")),
    ("session__scopes_are_named", NEW_SESSION.format("name, scopes", "11", 32, "'eve', ARRAY['']")),
    (
        "audit__is_written_by_the_database",
        "INSERT INTO audit (seq, at, actor, channel, db_user, noun, action, subject, hash) "
        "SELECT 1000, now(), 'eve', 'sql', 'eve', 'role', 'insert', id, sha256('') FROM role WHERE name = 'Spare'",
    ),
    (
        "audit__is_written_by_the_database",
        "INSERT INTO audit_pending (action, noun, subject) SELECT 'insert', 'role', id FROM role WHERE name = 'Spare'",
    ),
    ("audit__is_append_only", "UPDATE audit SET actor = 'nobody'"),
    ("audit__is_append_only", "DELETE FROM audit WHERE seq = 1"),
    ("audit__is_append_only", "TRUNCATE audit"),
    ("audit_anchor__is_only", "INSERT INTO audit_anchor (is_only, taken_at) VALUES (false, now())"),
    ("audit__changes_are_by_row", "TRUNCATE session"),
    ("audit__changes_are_by_row", "TRUNCATE budget CASCADE"),
    ("audit__changes_are_by_row", "TRUNCATE token CASCADE"),
    ("audit__changes_are_by_row", "ALTER TABLE session DISABLE TRIGGER USER; TRUNCATE token CASCADE"),
)


def rule_of(error: asyncpg.PostgresError) -> str | None:
    """The rule in whose name something was refused; one of a partition of the journal is the journal's."""
    rule = refusal_of(error).rule
    return re.sub(r"^journal_(default|\d{4}_\d{2})_", "journal_", rule) if rule else None
