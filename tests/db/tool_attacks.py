"""Attacks on the rules of MCP servers and their tools, and edits that they allow; see attacks.py."""

from __future__ import annotations

from tests.db.model_attacks import FOREVER

NEW_SOURCE = "INSERT INTO mcp_source (name, transport, created_by, {}) VALUES ('{}', '{}', 'eve', {})"
EDIT_SOURCE = "UPDATE mcp_source SET {} WHERE name = 'weather'"
EDIT_TOOL = "UPDATE mcp_tool SET {} WHERE name = 'now'"
NEW_TOOL = (
    "INSERT INTO mcp_tool (source_id, name, description, input_schema{}) "
    "SELECT {}, {}, 'New.', '{{}}'{} FROM mcp_source WHERE name = 'weather'"
)
DIGEST = "'sha256:' || repeat('{}', 64)"
DEEP = "(repeat('{\"a\":', 65) || '1' || repeat('}', 65))::jsonb"
BY_HAND = "SET LOCAL ROLE rolecall_admin; "
BY_ROW = "audit__changes_are_by_row"
TO_HTTP = "transport = 'http', command = NULL, url = {}"
LAST_ENTRY = "SELECT array[action, noun] FROM audit ORDER BY seq DESC LIMIT 1"
APPROVALS = (
    "SELECT array_agg(name::text || ' ' || coalesce(approved_by = session_user, false) ORDER BY name) FROM mcp_tool"
)

TOOL_ATTACKS: tuple[tuple[str, str], ...] = (
    ("mcp_source__name", NEW_SOURCE.format("command", "weather", "stdio", "'x'")),
    *[
        ("mcp_source__name_is_a_name", EDIT_SOURCE.format(f"name = '{name}'"))
        for name in ("", "1st", "Weather", "a.b", "a*", "a b")
    ],
    ("mcp_source__transport", EDIT_SOURCE.format("transport = 'socket', command = NULL")),
    *[
        ("mcp_source__reached_in_one_way", EDIT_SOURCE.format(edit))
        for edit in (
            "command = NULL",
            "url = 'https://mcp.example.com'",
            "transport = 'http'",
            "transport = 'http', url = 'https://mcp.example.com'",
            'headers = \'{"Authorization": "Weather key"}\'',
        )
    ],
    *[
        ("mcp_source__command_is_a_name", EDIT_SOURCE.format(f"command = '{command}'"))
        for command in ("", "/bin/sh", "sh -c id", "../weather", "a;b", "-c")
    ],
    *[
        ("mcp_source__url_is_a_url", EDIT_SOURCE.format(TO_HTTP.format(f"'{url}'")))
        for url in (
            "",
            "mcp.example.com",
            "file:///etc/passwd",
            "https://",
            "https://anna:pw@mcp.example.com",
            "http://a#b",
        )
    ],
    *[
        (
            "mcp_source__headers_name_secrets",
            EDIT_SOURCE.format(TO_HTTP.format("'https://a'") + f", headers = '{headers}'"),
        )
        for headers in (
            "[]",
            "7",
            '{"A": 7}',
            '{"A": null}',
            '{"A b": "Key"}',
            '{"A": "1st"}',
            '{"": "Key"}',
            '{"A": {}}',
        )
    ],
    *[("mcp_source__timeout_ms", EDIT_SOURCE.format(f"timeout_ms = {value}")) for value in (99, 600_001)],
    ("mcp_source__texts_have_a_length", EDIT_SOURCE.format("description = repeat('x', 100001)")),
    ("mcp_source__texts_have_a_length", EDIT_SOURCE.format("problem = repeat('x', 100001)")),
    ("mcp_source__texts_have_a_length", EDIT_SOURCE.format("created_by = repeat('x', 2001)")),
    *[("mcp_source__times_are_dates", EDIT_SOURCE.format(f"listed_at = {value}")) for value in FOREVER],
    *[("mcp_source__times_are_dates", EDIT_SOURCE.format(f"created_at = {value}")) for value in FOREVER],
    (BY_ROW, "ALTER TABLE mcp_tool DISABLE TRIGGER USER; TRUNCATE mcp_source CASCADE"),
    (BY_ROW, "TRUNCATE mcp_tool"),
    ("mcp_tool_source_id_fkey", EDIT_TOOL.format("source_id = gen_random_uuid()")),
    ("mcp_tool__source_name", NEW_TOOL.format("", "id", "'now'", "")),
    *[
        ("mcp_tool__name_is_a_name", NEW_TOOL.format("", "id", f"'{name}'", ""))
        for name in ("", ".", "a.", "a..b", "a*", "a b", "a/b", "ä")
    ],
    ("mcp_tool__digests_are_digests", EDIT_TOOL.format("digest = 'sha256:'")),
    ("mcp_tool__digests_are_digests", EDIT_TOOL.format("digest = 'x', approved_digest = 'x'")),
    (
        "mcp_tool__digests_are_digests",
        "ALTER TABLE mcp_tool DISABLE TRIGGER mcp_tool__approval; " + EDIT_TOOL.format("approved_digest = 'x'"),
    ),
    ("mcp_tool__effect", EDIT_TOOL.format("effect = 'some'")),
    ("mcp_tool__security", EDIT_TOOL.format("security = 'none'")),
    *[
        ("mcp_tool__said_is_readable", EDIT_TOOL.format(f"{column} = {value}"))
        for column in ("input_schema", "annotations")
        for value in (
            "'[]'",
            "'7'",
            "'null'",
            DEEP,
            "'{\"maximum\": 1e309}'",
            "jsonb_build_object('a', repeat('x', 1048576))",
        )
    ],
    ("mcp_tool__texts_have_a_length", EDIT_TOOL.format("description = repeat('x', 100001)")),
    (
        "mcp_tool__texts_have_a_length",
        "ALTER TABLE mcp_tool DISABLE TRIGGER mcp_tool__approval; "
        + EDIT_TOOL.format("approved_by = repeat('x', 2001)"),
    ),
    *[("mcp_tool__times_are_dates", EDIT_TOOL.format(f"created_at = {value}")) for value in FOREVER],
    *[
        (
            "mcp_tool__times_are_dates",
            "ALTER TABLE mcp_tool DISABLE TRIGGER mcp_tool__approval; " + EDIT_TOOL.format(f"approved_at = {value}"),
        )
        for value in FOREVER
    ],
    ("mcp_tool__approved_as_it_is", EDIT_TOOL.format(f"approved_digest = {DIGEST.format('b')}")),
    (
        "mcp_tool__approved_as_it_is",
        EDIT_TOOL.format("digest = NULL")
        + "; "
        + EDIT_TOOL.format("approved_digest = NULL")
        + "; "
        + EDIT_TOOL.format(f"approved_digest = {DIGEST.format('a')}"),
    ),
    (
        "mcp_tool__approved_as_it_is",
        NEW_TOOL.format(", approved_digest", "id", "'new'", f", {DIGEST.format('a')}"),
    ),
    *[
        ("mcp_tool__is_written_by_a_server", BY_HAND + EDIT_TOOL.format(edit))
        for edit in (
            "description = 'Says nothing.'",
            "input_schema = '{}'",
            "annotations = '{\"readOnlyHint\": true}'",
            f"digest = {DIGEST.format('b')}",
            "digest = NULL",
            "name = 'later'",
        )
    ],
    ("mcp_tool__is_written_by_a_server", BY_HAND + NEW_TOOL.format("", "id", "'new'", "")),
    (
        "token__agents_manage_no_tools",
        "INSERT INTO token (prefix, name, hash, kind, scopes) "
        "VALUES ('rc_t', 'eve', decode(repeat('00', 32), 'hex'), 'agent', '{tools.write}')",
    ),
)

# (what it is, the edit, a query, its result)
TOOL_EDITS = (
    (
        "an approval is put down to who gives it",
        "UPDATE mcp_tool SET approved_digest = digest, approved_by = 'me' WHERE name = 'tomorrow'",
        APPROVALS,
        ["now true", "tomorrow true"],
    ),
    (
        "an approval stays what it was when its author is written over",
        "UPDATE mcp_tool SET approved_by = 'eve', security = 'low'",
        APPROVALS,
        ["now true", "tomorrow false"],
    ),
    (
        "an approval is withdrawn",
        EDIT_TOOL.format("approved_digest = NULL"),
        APPROVALS,
        ["now false", "tomorrow false"],
    ),
    (
        "what is said anew is not what was approved",
        EDIT_TOOL.format(f"description = 'x', digest = {DIGEST.format('b')}"),
        "SELECT count(*) FROM mcp_tool WHERE approved_digest <> digest",
        1,
    ),
    (
        "a source that moves has its tools listed and approved anew",
        EDIT_SOURCE.format("listed_at = now()")
        + "; "
        + EDIT_SOURCE.format(TO_HTTP.format("'https://mcp.example.com/'")),
        "SELECT array[count(approved_digest), (SELECT count(listed_at) FROM mcp_source)] FROM mcp_tool",
        [0, 0],
    ),
    (
        "a source that is only described anew has not moved",
        EDIT_SOURCE.format("listed_at = now()") + "; " + EDIT_SOURCE.format("description = 'x'"),
        "SELECT array[count(approved_digest), (SELECT count(listed_at) FROM mcp_source)] FROM mcp_tool",
        [1, 1],
    ),
    ("a source takes its tools along", "DELETE FROM mcp_source", "SELECT count(*) FROM mcp_tool", 0),
    (
        "an admin says of a tool that it only reads",
        BY_HAND + EDIT_TOOL.format("effect = 'read', security = 'low'"),
        "SELECT count(*) FROM mcp_tool WHERE effect = 'read'",
        1,
    ),
    (
        "a change of a source stands in the audit",
        EDIT_SOURCE.format("is_active = false") + "; SET CONSTRAINTS ALL IMMEDIATE",
        LAST_ENTRY,
        ["update", "mcp_source"],
    ),
    (
        "that a source was listed does not",
        EDIT_SOURCE.format("listed_at = now(), problem = 'x'") + "; SET CONSTRAINTS ALL IMMEDIATE",
        "SELECT count(*) FROM audit WHERE noun = 'mcp_source'",
        1,
    ),
    (
        "a change of a tool stands in the audit",
        EDIT_TOOL.format("security = 'low'") + "; SET CONSTRAINTS ALL IMMEDIATE",
        LAST_ENTRY,
        ["update", "mcp_tool"],
    ),
)
